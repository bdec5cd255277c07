import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { collectHeaders, type HttpRequest } from '../../http/exchange.ts';
import { putNewest } from '../../newest-entries.ts';
import { excerpt } from '../../text.ts';
import { keeping, percentEncoded } from '../percent-encoding.ts';
import type { Reading } from './readings.ts';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
export const SERVICE = 'gamesparks';
export const TERMINATOR = 'aws4_request';

/** Why a request is not authenticated. AWS services answer all of these with status 403 in the REST-JSON protocol. */
export interface SignatureRefusal {
  readonly name:
    | 'MissingAuthenticationTokenException'
    | 'IncompleteSignatureException'
    | 'UnrecognizedClientException'
    | 'InvalidSignatureException';
  /** May be shown to the caller: never holds a secret, a signature or a token. */
  readonly message: string;
}

/** An Authorization header whose form, scope and date are right. Its signature has not been verified yet. */
export interface ParsedAuthorization {
  readonly accessKeyId: string;
  /** `YYYYMMDD`. */
  readonly date: string;
  readonly region: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly timestamp: string;
  /** In lower case, sorted, and all in the request; `host` and the `x-amz-*` headers that this server reads are among them. */
  readonly signedHeaders: readonly string[];
  /** 64 lower-case hexadecimal digits. */
  readonly signature: string;
}

/** What a signature covers, besides the body. */
export type RequestLine = Pick<HttpRequest, 'method' | 'rawPath' | 'rawQuery' | 'headers'>;

/**
 * Returns the decoded names and values of a query in order, with `+` as a space; undefined when the query is not
 * percent-encoded UTF-8. Input must be read with this same function, so that the server obeys exactly what was signed.
 */
export function parseQuery(rawQuery: string): readonly (readonly [name: string, value: string])[] | undefined {
  if (rawQuery === '') return [];
  if (!/^[\x21-\x7e]*$/.test(rawQuery)) return undefined;
  try {
    return rawQuery
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const equals = pair.indexOf('=');
        const end = equals === -1 ? pair.length : equals;
        return [decode(pair.slice(0, end)), decode(pair.slice(end + 1))] as const;
      });
  } catch {
    return undefined; // The URIError of decodeURIComponent says nothing more.
  }
}

function decode(text: string): string {
  return /[%+]/.test(text) ? decodeURIComponent(text.replaceAll('+', ' ')) : text;
}

type SignedRequest = RequestLine & {
  readings: readonly Reading[];
  authorization: ParsedAuthorization;
  secretAccessKey: string;
  signingKeys: SigningKeyCache;
};

/** For an access key that does not exist or was revoked. It does not repeat the id, which may be a misplaced secret. */
export const UNRECOGNIZED_CLIENT: SignatureRefusal = {
  name: 'UnrecognizedClientException',
  message:
    'The security token included in the request is invalid: this server has no active access key with that id. Check AWS_ACCESS_KEY_ID or the profile in use.',
};

/**
 * Verifies that the holder of `secretAccessKey` signed exactly one of the readings of this request: its method, path,
 * query, signed headers and body. Returns that reading. `authorization` must come from `parseAuthorization` for the
 * same request; `payloadHash` is the SHA-256 of the body in lower-case hexadecimal digits.
 */
export function verifySignature(request: SignedRequest, payloadHash: string): Reading | SignatureRefusal {
  const claimedHash = request.headers.get('x-amz-content-sha256')?.[0];
  if (claimedHash !== undefined && claimedHash !== payloadHash) {
    return invalid(
      `The header x-amz-content-sha256 is '${excerpt(claimedHash)}', but the SHA-256 of the body received is '${payloadHash}'. Check that nothing between the client and the server changes the body.`,
    );
  }
  return verifySignatureOfHash(request, payloadHash);
}

/** The same for a body of which only the claimed SHA-256 is known, which costs little however long the body is. */
export function verifySignatureOfHash(request: SignedRequest, payloadHash: string): Reading | SignatureRefusal {
  const { method, rawPath, rawQuery, headers, readings, authorization, secretAccessKey, signingKeys } = request;
  const { signedHeaders } = authorization;
  const key = signingKeys.find(authorization, secretAccessKey) ?? signingKey(authorization, secretAccessKey);
  const signature = Buffer.from(authorization.signature, 'hex');
  const canonical = canonicalRequests({ method, rawQuery, headers, signedHeaders, payloadHash });
  const signed = readings.find((reading) => {
    const text = stringToSign(authorization, canonical(reading));
    return timingSafeEqual(createHmac('sha256', key).update(text).digest(), signature);
  });
  if (signed === undefined) {
    const [host = ''] = headers.get('host') ?? [];
    return invalid(
      `The request signature we calculated does not match the signature you provided. Check the secret access key of '${excerpt(authorization.accessKeyId)}', and that nothing between the client and the server changes the method, path, query, body or a signed header (${signedHeaders.join(';')}). The path came as '${excerpt(rawPath)}' and the Host as '${excerpt(host)}': if the client sent others, docs/deploying.md says how to set up the proxy.`,
    );
  }
  signingKeys.remember(authorization, secretAccessKey, key);
  return signed;
}

/**
 * Returns the headers to add to a request so that `verifySignature` accepts it. Signs `headers`, and the Host header
 * that Node's HTTP clients send for `url`; `nowMs` is milliseconds since 1970.
 */
