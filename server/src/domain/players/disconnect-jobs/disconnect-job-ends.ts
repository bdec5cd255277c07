import type { Clock } from '../../../clock.ts';
import type { Cluster } from '../../../cluster/cluster.ts';
import type { Log } from '../../../log.ts';
import type { DisconnectJobRecord } from '../../../store/disconnect-jobs.ts';
import type { Store } from '../../../store/store.ts';
import type { Arns } from '../../arn.ts';
import type { Audit, Change } from '../../audit/audit.ts';
import { type BackgroundWork, createBackground } from '../../background.ts';
import type { Events } from '../../events/events.ts';

/** How many ends one look reports; the next look reports the rest. */
const TOLD_AT_ONCE = 100;

export interface DisconnectJobEndParts {
  readonly store: Pick<Store, 'disconnectJobs' | 'stages'>;
  readonly cluster: Pick<Cluster, 'node' | 'isAlive'>;
  readonly audit: Pick<Audit, 'around'>;
  readonly events: Pick<Events, 'emit'>;
  readonly arns: Pick<Arns, 'stage'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Reports the ends of jobs: in the audit log, and as an event. The node that has to report an end is written in the job together
 * with the end, and stays there until it has done so. When it dies before that, another node reports the end; when it dies
 * after the report and before it could note that, the end is reported twice.
 */
export interface DisconnectJobEnds extends Omit<BackgroundWork, 'name'> {
  /** Reports one end. Resolves after the first attempt, and never rejects; a failure is tried again in the background. */
  tell(job: Pick<DisconnectJobRecord, 'id' | 'stageId'>): Promise<void>;
}

export function createDisconnectJobEnds(parts: DisconnectJobEndParts): DisconnectJobEnds {
  const { store, cluster, clock, log } = parts;
  const failure = 'the end of a disconnect job could not be put on record, which will be tried again';
  const background = createBackground({ clock, log, failure });
  const underWay = new Set<string>();
  /** Ids of jobs whose ends this process has reported, as long as the store does not know. */
  const told = new Set<string>();

  async function attempt({ stageId, id }: Pick<DisconnectJobRecord, 'id' | 'stageId'>): Promise<true> {
    const owner = cluster.node;
    const job = await store.disconnectJobs.find(stageId, id);
    if (job?.claimedBy === undefined || !hasEnded(job)) return true;
    if (job.claimedBy !== owner) {
      if (await cluster.isAlive(job.claimedBy)) return true;
      if (!(await store.disconnectJobs.handOverTelling(id, job.claimedBy, owner))) return true;
    }
    if (!told.has(id)) await announce(parts, job);
    told.add(id);
    await store.disconnectJobs.markTold(id, owner);
    told.delete(id);
    return true;
  }

  async function tell(job: Pick<DisconnectJobRecord, 'id' | 'stageId'>): Promise<void> {
    if (underWay.has(job.id)) return;
    underWay.add(job.id);
    let tried = () => {};
    const firstAttempt = new Promise<void>((resolve) => {
      tried = resolve;
    });
    const telling = background.run(job.id, () => attempt(job).finally(tried)).finally(() => underWay.delete(job.id));
    await Promise.race([firstAttempt, telling]);
  }

  return {
    tell,
    async resume() {
      for (const job of await store.disconnectJobs.listUntold(TOLD_AT_ONCE)) void tell(job);
    },
    settled: background.settled,
    close: background.close,
  };
}

function hasEnded({ state }: DisconnectJobRecord): boolean {
  return state === 'COMPLETED' || state === 'FAILED' || state === 'CANCELLED';
}

async function announce(
  { store, audit, events, arns }: DisconnectJobEndParts,
  { id, stageId, requestId, state, wish, closed, gone, unproven, silentNodes }: DisconnectJobRecord,
): Promise<void> {
  const stage = await store.stages.findById(stageId);
  if (stage === undefined) return;
  const { gameName, name: stageName } = stage;
  const counts = { closed, gone, unproven, silentNodes: silentNodes.length };
  const details = Object.entries(counts).map(([name, count]) => [name, String(count)]);
  // A caller who cancels a job leaves that wish in it; the hour that has passed does not.
  const isOverdue = state === 'CANCELLED' && wish !== 'CANCEL';
  const why = isOverdue ? { why: 'it was not confirmed within an hour' } : {};
  const change: Change = {
    ...{ requestId: id, cause: 'server', actor: 'disconnect job', sourceAddress: '', operation: 'DisconnectJob' },
    resource: arns.stage(gameName, stageName),
    details: { ...Object.fromEntries(details), state, startedBy: requestId, ...why },
  };
  await audit.around(change, () => {});
  events.emit({ type: 'job.finished', gameName, stageName, data: { jobId: id, kind: 'disconnect', state, counts } });
}
