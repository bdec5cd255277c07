import type { Clock } from '../../clock.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { DeliveryAttempt } from '../../delivery-attempt.ts';
import type { EventLog } from '../../store/events/event-log.ts';
import type { WebhookRecord } from '../../store/webhooks.ts';
import { orUnavailable } from '../or-unavailable.ts';
import { mergeAttempts } from './recent-attempts.ts';

export interface WebhookDeliveries {
  /** The newest first. */
  readonly attempts: readonly DeliveryAttempt[];
  /** How many events wait; undefined while no node delivers the webhook. */
  readonly waiting: number | undefined;
}

export interface WebhookDeliveriesParts {
  readonly eventLog: Pick<EventLog, 'cursors'>;
  readonly cluster: Pick<Cluster, 'request' | 'requestAll'>;
  readonly clock: Clock;
  readonly settings: { readonly disconnectDeadlineMs: number };
}

/** How long a call waits for a node that is held up. */
const ANSWER_MS = 2_000;

/**
 * What the node says that delivers the webhook. While none does, because it is switched off or between two nodes, what all
 * of them remember, so that every node gives the same answer. Throws an `internal` that may be tried again when a node that
 * must be asked does not answer.
 */
export async function findDeliveries(
  { id: webhookId, state }: Pick<WebhookRecord, 'id' | 'state'>,
  parts: WebhookDeliveriesParts,
): Promise<WebhookDeliveries> {
  const { eventLog, cluster, clock, settings } = parts;
  const timeoutMs = Math.min(ANSWER_MS, settings.disconnectDeadlineMs);
  const request = { webhookId };
  // A node that died while it switched the webhook off is still the owner.
  const cursors = state === 'ENABLED' ? await eventLog.cursors() : [];
  const owner = cursors.find(({ receiver }) => receiver === webhookId)?.owner;
  if (owner === undefined) {
    const askAll = () => cluster.requestAll('describe_deliveries', request, timeoutMs);
    const replies = await orUnavailable('answer of a node that may have delivered it', askAll, timeoutMs, clock);
    return { attempts: mergeAttempts(replies.map(({ attempts }) => attempts)), waiting: undefined };
  }
  const ask = () => cluster.request(owner, 'describe_deliveries', request, timeoutMs);
  const { attempts, waiting } = await orUnavailable(`node ${owner}, which delivers it,`, ask, timeoutMs, clock);
  return { attempts, waiting };
}
