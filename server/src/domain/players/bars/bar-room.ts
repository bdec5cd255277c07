import type { Clock } from '../../../clock.ts';
import { ServiceError } from '../../../errors.ts';
import type { BarRecord } from '../../../store/bars.ts';
import type { Store } from '../../../store/store.ts';

/** The fraction of the free room, one in this many, that is given away before bars are counted again: other nodes give away, too. */
const SHARES_OF_ROOM = 16;
/** How soon a game that was full is counted again. */
const FULL_MS = 1_000;
const ENDED_AT_ONCE = 500;
/** More games and stages than are likely to have bars at once; what is forgotten is counted again. */
const MAX_PLACES = 10_000;
/** How much of a game's room one stage may take, so that a key for one stage does not keep others from blocking in the rest. */
const SHARE_OF_STAGE = 0.9;

/** A game, or one stage of it. */
type Place = Pick<BarRecord, 'kind' | 'gameId'> & { readonly stageId?: string | undefined };
type Asked = Place & Pick<BarRecord, 'name'>;

/**
 * How many blocks a game may have, and how many revocations. A key that may make one must not be able to fill the database, and
 * neither one kind nor one stage may take the room of the others. There are at most as many closures as stages. Bars are
 * counted now and then, not for each call.
 */
export interface BarRoom {
  /**
   * Takes the room for a bar that is about to be set. Returns a function that must be called once it is set, or has failed. A
   * bar that takes the place of an earlier one needs no room. Throws `quota_exceeded` when there is none.
   */
  take(bar: Asked): Promise<() => void>;
  /** Must be called when a bar of the game is gone, so that its room is there at once. */
  freed(bar: Place): void;
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
  const { maxBlocksPerGame } = settings;
  const places = new Map<string, Known>();
  const keyOf = ({ kind, gameId, stageId = '' }: Place) => `${kind} ${gameId} ${stageId}`;
  const maxOf = ({ stageId }: Place) => Math.ceil(maxBlocksPerGame * (stageId === undefined ? 1 : SHARE_OF_STAGE));

  function knownOf(place: Place): Known {
    const key = keyOf(place);
    let known = places.get(key);
    if (known === undefined) {
      if (places.size >= MAX_PLACES) places.clear();
      known = { free: 0, underWay: 0, fullUntil: Number.NEGATIVE_INFINITY, counting: undefined };
      places.set(key, known);
    }
    return known;
  }

  async function count(known: Known, { kind, gameId, stageId }: Place): Promise<void> {
    const max = maxOf({ kind, gameId, stageId });
    const roomLeft = async () => max - known.underWay - (await store.bars.count({ kind, gameId, stageId }));
    let left = await roomLeft();
    if (left <= 0) {
      // What has ended is kept for those who ask why somebody could not connect, as long as there is room for it.
      await store.bars.removeEnded(clock.now(), ENDED_AT_ONCE, gameId);
      left = await roomLeft();
    }
    known.free = Math.max(0, Math.ceil(left / SHARES_OF_ROOM));
    if (left <= 0) known.fullUntil = clock.monotonic() + FULL_MS;
  }

  async function takeIn(place: Place, name: string): Promise<() => void> {
    const known = knownOf(place);
    while (known.free <= 0) {
      if (clock.monotonic() < known.fullUntil) {
        if ((await store.bars.find(name)) !== undefined) return () => {};
        throw new ServiceError('quota_exceeded', tooMany(place, maxOf(place)));
      }
      known.counting ??= count(known, place).finally(() => {
        known.counting = undefined;
      });
      await known.counting;
    }
    known.free -= 1;
    known.underWay += 1;
    return () => {
      known.underWay -= 1;
    };
  }

  /** The game, and the stage, if the bar is about one that may have less. */
  const placesOf = ({ kind, gameId, stageId }: Place): Place[] => {
    const [stage, game] = [
      { kind, gameId, stageId },
      { kind, gameId },
    ];
    return maxOf(stage) < maxOf(game) ? [stage, game] : [game];
  };

  return {
    async take({ name, ...place }) {
      const taken: (() => void)[] = [];
      const release = () => {
        for (const leave of taken) leave();
      };
      if (place.kind === 'closure') return release;
      try {
        for (const each of placesOf(place)) taken.push(await takeIn(each, name));
      } catch (error) {
        release();
        throw error;
      }
      return release;
    },

    freed(bar) {
      for (const place of placesOf(bar)) {
        const known = places.get(keyOf(place));
        if (known !== undefined) known.fullUntil = Number.NEGATIVE_INFINITY;
      }
    },
  };
}

function tooMany({ kind, stageId }: Place, max: number): string {
  const where = stageId === undefined ? 'game' : 'stage';
  const allowed = stageId === undefined ? 'as this server allows' : 'as one stage may have of those of its game';
  if (kind === 'revocation') {
    return `The ${where} has ${max} revocations of tokens, as many ${allowed}: raise RESPARK_MAX_BLOCKS_PER_GAME, or block the player instead`;
  }
  return `The ${where} has ${max} blocks, as many ${allowed}: unblock players, give blocks an end, or raise RESPARK_MAX_BLOCKS_PER_GAME`;
}
