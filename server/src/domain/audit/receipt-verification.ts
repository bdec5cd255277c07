import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { parseJson } from '@respark/protocol';
import { jwkOf, thumbprintOf } from '../installation.ts';

/** The `typ` of a receipt's header, so that no other statement of this key passes for one. */
export const RECEIPT_TYPE = 'respark-receipt+jws';

interface ReceiptLink {
  readonly link: number;
  readonly hash: string;
  readonly digest: string;
}

/** What a receipt says. */
export interface ReceiptPayload {
  readonly version: 1;
  readonly installation: string;
  readonly requestId: string;
  /** ISO 8601. */
  readonly time: string;
  readonly cause: string;
  readonly actor: string;
  readonly operation: string;
  readonly resource: string;
  readonly game?: string;
  readonly stage?: string;
  readonly player?: string;
  /** What else is on record, such as a reason; nothing that is for the staff alone. */
  readonly details?: Readonly<Record<string, string>>;
  /** As it is on record; null when it was not known yet. */
  readonly outcome: ReceiptOutcome | null;
  /** Where the record is in the audit log. */
  readonly chain: {
    readonly id: string;
    readonly writer: string;
    readonly intent: ReceiptLink | null;
    readonly outcome: ReceiptLink | null;
  };
}

export interface ReceiptOutcome {
  readonly result: 'done' | 'failed';
  readonly error?: string;
  readonly durationMs?: number;
  readonly successes?: readonly string[] | undefined;
  readonly failures?: readonly string[] | undefined;
  readonly [fact: string]: unknown;
}

/** Why a text is no receipt that the key has signed. */
export class ReceiptFault extends Error {
  override readonly name = 'ReceiptFault';
}

/** A public key from a JWK or PEM text. Throws a `ReceiptFault` for anything that is no Ed25519 key. */
export function readReceiptKey(text: string): KeyObject {
  let key: KeyObject;
  try {
    const json = text.trimStart().startsWith('{') ? Object(parseJson(text)) : undefined;
    // The key may be in the reply that a server gave it in.
    key = createPublicKey(json === undefined ? text : { key: json.Jwk ?? json.jwk ?? json, format: 'jwk' });
  } catch (cause) {
    throw new ReceiptFault('the key is neither a JWK nor a PEM', { cause });
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new ReceiptFault(`the key is for ${key.asymmetricKeyType}, but receipts are signed with Ed25519`);
}

/** What a receipt says, if this key has signed it. Throws a `ReceiptFault` that says what is wrong with it. */
export function readReceipt(text: string, key: KeyObject): ReceiptPayload {
  const { header, payload, signed, signature } = partsOf(text);
  const { alg, typ, kid } = header;
  if (alg !== 'EdDSA') throw new ReceiptFault(`it is signed with the algorithm ${JSON.stringify(alg)}, not with EdDSA`);
  if (typ !== RECEIPT_TYPE) throw new ReceiptFault(`it is no receipt, but a ${JSON.stringify(typ)}`);
  if (header.crit !== undefined) throw new ReceiptFault('its header has critical members that are not known here');
  const keyId = thumbprintOf(jwkOf(key));
  if (kid !== keyId)
    throw new ReceiptFault(`it was signed with the key ${JSON.stringify(kid)}, and the given one is ${keyId}`);
  if (!verify(null, signed, key, signature))
    throw new ReceiptFault('its signature is not that of the key: it was changed');
  if (payload.version !== 1)
    throw new ReceiptFault(`it has the version ${JSON.stringify(payload.version)}, and only 1 is known here`);
  if (!isPayload(payload))
    throw new ReceiptFault('it does not say what a receipt says, although the key has signed it');
  return payload as unknown as ReceiptPayload;
}

type Json = Readonly<Record<string, unknown>>;

const TEXTS = ['installation', 'requestId', 'time', 'cause', 'actor', 'operation', 'resource'];

/** The holder of the key may have signed anything with it. */
function isPayload(payload: Json): boolean {
  const { details = {}, outcome, chain } = payload;
  const { successes = [], failures = [], connections = [] } = Object(outcome) as Json;
  return (
    TEXTS.every((name) => typeof payload[name] === 'string') &&
    isObject(details) &&
    (outcome === null || isObject(outcome)) &&
    [successes, failures].every((ids) => Array.isArray(ids)) &&
    (!Array.isArray(connections) || connections.every(isObject)) &&
    isObject(chain) &&
    [chain.intent, chain.outcome].every((link) => link === null || isObject(link))
  );
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}

function partsOf(text: string): { header: Json; payload: Json; signed: Buffer; signature: Buffer } {
  const parts = text.trim().split('.');
  const [header = '', payload = '', signature = ''] = parts;
  if (parts.length !== 3) throw new ReceiptFault('it is no receipt: it has not three parts with dots between them');
  return {
    header: jsonOf(header, 'header'),
    payload: jsonOf(payload, 'payload'),
    signed: Buffer.from(`${header}.${payload}`),
    signature: bytesOf(signature, 'signature'),
  };
}

/** Decoders skip what is no base64url, so that many texts would pass for one. */
function bytesOf(part: string, name: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') === part) return bytes;
  throw new ReceiptFault(`it is no receipt: its ${name} is not base64url`);
}

function jsonOf(part: string, name: string): Json {
  try {
    const value: unknown = parseJson(bytesOf(part, name).toString('utf8'));
    if (isObject(value)) return value;
  } catch (error) {
    if (error instanceof ReceiptFault) throw error;
  }
  throw new ReceiptFault(`it is no receipt: its ${name} is not JSON`);
}
