import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Players } from '../domain/players/players.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { Metrics } from '../metrics.ts';
import type { RandomBytes } from '../random.ts';
import { answerBulkRequests } from './bulk-requests.ts';
import type { Connection, Why } from './connection.ts';
import { EndedByJobs } from './ended-by-jobs.ts';
import type { Membership } from './membership.ts';
import { answerCloseStage, answerNodeRequests } from './node-requests.ts';
import { answerSendAway } from './refusal.ts';
import { answerRehearse } from './rehearsal.ts';
import { answerNotifyStage } from './stage-notifications.ts';

/** Answers every request of other nodes, and of this one, about this node's connections. */
export function answerOtherNodes(parts: {
  readonly cluster: Cluster;
  readonly membership: Membership;
  /** Stops a connection in this turn. Settles when its end is proven and the directory no longer lists it. */
  readonly end: (connection: Connection, why: Why) => MaybePromise<void>;
  /** Has a connection neither read nor write for a time, after which it ends. */
  readonly silence: (connection: Connection, forMs: number) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly players: Pick<Players, 'forgetStage'>;
  readonly metrics: Pick<Metrics, 'forgetStage'>;
  readonly settings: { readonly probeTimeoutMs: number };
}): void {
  const { membership } = parts;
  const endedByJobs = new EndedByJobs();
  answerNodeRequests({ ...parts, endedByJobs });
  answerCloseStage(parts);
  answerBulkRequests({ ...parts, endedByJobs });
  answerRehearse({ ...parts, find: (id) => membership.find(id) });
  answerNotifyStage(parts);
  answerSendAway({ ...parts, ofStage: (stageId) => membership.ofStage(stageId) });
}
