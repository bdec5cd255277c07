import type { DeliveryAttempt } from '../../delivery-attempt.ts';
import type { LoggedEvent } from '../../store/events/event-log.ts';
import { excerpt, MAX_SENTENCE_CHARACTERS } from '../../text.ts';
import type { SentEvent } from './send-event.ts';

export type Outcome = Pick<DeliveryAttempt, 'outcome' | 'retryAt'>;

/** The latest attempts of some webhooks to send events, as this process remembers them. */
export interface RecentAttempts {
  note(webhookId: string, attempt: DeliveryAttempt): void;
  /** The newest first, by when they began; none of a webhook that is not remembered. */
  of(webhookId: string): readonly DeliveryAttempt[];
  /** Forgets those of all other webhooks: a game that makes and deletes one after the other must not push out those of others. */
  keepOnly(webhookIds: ReadonlySet<string>): void;
}

export const MAX_ATTEMPTS_PER_WEBHOOK = 50;
/** With texts of the usual length, so many webhooks take some ten megabytes; those that have tried lately are kept. */
const MAX_WEBHOOKS = 1_000;

export function createRecentAttempts(): RecentAttempts {
  /** The webhook that has tried last is the last; its newest attempt is the last too. */
  const attempts = new Map<string, DeliveryAttempt[]>();
  return {
    note(webhookId, attempt) {
      const own = attempts.get(webhookId) ?? [];
      own.push(attempt);
      if (own.length > MAX_ATTEMPTS_PER_WEBHOOK) own.shift();
      attempts.delete(webhookId);
      attempts.set(webhookId, own);
      if (attempts.size <= MAX_WEBHOOKS) return;
      for (const longestAgo of attempts.keys()) {
        attempts.delete(longestAgo);
        return;
      }
    },
    of: (webhookId) => newestFirst(attempts.get(webhookId) ?? []),
    keepOnly(webhookIds) {
      for (const id of attempts.keys()) if (!webhookIds.has(id)) attempts.delete(id);
    },
  };
}

/** What several nodes remember, in one list as long as that of one node. */
export function mergeAttempts(lists: readonly (readonly DeliveryAttempt[])[]): readonly DeliveryAttempt[] {
  return lists
    .flat()
    .sort((a, b) => b.at - a.at)
    .slice(0, MAX_ATTEMPTS_PER_WEBHOOK);
}

function newestFirst(attempts: readonly DeliveryAttempt[]): DeliveryAttempt[] {
  return [...attempts].reverse().sort((a, b) => b.at - a.at);
}

/** What is remembered of an attempt: nothing of the event’s data, and of a text no more than a sentence. */
export function attemptOf(
  {
    event,
    position,
    number,
    at,
    tookMs,
  }: Pick<DeliveryAttempt, 'position' | 'number' | 'at' | 'tookMs'> & {
    event: Pick<LoggedEvent, 'id' | 'type'>;
  },
  { isAccepted, status, message }: SentEvent,
  { outcome, retryAt }: Outcome,
): DeliveryAttempt {
  const error = isAccepted ? undefined : excerpt(message, MAX_SENTENCE_CHARACTERS);
  const whole = { tookMs: Math.round(tookMs), retryAt: retryAt && Math.ceil(retryAt) };
  return { eventId: event.id, eventType: event.type, position, at, number, status, error, outcome, ...whole };
}
