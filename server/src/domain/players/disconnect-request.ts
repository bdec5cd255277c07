import { encode, FAREWELL } from '@respark/protocol';
import type { FarewellWords } from '../../disconnect-order.ts';
import { ServiceError } from '../../errors.ts';
import type { ConnectionSelection } from './disconnect.ts';

/** What a call may ask of a disconnect, beside the player. */
export interface DisconnectRequest {
  /** What the close frame says in words. */
  readonly closeText?: string | undefined;
  /** What clients that have been welcomed hear before it. */
  readonly farewell?: FarewellWords | undefined;
  /** What the staff know of the matter: it is for the audit record alone, never for the player or the log. */
  readonly evidence?: string | undefined;
  readonly selection?: ConnectionSelection | undefined;
  /** Whether to close nothing, and only list what would be closed. */
  readonly isDryRun?: boolean | undefined;
  /** Whether the result has the outcome of each connection. */
  readonly isDetailed?: boolean | undefined;
}

/** What a farewell's texts may add up to, with everything around them: half of what a client may send by default. */
const MAX_FAREWELL_BYTES = 8_192;

/** A request id is a UUID. */
const REQUEST_ID_BYTES = 36;

/** Throws a `validation` for what contradicts itself, or what would be longer than a frame may be. */
export function checkDisconnectRequest(
  { farewell, selection }: DisconnectRequest,
  { maxFrameBytes }: { readonly maxFrameBytes: number },
): void {
  if (selection?.only !== undefined && selection.except !== undefined) {
    throw new ServiceError('validation', 'Give ConnectionIds or ExceptConnectionIds, not both');
  }
  if (farewell !== undefined) checkFarewell(farewell, { maxFrameBytes });
}

/** Throws a `validation` for two texts at once, and for more than a farewell may be. */
export function checkFarewell(farewell: FarewellWords, { maxFrameBytes }: { readonly maxFrameBytes: number }): void {
  if (farewell.message !== undefined && farewell.messages !== undefined) {
    throw new ServiceError('validation', 'Give Message, or Messages with a text for each locale, not both');
  }
  const frame = encode({ kind: 'notification', type: FAREWELL, payload: { ...farewell, requestId: '' } });
  const bytes = Buffer.byteLength(frame) + REQUEST_ID_BYTES;
  const maxBytes = Math.min(MAX_FAREWELL_BYTES, maxFrameBytes);
  if (bytes <= maxBytes) return;
  throw new ServiceError(
    'validation',
    `What the player is told takes ${bytes} bytes, and may take ${maxBytes} on this server: shorten Message or Messages`,
  );
}

/** What the audit record says of the request; undefined if there is nothing to say. */
export function detailsOf(request: DisconnectRequest): Readonly<Record<string, string>> | undefined {
  const { farewell, selection, evidence, isDryRun } = request;
  const details = {
    ...(farewell?.reason !== undefined && { reason: farewell.reason }),
    ...(selection?.only !== undefined && { connectionIds: selection.only.join(' ') }),
    ...(selection?.except !== undefined && { exceptConnectionIds: selection.except.join(' ') }),
    ...(isDryRun && { dryRun: 'true' }),
    ...(evidence !== undefined && { evidence }),
  };
  return Object.keys(details).length === 0 ? undefined : details;
}
