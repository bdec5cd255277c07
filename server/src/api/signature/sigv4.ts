import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { collectHeaders, type HttpRequest } from '../../http/exchange.ts';
import { excerpt } from '../../text.ts';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
export const SERVICE = 'gamesparks';
export const TERMINATOR = 'aws4_request';

/** Why a caller is not known; AWS services answer all of these with status 403 in the REST-JSON protocol. */
export interface SignatureRefusal {
  readonly name:
    | 'MissingAuthenticationTokenException'
    | 'IncompleteSignatureException'
    | 'UnrecognizedClientException'
    | 'InvalidSignatureException';
  /** May be shown to the caller: never holds a secret, a signature or a token. */
  readonly message: string;
}

/** An Authorization header whose form, scope and date are right; its signature is not yet verified. */
export interface ParsedAuthorization {
  readonly accessKeyId: string;
  /** `YYYYMMDD`. */
  readonly date: string;
  readonly region: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly timestamp: string;
  /** Lower case, sorted, present in the request, with `host` and every `x-amz-*` header among them. */
  readonly signedHeaders: readonly string[];
  /** 64 lower-case hexadecimal digits. */
  readonly signature: string;
}

/** What a signature covers, besides the body. */
export type RequestLine = Pick<HttpRequest, 'method' | 'rawPath' | 'rawQuery' | 'headers'>;

/**
 * The decoded names and values of a query in their order, `+` read as a space, or undefined when it is not
 * percent-encoded UTF-8. The handlers must read the query with this same function: what is signed is what is obeyed.
 */
export function parseQuery(rawQuery: string): readonly (readonly [name: string, value: string])[] | undefined {
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
    return undefined; // decodeURIComponent's URIError says nothing more
  }
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}

/** For an access key that does not exist or was revoked; does not repeat the id, which may be a secret in its place. */
export const UNRECOGNIZED_CLIENT: SignatureRefusal = {
  name: 'UnrecognizedClientException',
  message:
    'The security token included in the request is invalid: this server has no active access key of that id. Check AWS_ACCESS_KEY_ID or the profile in use.',
};

/**
 * Proves that the holder of `secretAccessKey` signed this very request: its method, path, query, signed headers and
 * body. `authorization` must come from `parseAuthorization` on the same request.
 */
export function verifySignature(
  request: RequestLine & {
    body: Uint8Array;
    authorization: ParsedAuthorization;
    secretAccessKey: string;
    signingKeys: SigningKeyCache;
  },
): SignatureRefusal | undefined {
  const { method, rawPath, rawQuery, headers, authorization, secretAccessKey, signingKeys } = request;
  const { signedHeaders } = authorization;
  const payloadHash = hash('sha256', request.body, 'hex');
  const claimedHash = headers.get('x-amz-content-sha256')?.[0];
  if (claimedHash !== undefined && claimedHash !== payloadHash) {
    return invalid(
      `The header x-amz-content-sha256 is '${excerpt(claimedHash)}', but the SHA-256 of the body received is '${payloadHash}'. Check that nothing between the client and the server changes the body.`,
    );
  }
  const key = signingKeys.find(authorization, secretAccessKey) ?? signingKey(authorization, secretAccessKey);
  const canonical = canonicalRequest({ method, rawPath, rawQuery, headers, signedHeaders, payloadHash });
  const expected = createHmac('sha256', key).update(stringToSign(authorization, canonical)).digest();
  if (!timingSafeEqual(expected, Buffer.from(authorization.signature, 'hex'))) {
    return invalid(
      `The request signature we calculated does not match the signature you provided. Check the secret access key of '${excerpt(authorization.accessKeyId)}', and that nothing between the client and the server changes the method, path, query, body or a signed header (${signedHeaders.join(';')}).`,
    );
  }
  signingKeys.remember(authorization, secretAccessKey, key);
  return undefined;
}

/**
 * The headers to add to a request so that verifySignature accepts it. It signs `headers` and the Host header that Node's
 * HTTP clients send by themselves for `url`; `nowMs` is milliseconds since 1970.
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
  const canonical = canonicalRequest({
    method: request.method,
    rawPath: url.pathname,
    rawQuery: url.search.slice(1),
    headers,
    signedHeaders,
    payloadHash,
  });
  const signature = createHmac('sha256', signingKey(scope, request.secretAccessKey))
    .update(stringToSign(scope, canonical))
    .digest('hex');
  const credential = `${accessKeyId}/${credentialScope(scope)}`;
  return {
    ...added,
    authorization: `${ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`,
  };
}

/** Signing keys of callers that have proved their secret, so that one who has not cannot push others out. */
export interface SigningKeyCache {
  /** Undefined also when the key was derived from another secret: a rotated secret never meets its predecessor's key. */
  find(scope: KeyScope, secretAccessKey: string): KeyObject | undefined;
  /** Forgets the one used longest ago when full. */
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
      const name = nameOf(scope);
      entries.delete(name); // a Map keeps insertion order: the first entry is the one used longest ago
      entries.set(name, { secretAccessKey, key });
      if (entries.size > maxEntries) entries.delete(entries.keys().next().value as string);
    },
  };
}

// The steps of the specification: canonical request → string to sign → signing key.

function canonicalRequest(request: RequestLine & { signedHeaders: readonly string[]; payloadHash: string }): string {
  return [
    request.method,
    canonicalPath(request.rawPath),
    canonicalQuery(request.rawQuery),
    ...request.signedHeaders.map((name) => `${name}:${canonicalValue(request.headers.get(name) ?? [])}`),
    '',
    request.signedHeaders.join(';'),
    request.payloadHash,
  ].join('\n');
}

/** Every service but S3 encodes the encoded path again, so a `%3A` on the wire is signed as `%253A`. */
function canonicalPath(rawPath: string): string {
  return encode(rawPath).replaceAll('%2F', '/');
}

function canonicalQuery(rawQuery: string): string {
  return (parseQuery(rawQuery) ?? [])
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function canonicalValue(values: readonly string[]): string {
  return values.map((value) => value.replace(/[ \t]+/g, ' ').trim()).join(',');
}

function stringToSign(scope: Omit<KeyScope, 'accessKeyId'> & { timestamp: string }, canonical: string): string {
  return [ALGORITHM, scope.timestamp, credentialScope(scope), hash('sha256', canonical, 'hex')].join('\n');
}

function credentialScope({ date, region }: { date: string; region: string }): string {
  return `${date}/${region}/${SERVICE}/${TERMINATOR}`;
}

/** A KeyObject, because Node 24 is ten times slower with the same key as plain bytes. */
function signingKey({ date, region }: { date: string; region: string }, secretAccessKey: string): KeyObject {
  let key = createSecretKey(`AWS4${secretAccessKey}`, 'utf8');
  for (const part of [date, region, SERVICE, TERMINATOR]) {
    key = createSecretKey(createHmac('sha256', key).update(part).digest());
  }
  return key;
}

/** Percent-encodes all but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export function toBasicIso(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

export function invalid(message: string): SignatureRefusal {
  return { name: 'InvalidSignatureException', message };
}
