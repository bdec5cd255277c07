import type { BarRecord } from '../../../store/bars.ts';
import type { Audit, Change } from '../../audit/audit.ts';
import type { NamedStage } from '../../stages.ts';
import { detailsOf } from '../disconnect-request.ts';
import { type BarChanges, checkWording, type Duration, type Wording } from './bar-changes.ts';
import { farewellOfBar } from './bars.ts';

/** Stages that are closed to newcomers, for maintenance. Promises and throws as `Blocks` does. */
export interface StageAccess {
  /** Refuses everybody who comes to the stage, and sends away who is there, if that is asked for. */
  close(
    stage: NamedStage,
    asked: Wording & Duration & { readonly sendsAway: boolean },
    change: Change,
  ): Promise<BarRecord>;
  /** Says whether the stage was closed. */
  open(stage: NamedStage, change: Change): Promise<boolean>;
  /** Why the stage is closed; undefined while it is open. */
  findClosure(stage: NamedStage): Promise<BarRecord | undefined>;
}

export function createStageAccess({ changes, audit }: { changes: BarChanges; audit: Audit }): StageAccess {
  return {
    async close(stage, { sendsAway, ...asked }, change) {
      checkWording(asked);
      const until = changes.endOf(asked);
      return await audit.around(recorded(change, { ...asked, until, sendsAway }), async () => {
        const terms = { ...asked, until, signedInBefore: undefined, endsConnections: sendsAway };
        return (await changes.set('closure', await changes.getScope(stage), terms, { change })).record;
      });
    },

    open: (stage, change) =>
      audit.around(change, async () => await changes.lift('closure', await changes.getScope(stage))),

    findClosure: async (stage) => await changes.find('closure', await changes.getScope(stage)),
  };
}

/** Puts on record what was said, for how long, and whether everybody was sent away. */
function recorded(
  change: Change,
  {
    reason = '',
    messages = {},
    evidence,
    until,
    sendsAway,
  }: Wording & { until: number | undefined; sendsAway: boolean },
): Change {
  const farewell = { ...farewellOfBar({ kind: 'closure', reason, messages, until }), until };
  const details = { ...detailsOf({ farewell, evidence }), ...(sendsAway && { sendAway: 'true' }) };
  return Object.keys(details).length === 0 ? change : { ...change, details: { ...change.details, ...details } };
}