export function signRequest(request: {
  method: string;
  url: URL;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array;
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
  nowMs: number;
}): Record<'authorization' | 'x-amz-content-sha256' | 'x-amz-date', string> {
  const { url, accessKeyId, region } = request;
  const timestamp = toBasicIso(request.nowMs);
  const payloadHash = hash('sha256', request.body ?? new Uint8Array(), 'hex');
  const added = { 'x-amz-content-sha256': payloadHash, 'x-amz-date': timestamp };
  const headers = collectHeaders(Object.entries({ ...request.headers, host: url.host, ...added }).flat());
  const signedHeaders = [...headers.keys()].sort();
  const scope = { date: timestamp.slice(0, 8), region, timestamp };
  const canonical = canonicalRequests({
    method: request.method,
    rawQuery: url.search.slice(1),
    headers,
    signedHeaders,
    payloadHash,
  })({ host: url.host, path: url.pathname });
  const signature = createHmac('sha256', signingKey(scope, request.secretAccessKey))
    .update(stringToSign(scope, canonical))
    .digest('hex');
  const credential = `${accessKeyId}/${credentialScope(scope)}`;
  return {
    ...added,
    authorization: `${ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`,
  };
}

/** Signing keys of callers that have proved their secret, so that other callers cannot push those keys out. */
export interface SigningKeyCache {
  /** Undefined also when the key derives from another secret, so a new secret never gets the old secret's key. */
  find(scope: KeyScope, secretAccessKey: string): KeyObject | undefined;
  /** When the cache is full, forgets the key that was used longest ago. */
  remember(scope: KeyScope, secretAccessKey: string, key: KeyObject): void;
}

export type KeyScope = Pick<ParsedAuthorization, 'accessKeyId' | 'date' | 'region'>;

export function createSigningKeyCache({ maxEntries }: { maxEntries: number }): SigningKeyCache {
  const entries = new Map<string, { secretAccessKey: string; key: KeyObject }>();
  const nameOf = ({ accessKeyId, date, region }: KeyScope) => `${accessKeyId}/${date}/${region}`;
  return {
    find(scope, secretAccessKey) {
      const entry = entries.get(nameOf(scope));
      return entry?.secretAccessKey === secretAccessKey ? entry.key : undefined;
    },
    remember(scope, secretAccessKey, key) {
      putNewest(entries, nameOf(scope), { secretAccessKey, key }, maxEntries);
    },
  };
}

// The functions below follow the steps of the specification: canonical request → string to sign → signing key.

/** Returns the canonical request of each reading. What they share is made once, because clients can make it long. */
function canonicalRequests({
  method,
  rawQuery,
  headers,
  signedHeaders,
  payloadHash,
}: Omit<RequestLine, 'rawPath'> & { signedHeaders: readonly string[]; payloadHash: string }): (
  reading: Reading,
) => string {
  const query = canonicalQuery(rawQuery);
  const lines = signedHeaders.map((name) => `${name}:${canonicalValue(headers.get(name) ?? [])}`);
  const hostLine = signedHeaders.indexOf('host');
  const names = signedHeaders.join(';');
  const paths = new Map<string, string>();
  return ({ host, path }) => {
    const canonical = paths.get(path) ?? canonicalPath(path);
    paths.set(path, canonical);
    return [
      method,
      canonical,
      query,
      ...lines.with(hostLine, `host:${canonicalValue([host])}`),
      '',
      names,
      payloadHash,
    ].join('\n');
  };
}

/** Every service except S3 encodes the encoded path again, so a `%3A` on the wire is signed as `%253A`. */
function canonicalPath(rawPath: string): string {
  return percentEncoded(rawPath, OF_PATHS);
}

function canonicalQuery(rawQuery: string): string {
  return (parseQuery(rawQuery) ?? [])
    .map(([name, value]) => [percentEncoded(name, OF_QUERIES), percentEncoded(value, OF_QUERIES)] as const)
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** Only spaces and tabs are folded. Other white space, such as a no-break space, is part of the value that handlers read. */
function canonicalValue(values: readonly string[]): string {
  return values.map((value) => value.replace(/[ \t]+/g, ' ').replace(/^ | $/g, '')).join(',');
}

function stringToSign(scope: Omit<KeyScope, 'accessKeyId'> & { timestamp: string }, canonical: string): string {
  return [ALGORITHM, scope.timestamp, credentialScope(scope), hash('sha256', canonical, 'hex')].join('\n');
}

function credentialScope({ date, region }: { date: string; region: string }): string {
  return `${date}/${region}/${SERVICE}/${TERMINATOR}`;
}

/** Returns a KeyObject, because Node.js 24 is ten times slower with the same key as plain bytes. */
function signingKey({ date, region }: { date: string; region: string }, secretAccessKey: string): KeyObject {
  let key = createSecretKey(`AWS4${secretAccessKey}`, 'utf8');
  for (const part of [date, region, SERVICE, TERMINATOR]) {
    key = createSecretKey(createHmac('sha256', key).update(part).digest());
  }
  return key;
}

/** Everything is encoded except the unreserved characters of RFC 3986, and the slashes between the parts of a path. */
const OF_QUERIES = keeping('\\w.~-');
const OF_PATHS = keeping('\\w.~/-');

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A time in milliseconds since 1970 as YYYYMMDDTHHMMSSZ. Years outside 0 to 9999 give another form. */
export function toBasicIso(ms: number): string {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`;
}

export function invalid(message: string): SignatureRefusal {
  return { name: 'InvalidSignatureException', message };
}
