import type { Clock } from '../../../clock.ts';
import type { Cluster } from '../../../cluster/cluster.ts';
import type { Log } from '../../../log.ts';
import { createPauses } from '../../../pauses.ts';
import type { DisconnectJobRecord } from '../../../store/disconnect-jobs.ts';
import type { Store } from '../../../store/store.ts';
import { CONFIRM_WITHIN_MS, isOverdue } from './disconnect-job-decisions.ts';

/** How often a node looks for such jobs. */
const LOOK_PERIOD_MS = 60_000;
/** Each look cancels so many at most, and the next look others. */
const CANCELLED_AT_ONCE = 100;

/**
 * Cancels the jobs that were not confirmed in time: they cannot be confirmed any more, and would keep their places for good.
 * Every node looks for them, and the node that changes a job's record tells of its end.
 */
export interface UnconfirmedJobs {
  /** Looks now, and again and again until `close`. A second call changes nothing. */
  watch(): void;
  /** Resolves when no look is under way. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export function createUnconfirmedJobs({
  store,
  cluster,
  clock,
  log,
  ended,
}: {
  store: Store;
  cluster: Pick<Cluster, 'node'>;
  clock: Clock;
  log: Pick<Log, 'warn'>;
  /** Called once the end is on disk. Must not reject. */
  ended: (job: DisconnectJobRecord) => Promise<void>;
}): UnconfirmedJobs {
  const pauses = createPauses(clock);
  let looking = Promise.resolve();
  let watching: Promise<void> | undefined;

  async function cancel({ stageId, id }: DisconnectJobRecord): Promise<void> {
    const at = clock.now();
    const job = await store.transaction(async ({ disconnectJobs }) => {
      const found = await disconnectJobs.find(stageId, id);
      // It was confirmed or cancelled meanwhile, or another node was first.
      if (found === undefined || !isOverdue(found, at)) return undefined;
      await disconnectJobs.update(id, { state: 'CANCELLED', claimedBy: cluster.node, updatedAt: at });
      return found;
    });
    // A job that awaits its confirmation has no connection on its way to its end.
    if (job !== undefined) await ended(job);
  }

  async function look(): Promise<void> {
    try {
      const jobs = await store.disconnectJobs.listUnconfirmed(clock.now() - CONFIRM_WITHIN_MS, CANCELLED_AT_ONCE);
      for (const job of jobs) if (!pauses.isEnded) await cancel(job);
    } catch (err) {
      log.warn(
        { err },
        'jobs that were not confirmed in time could not be cancelled, which is tried again in a minute',
      );
    }
  }

  async function keepLooking(): Promise<void> {
    while (!pauses.isEnded) {
      looking = look();
      await looking;
      await pauses.pause(LOOK_PERIOD_MS);
    }
  }

  return {
    watch() {
      watching ??= keepLooking();
    },
    settled: () => looking,
    async close() {
      pauses.end();
      await watching;
    },
  };
}
