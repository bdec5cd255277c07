import type { FarewellWords } from '../../../disconnect-order.ts';
import type { BarRecord } from '../../../store/bars.ts';
import type { Change } from '../../audit/audit.ts';
import type { Events } from '../../events/events.ts';
import type { DisconnectResult } from '../disconnect.ts';
import { checkFarewell } from '../disconnect-request.ts';
import { type BarChanges, checkWording, type Duration, type NamedPlace, type Wording } from './bar-changes.ts';
import { farewellOfBar } from './bars.ts';

/** A player in a stage, or in all stages of the game. */
export interface BlockedPlayer extends NamedPlace {
  readonly playerId: string;
}

/** What is said of a block, and when it ends; undefined for one that does not end by itself. */
export type BlockTerms = Wording & { readonly until: number | undefined };

/** How players are blocked and let in again, whichever call asks for it. The caller puts it on record. */
export interface Blocking {
  /** Throws `validation` for a time that has passed, and for more than players may be told. */
  termsOf(asked: Wording & Duration): BlockTerms;
  /** What players who are connected hear of a block. */
  farewell(terms: BlockTerms): FarewellWords;
  /** Blocks the player, and only then lists and ends the connections. */
  block(
    player: BlockedPlayer,
    terms: BlockTerms,
    change: Change,
    /** Whether the result has the outcome of each connection, which it has for one stage. */
    asked?: { readonly isDetailed?: boolean | undefined },
  ): Promise<{ readonly block: BarRecord; readonly ended: DisconnectResult }>;
  /** Says whether the player was blocked. */
  unblock(player: BlockedPlayer, change: Change): Promise<boolean>;
}

export function createBlocking({
  changes,
  events,
  settings,
}: {
  changes: Pick<BarChanges, 'getScope' | 'set' | 'lift' | 'endOf'>;
  events: Pick<Events, 'emit'>;
  settings: { readonly maxFrameBytes: number };
}): Blocking {
  const farewell = ({ reason = '', messages = {}, until }: BlockTerms) =>
    farewellOfBar({ kind: 'block', reason, messages, until });

  return {
    termsOf({ reason, messages, evidence, ...duration }) {
      const terms = { reason, messages, evidence, until: changes.endOf(duration) };
      checkFarewell(farewell(terms), settings);
      checkWording(terms);
      return terms;
    },

    farewell,

    async block({ gameName, stageName, playerId }, terms, change, { isDetailed } = {}) {
      const scope = await changes.getScope({ gameName, stageName, playerId });
      const { requestId, actor } = change;
      const { reason: reasonCode, until } = terms;
      const { record, ended } = await changes.set(
        'block',
        scope,
        { ...terms, signedInBefore: undefined, endsConnections: true },
        {
          ...{ change, isDetailed },
          // From then on the player is kept out, also when the directory is away.
          stored() {
            const end = until === undefined ? {} : { until: new Date(until).toISOString() };
            const data = { requestId, actor, reasonCode, ...end };
            events.emit({ type: 'player.blocked', gameName, stageName, playerId, data });
          },
        },
      );
      return { block: record, ended };
    },

    async unblock({ gameName, stageName, playerId }, { requestId, actor }) {
      const scope = await changes.getScope({ gameName, stageName, playerId });
      const data = { requestId, actor };
      return await changes.lift('block', scope, () =>
        events.emit({ type: 'player.unblocked', gameName, stageName, playerId, data }),
      );
    },
  };
}
