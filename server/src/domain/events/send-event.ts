import type { Clock } from '../../clock.ts';
import type { LoggedEvent } from '../../store/events/event-log.ts';
import { toWire } from './event-filter.ts';
import type { WebhookPost } from './post-webhook.ts';
import { signatureHeaders } from './webhook-signing.ts';

/** What became of one attempt to send an event. */
export interface SentEvent {
  readonly isAccepted: boolean;
  /** Undefined when there was no answer. */
  readonly status: number | undefined;
  /** How long the receiver asks to be left alone. */
  readonly retryAfterMs: number | undefined;
  /** What was answered, or why nothing was, for people. */
  readonly message: string;
}

/** Posts an event once, signed with these secrets. Never rejects. */
export async function sendEvent(
  { event, url, secrets }: { event: LoggedEvent; url: string; secrets: readonly Uint8Array[] },
  { post, clock }: { post: Pick<WebhookPost, 'post'>; clock: Pick<Clock, 'now'> },
): Promise<SentEvent> {
  const body = JSON.stringify(toWire(event));
  const headers = signatureHeaders({ id: event.id, nowMs: clock.now(), body, secrets });
  try {
    const { status, retryAfterMs } = await post.post({ url, headers, body, game: event.game });
    const message = `the receiver answers with the status ${status}`;
    return { isAccepted: status >= 200 && status < 300, status, retryAfterMs, message };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { isAccepted: false, status: undefined, retryAfterMs: undefined, message };
  }
}
