import type { Clock } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import type { BarRecord } from '../../store/bars.ts';
import type { Store } from '../../store/store.ts';

/** Of what is free, so much is given away before the bars are counted again: other nodes give away too. */
const SHARES_OF_ROOM = 16;
/** How soon a game that was full is counted again. */
const FULL_MS = 1_000;
const ENDED_AT_ONCE = 500;
/** More games than are likely to have bars at once; what is forgotten is counted again. */
const MAX_GAMES = 10_000;

type Asked = Pick<BarRecord, 'kind' | 'name' | 'gameId'>;

/**
 * How many blocks a game may have, and how many revocations: whoever may make one must not fill the database, and one kind
 * must not keep the other out. Closures are as many as stages at most. Bars are counted now and then, not for each call.
 */
export interface BarRoom {
  /**
   * Takes the room for a bar that is about to be set; the result is to be called when it is, or has failed. One that takes
   * the place of an earlier one needs none. Throws `quota_exceeded` when there is no room.
   */
  take(bar: Asked): Promise<() => void>;
  /** To be called when a bar of the game is gone, so that its room is there at once. */
  freed(bar: Pick<Asked, 'kind' | 'gameId'>): void;
}

interface Known {
  /** How many may be set before the next count. */
  free: number;
  /** How many are being set, which a count may not see. */
  underWay: number;
  /** Until when nothing is counted again, because there was no room. */
  fullUntil: number;
  counting: Promise<void> | undefined;
}

export function createBarRoom({
  store,
  clock,
  settings,
}: {
  store: { readonly bars: Pick<Store['bars'], 'find' | 'count' | 'removeEnded'> };
  clock: Clock;
  settings: { readonly maxBlocksPerGame: number };
}): BarRoom {
  const { maxBlocksPerGame: max } = settings;
  const games = new Map<string, Known>();
  const keyOf = ({ kind, gameId }: Pick<Asked, 'kind' | 'gameId'>) => `${kind} ${gameId}`;

  function knownOf(bar: Asked): Known {
    const key = keyOf(bar);
    let known = games.get(key);
    if (known === undefined) {
      if (games.size >= MAX_GAMES) games.clear();
      known = { free: 0, underWay: 0, fullUntil: Number.NEGATIVE_INFINITY, counting: undefined };
      games.set(key, known);
    }
    return known;
  }

  async function count(known: Known, { kind, gameId }: Asked): Promise<void> {
    const roomLeft = async () => max - known.underWay - (await store.bars.count({ kind, gameId }));
    let left = await roomLeft();
    if (left <= 0) {
      // What has ended is kept for those who ask why somebody could not connect, as long as there is room for it.
      await store.bars.removeEnded(clock.now(), ENDED_AT_ONCE, gameId);
      left = await roomLeft();
    }
    known.free = Math.max(0, Math.ceil(left / SHARES_OF_ROOM));
    if (left <= 0) known.fullUntil = clock.monotonic() + FULL_MS;
  }

  return {
    async take(bar) {
      if (bar.kind === 'closure') return () => {};
      const known = knownOf(bar);
      while (known.free <= 0) {
        if (clock.monotonic() < known.fullUntil) {
          if ((await store.bars.find(bar.name)) !== undefined) return () => {};
          throw new ServiceError('quota_exceeded', tooMany(bar.kind, max));
        }
        known.counting ??= count(known, bar).finally(() => {
          known.counting = undefined;
        });
        await known.counting;
      }
      known.free -= 1;
      known.underWay += 1;
      return () => {
        known.underWay -= 1;
      };
    },

    freed(bar) {
      const known = games.get(keyOf(bar));
      if (known !== undefined) known.fullUntil = Number.NEGATIVE_INFINITY;
    },
  };
}

function tooMany(kind: BarRecord['kind'], max: number): string {
  if (kind === 'revocation') {
    return `The game has ${max} revocations of tokens, as many as this server allows: raise RESPARK_MAX_BLOCKS_PER_GAME, or block the player instead`;
  }
  return `The game has ${max} blocks, as many as this server allows: unblock players, give blocks an end, or raise RESPARK_MAX_BLOCKS_PER_GAME`;
}
