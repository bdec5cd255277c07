import type { Clock } from '../../../clock.ts';
import { ServiceError } from '../../../errors.ts';
import type { BarRecord, ListedBar } from '../../../store/bars.ts';
import type { Store } from '../../../store/store.ts';
import type { Audit, Change } from '../../audit/audit.ts';
import { type ListTurn, MAX_PAGE_BYTES } from '../../list-turns.ts';
import type { Page, PageRequest, Paginate } from '../../pagination.ts';
import type { DisconnectResult } from '../disconnect.ts';
import { checkFarewell, detailsOf, onRecord } from '../disconnect-request.ts';
import { type BarChanges, checkWording, type Duration, type NamedPlace, type Wording } from './bar-changes.ts';
import { farewellOfBar } from './bars.ts';
import type { BlockedPlayer, Blocking } from './blocking.ts';

/** A bar and the name of its stage. */
export type Block = ListedBar & { readonly evidence?: string; readonly stageName?: string | undefined };

/**
 * Who may not connect. Once a call that bars somebody has returned, none of the player's connections is welcomed, on any node,
 * except those that it names as failures; once one that lets somebody in has returned, none is refused because of what it
 * ended.
 *
 * All throw `not_found` for a game or stage that is unknown or being deleted, `validation` for what contradicts itself, has
 * passed, or is longer than players may be told, and those that change something an `internal`
 * that may be tried again when the store or the directory is not available. What is stored by then comes into force as soon
 * as the directory is back.
 */
export interface Blocks {
  /** Blocks the player, or changes the block, and ends the player's connections. */
  block(
    player: BlockedPlayer,
    asked: Wording & Duration,
    change: Change,
  ): Promise<{ readonly block: BarRecord; readonly ended: DisconnectResult }>;
  /** Does nothing for a player who is not blocked; says whether they were. */
  unblock(player: BlockedPlayer, change: Change): Promise<boolean>;
  /** The block, unless it has ended; throws `not_found` without one. */
  get(player: BlockedPlayer): Promise<BarRecord>;
  /** The blocks in a stage, without their evidence, in pages that end early when they have many bytes; without a stage, those of a whole game and in each of its stages. */
  list(place: NamedPlace, page: PageRequest): Promise<Page<Block>>;
  /** Refuses the player's tokens that were issued before now, and ends the connections, unless they are to go on. */
  revokeTokens(
    player: BlockedPlayer,
    asked: Wording & { readonly keepsConnections: boolean },
    change: Change,
  ): Promise<{ readonly revocation: BarRecord; readonly ended: DisconnectResult }>;
}

/** How many blocks are read at once, which takes a fraction of a millisecond. */
const READ_AT_ONCE = 10;
/** What a block has beside its texts. */
const BYTES_BESIDE = 400;

function bytesOf({ reason, messages }: ListedBar): number {
  return BYTES_BESIDE + [reason, ...Object.values(messages)].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** A token lives no longer, whatever the settings say. */
const LONGEST_TOKEN_MS = 3_650 * 86_400_000;

export function createBlocks({
  store,
  blocking,
  changes,
  audit,
  paginate,
  turn,
  clock,
  settings,
}: {
  store: { readonly bars: Pick<Store['bars'], 'list'>; readonly stages: Pick<Store['stages'], 'findById'> };
  blocking: Blocking;
  changes: BarChanges;
  audit: Audit;
  paginate: Paginate;
  turn: ListTurn;
  clock: Clock;
  settings: { readonly maxFrameBytes: number };
}): Blocks {
  const about = ({ playerId }: BlockedPlayer, change: Change, details: Change['details'] = {}): Change => ({
    ...{ playerId, ...change },
    ...(Object.keys(details).length > 0 && { details: { ...change.details, ...details } }),
  });

  return {
    async block(player, asked, change) {
      const terms = blocking.termsOf(asked);
      const { evidence } = terms;
      return await audit.around(
        about(player, change, detailsOf({ farewell: blocking.farewell(terms), evidence })),
        () => blocking.block(player, terms, change),
        ({ ended }) => onRecord(ended),
      );
    },

    unblock: (player, change) => audit.around(about(player, change), () => blocking.unblock(player, change)),

    async get(player) {
      const found = await changes.find('block', await changes.getScope(player));
      if (found !== undefined) return found;
      const where = player.stageName === undefined ? 'the whole game' : `stage "${player.stageName}"`;
      throw new ServiceError(
        'not_found',
        `player "${player.playerId}" is not blocked in ${where}: ListBlocks shows who is`,
      );
    },

    async list(place, request) {
      const { gameId, stageId } = await changes.getScope(place);
      const scope = { kind: 'block', gameId, stageId } as const;
      const page = await paginate(`ListBlocks ${gameId} ${stageId ?? ''}`, request, {
        bytesOf,
        list: async ({ after, limit }) => {
          const found: ListedBar[] = [];
          let bytes = 0;
          for (let from = after; ; ) {
            await turn();
            const step = Math.min(READ_AT_ONCE, limit - found.length);
            const { bars: some, next } = await store.bars.list(scope, clock.now(), {
              ...(from !== undefined && { after: from }),
              limit: step,
            });
            found.push(...some);
            bytes += some.reduce((sum, bar) => sum + bytesOf(bar), 0);
            // One more than the page has room for says that there are more.
            if (next === undefined || found.length === limit || (bytes > MAX_PAGE_BYTES && found.length > 1))
              return found;
            from = next;
          }
        },
      });
      const ids = new Set(page.items.flatMap((bar) => bar.stageId ?? []));
      const names = new Map<string, string | undefined>();
      for (const id of ids) names.set(id, (await store.stages.findById(id))?.name);
      return { ...page, items: page.items.map((bar) => ({ ...bar, stageName: names.get(bar.stageId ?? '') })) };
    },

    async revokeTokens(player, { keepsConnections, ...wording }, change) {
      const { reason = '', messages = {}, evidence } = wording;
      const farewell = farewellOfBar({ kind: 'revocation', reason, messages, until: undefined });
      checkFarewell(farewell, settings);
      checkWording(wording);
      return await audit.around(
        about(player, change, detailsOf({ farewell, evidence })),
        async () => {
          const scope = await changes.getScope(player);
          const now = Math.floor(clock.now());
          const times = { until: now + LONGEST_TOKEN_MS, signedInBefore: now };
          const terms = { ...wording, ...times, endsConnections: !keepsConnections };
          const { record, ended } = await changes.set('revocation', scope, terms, { change });
          return { revocation: record, ended };
        },
        ({ ended }) => onRecord(ended),
      );
    },
  };
}
