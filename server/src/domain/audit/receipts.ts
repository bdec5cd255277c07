import { type Clock, withTimeout } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import type { AuditedConnection, AuditItemPlace, AuditLog, PlacedRecord } from '../../store/audit/audit-log.ts';
import type { Installation } from '../installation.ts';
import { RECEIPT_TYPE, type ReceiptPayload } from './receipt-verification.ts';

/** A receipt waits so long for its record to be in the chain. */
const SETTLE_MS = 2_000;
/** What of the details is for the staff alone. */
const NOT_IN_RECEIPTS = ['evidence'];

/** A receipt, or why there is none. */
export type ReceiptOrReason = { readonly receipt: string } | { readonly missing: string };

/** Signed statements about records of the audit log, which convince those who have the public key alone. */
export interface Receipts {
  /**
   * The receipt for the record of a call. Throws `not_found` when there is no such record, it is from before records were
   * chained, or not what was written into the chain, and a retryable `internal` while it cannot be moved there.
   */
  get(requestId: string): Promise<string>;
  /** The same for callers that must answer in any case. Never rejects. */
  receiptFor(requestId: string): Promise<ReceiptOrReason>;
  key(): Pick<Installation, 'id' | 'keyId' | 'publicJwk' | 'publicPem'>;
}

export function createReceipts({
  auditLog,
  installation,
  clock,
}: {
  auditLog: Pick<AuditLog, 'chain' | 'settle'>;
  installation: Installation;
  clock: Clock;
}): Receipts {
  /** A record may be removed for its age between the looks at it and at its links, so what does not fit is looked at twice. */
  async function place(requestId: string): Promise<PlacedRecord | undefined> {
    const placed = await auditLog.chain.place(requestId);
    return placed?.fits === false ? await auditLog.chain.place(requestId) : placed;
  }

  async function get(requestId: string): Promise<string> {
    try {
      await withTimeout(auditLog.settle(), SETTLE_MS, clock);
    } catch (cause) {
      const message = 'The audit log cannot take the record in at the moment, so there is no receipt yet. Try again.';
      throw new ServiceError('internal', message, { cause, retryAfterMs: 1_000 });
    }
    const placed = await place(requestId);
    if (placed === undefined) {
      throw new ServiceError(
        'not_found',
        'There is no record of this request. That of a call which another node took is there a second after its answer.',
      );
    }
    if (!placed.fits) {
      throw new ServiceError(
        'not_found',
        'There is no receipt: the record of this request does not fit the chain of the audit log, so the log was changed beside the server. "respark audit verify" says what was changed; keep a copy of the log, and restore it from a backup.',
      );
    }
    const chain = (await auditLog.chain.chains()).find(({ writer }) => writer === placed.writer);
    if (chain === undefined || placed.intent === undefined) {
      throw new ServiceError('not_found', 'The record of this request is from before records were chained.');
    }
    const { intent, outcome } = placed;
    const payload = payloadOf(placed, installation.id, { id: chain.id, writer: chain.writer, intent, outcome });
    return signed(payload, installation);
  }

  return {
    get,
    async receiptFor(requestId) {
      try {
        return { receipt: await get(requestId) };
      } catch (error) {
        const missing = error instanceof ServiceError ? error.message : 'The receipt could not be made.';
        return { missing };
      }
    },
    key: () => installation,
  };
}

/** A compact JWS, as RFC 7515 and RFC 8037 have it. A record has one receipt: what it says and signs is always the same. */
function signed(payload: ReceiptPayload, { keyId, sign }: Installation): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ alg: 'EdDSA', typ: RECEIPT_TYPE, kid: keyId })}.${encode(payload)}`;
  return `${text}.${Buffer.from(sign(Buffer.from(text))).toString('base64url')}`;
}

function payloadOf(
  { record }: PlacedRecord,
  installation: string,
  chain: { id: string; writer: string; intent: AuditItemPlace; outcome: AuditItemPlace | undefined },
): ReceiptPayload {
  const { requestId, at, cause, actor, operation, resource, playerId, details = {}, outcome } = record;
  const told = Object.entries(details).filter(([name]) => !NOT_IN_RECEIPTS.includes(name.toLowerCase()));
  const { error, connections, ...facts } = outcome ?? {};
  const result = error === undefined ? 'done' : 'failed';
  return {
    version: 1,
    ...{ installation, requestId, time: new Date(at).toISOString(), cause, actor, operation, resource },
    ...namesOf(resource),
    ...(playerId !== undefined && { player: playerId }),
    ...(told.length > 0 && { details: Object.fromEntries(told) }),
    outcome:
      outcome === undefined
        ? null
        : {
            ...{ result, ...(error !== undefined && { error }), ...facts },
            ...(connections !== undefined && { connections: connections.map(toConnection) }),
          },
    chain: { id: chain.id, writer: chain.writer, intent: linkOf(chain.intent), outcome: linkOf(chain.outcome) },
  };
}

/** Times are for people and for other programs, as the receipt's own is. */
function toConnection({ closedAt, createdAt, ...facts }: AuditedConnection) {
  return {
    ...facts,
    ...(closedAt !== undefined && { closedAt: new Date(closedAt).toISOString() }),
    ...(createdAt !== undefined && { createdAt: new Date(createdAt).toISOString() }),
  };
}

function linkOf(place: AuditItemPlace | undefined) {
  return place === undefined ? null : { link: place.number, hash: place.hash, digest: place.digest };
}

/** The game and the stage in an ARN, as far as there are any. */
function namesOf(resource: string): { game?: string; stage?: string } {
  const [, game, , stage] = /:game\/([^/]+)(\/stage\/([^/]+))?/.exec(resource) ?? [];
  return { ...(game !== undefined && { game }), ...(stage !== undefined && { stage }) };
}
