/**
 * What came of one attempt. `to_be_retried`: it is tried again. `given_up`: it is not. `switched_off`: it ended the whole
 * webhook, and the event waits until that is enabled.
 */
export type AttemptOutcome = 'delivered' | 'to_be_retried' | 'given_up' | 'switched_off';

/** One attempt to send an event to a webhook: plain data, because nodes tell each other. Times are milliseconds since 1970. */
export interface DeliveryAttempt {
  readonly eventId: string;
  readonly eventType: string;
  /** The event's, in the log of its game. */
  readonly position: number;
  /** When it began, and how long it took. */
  readonly at: number;
  readonly tookMs: number;
  /** Counted from 1 since the node that sends has read the event. */
  readonly number: number;
  /** What was answered; undefined when nothing was. */
  readonly status?: number | undefined;
  /** Why it was not accepted, for people; undefined when it was. */
  readonly error?: string | undefined;
  readonly outcome: AttemptOutcome;
  /** Until when the event waits, as far as that was known then; only with `to_be_retried`. */
  readonly retryAt?: number | undefined;
}
