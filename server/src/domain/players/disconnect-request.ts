import { encode, FAREWELL } from '@respark/protocol';
import type { FarewellWords } from '../../disconnect-order.ts';
import { ServiceError } from '../../errors.ts';
import type { AuditOutcome } from '../../store/audit/audit-log.ts';
import type { Duration, Wording } from './bars/bar-changes.ts';
import type { ConnectionSelection, DisconnectResult } from './disconnect.ts';

/** What a call may ask of a disconnect, beside the player. */
export interface DisconnectRequest {
  /** What the close frame says in words. */
  readonly closeText?: string | undefined;
  /** What clients that have been welcomed hear before it. */
  readonly farewell?: FarewellWords | undefined;
  /** What the staff know of the matter: it is for the audit record alone, never for the player or the log. */
  readonly evidence?: string | undefined;
  readonly selection?: ConnectionSelection | undefined;
  /** For how long the player is kept out too, beginning before the connections are listed, and what is said of that. */
  readonly block?: (Wording & Duration) | undefined;
  /** Whether to close nothing, and only list what would be closed. */
  readonly isDryRun?: boolean | undefined;
  /** Whether the result has the outcome of each connection. */
  readonly isDetailed?: boolean | undefined;
}

/** What a farewell's texts may add up to, with everything around them: half of what a client may send by default. */
const MAX_FAREWELL_BYTES = 8_192;

/** What the audit record calls a text for the player. */
const TOLD = 'told';

/** A request id is a UUID. */
const REQUEST_ID_BYTES = 36;

/** Throws a `validation` for what contradicts itself, or what would be longer than a frame may be. */
export function checkDisconnectRequest(
  { farewell, selection, block }: DisconnectRequest,
  { maxFrameBytes }: { readonly maxFrameBytes: number },
): void {
  if (selection?.only !== undefined && selection.except !== undefined) {
    throw new ServiceError('validation', 'Give ConnectionIds or ExceptConnectionIds, not both');
  }
  if (block?.until !== undefined && block.seconds !== undefined) {
    throw new ServiceError('validation', 'Give BlockUntil or BlockSeconds, not both');
  }
  if (block !== undefined && selection !== undefined) {
    throw new ServiceError(
      'validation',
      'A block ends all connections of the player: leave out ConnectionIds and ExceptConnectionIds, or the block',
    );
  }
  if (farewell !== undefined) checkFarewell(farewell, { maxFrameBytes });
}

/** Throws a `validation` for more than a farewell may be. */
export function checkFarewell(farewell: FarewellWords, { maxFrameBytes }: { readonly maxFrameBytes: number }): void {
  const frame = encode({ kind: 'notification', type: FAREWELL, payload: { ...farewell, requestId: '' } });
  const bytes = Buffer.byteLength(frame) + REQUEST_ID_BYTES;
  const maxBytes = Math.min(MAX_FAREWELL_BYTES, maxFrameBytes);
  if (bytes <= maxBytes) return;
  throw new ServiceError(
    'validation',
    `What the player is told takes ${bytes} bytes, and may take ${maxBytes} on this server: shorten Message or Messages`,
  );
}

/**
 * What the audit record says of the request, with what the player is told, which `checkDisconnectRequest` bounds; undefined
 * if there is nothing to say.
 */
export function detailsOf(request: DisconnectRequest): Readonly<Record<string, string>> | undefined {
  const { farewell, selection, evidence, isDryRun, block } = request;
  const details = {
    ...(farewell !== undefined && detailsOfFarewell(farewell)),
    ...(block !== undefined && { block: 'true' }),
    ...(selection?.only !== undefined && { connectionIds: selection.only.join(' ') }),
    ...(selection?.except !== undefined && { exceptConnectionIds: selection.except.join(' ') }),
    ...(isDryRun && { dryRun: 'true' }),
    ...(evidence !== undefined && { evidence }),
  };
  return Object.keys(details).length === 0 ? undefined : details;
}

/** What the audit record says of the result: the outcome of each connection where the request asked for it. */
export function onRecord({
  successes,
  failures,
  connections,
}: DisconnectResult): Omit<AuditOutcome, 'error' | 'durationMs'> {
  if (connections === undefined) return { successes, failures };
  const each = connections.map(({ connectionId: id, ...facts }) => ({ id, ...facts }));
  return { successes, failures, connections: each };
}

function detailsOfFarewell({ reason, message, messages = {}, until }: FarewellWords): Record<string, string> {
  return {
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { [TOLD]: message }),
    ...Object.fromEntries(Object.entries(messages).map(([locale, text]) => [`${TOLD}.${locale}`, text])),
    ...(until !== undefined && { until: new Date(until).toISOString() }),
  };
}
