import type { Clock } from '../../clock.ts';
import type { Sealer } from '../../keyring.ts';
import type { EventFilter } from '../../store/events/event-log.ts';
import type { WebhookRecord } from '../../store/webhooks.ts';

/** A webhook as deliveries use it: which events go to which URL. */
export interface Receiver {
  readonly id: string;
  readonly gameId: string;
  readonly gameName: string;
  readonly url: string;
  readonly filter: EventFilter;
  /** The secrets that deliveries are signed with, the newest first. */
  readonly secrets: readonly Uint8Array[];
}

export function receiverOf(
  webhook: WebhookRecord,
  { sealer, clock }: { sealer: Sealer; clock: Pick<Clock, 'now'> },
): Receiver {
  const { id, gameId, gameName, url, stages, types } = webhook;
  return {
    id,
    gameId,
    gameName,
    url,
    filter: { stages, types },
    secrets: secretsOf(webhook, { sealer, nowMs: clock.now() }),
  };
}

/** The secrets that a receiver may know, the newest first. */
export function secretsOf(
  { id, sealedSecret, sealedFormerSecret, formerUntil }: WebhookRecord,
  { sealer, nowMs }: { sealer: Sealer; nowMs: number },
): Uint8Array[] {
  const isFormerValid = sealedFormerSecret !== undefined && (formerUntil ?? 0) > nowMs;
  return [sealedSecret, ...(isFormerValid ? [sealedFormerSecret] : [])].map((sealed) => {
    const secret = sealer.open(sealed, id);
    if (secret === undefined)
      throw new Error(`the secret of webhook ${id} was not sealed with this server's secret key`);
    return secret;
  });
}
