import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/** How a secret is shown: once, to whom it is made for. */
export function showSecret(secret: Uint8Array): string {
  return `${PREFIX}${Buffer.from(secret).toString('base64')}`;
}

/**
 * The headers of the Standard Webhooks specification. With two secrets there are two signatures, so that a receiver may
 * know either of them while one takes the place of the other.
 */
export function signatureHeaders({
  id,
  nowMs,
  body,
  secrets,
}: {
  id: string;
  nowMs: number;
  body: string;
  secrets: readonly Uint8Array[];
}): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signed = `${id}.${timestamp}.${body}`;
  const signatures = secrets.map((secret) => `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`);
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}
