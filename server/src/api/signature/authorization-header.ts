import type { RequestHeaders } from '../../http/exchange.ts';
import { excerpt } from '../../text.ts';
import {
  ALGORITHM,
  invalid,
  type KeyScope,
  type ParsedAuthorization,
  parseQuery,
  type RequestLine,
  SERVICE,
  type SignatureRefusal,
  TERMINATOR,
  toBasicIso,
} from './sigv4.ts';

/** Headers that a request may carry only once, because two readers could pick different ones. */
const SINGLE_HEADERS = ['authorization', 'host', 'x-amz-date', 'date', 'x-amz-content-sha256', 'last-event-id'];

/**
 * Headers that must be signed if the request has them, because this server reads them. Other headers have no meaning
 * here and may be added on the way: CloudFront adds `x-amz-cf-id`, load balancers add `x-amzn-trace-id`.
 */
const HEADERS_TO_SIGN = ['last-event-id', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token'];

/** Query parameters of presigned URLs, in lower case. */
const PRESIGNED_PARAMETERS = ['x-amz-algorithm', 'x-amz-credential', 'x-amz-signature'];

/**
 * Reads the Authorization header, and refuses everything that can be refused without the body and without knowing the
 * caller. Accepts a signature in that header only, for any region, with a date at most `clockSkewMs` from `nowMs`
 * (milliseconds since 1970).
 */
export function parseAuthorization(
  request: Omit<RequestLine, 'method'> & { nowMs: number; clockSkewMs: number },
): ParsedAuthorization | SignatureRefusal {
  const refusal = refuseUnsupported(request);
  if (refusal !== undefined) return refusal;
  const parameters = parseParameters(request.headers);
  if ('name' in parameters) return parameters;
  const scope = parseCredential(parameters.credential);
  if ('name' in scope) return scope;
  const { accessKeyId, date, region } = scope;
  const timestamp = parseTimestamp(request.headers);
  if (typeof timestamp !== 'string') return timestamp;
  const signedHeaders = parameters.signedHeaders.split(';');
  return (
    refuseDate({ timestamp, date, nowMs: request.nowMs, clockSkewMs: request.clockSkewMs }) ??
    refuseSignedHeaders(request.headers, signedHeaders) ?? {
      accessKeyId,
      date,
      region,
      timestamp,
      signedHeaders,
      signature: parameters.signature,
    }
  );
}

/** A secret, which may have been put in the place of an id by mistake, is never this short, nor all in upper case. */
const SHOWABLE_ID = /^(?:\w{3,31}|[A-Z0-9]{32,128})$/;

/**
 * The access key id that a request names, for the log, whether or not the rest of its header is right; of what may be a
 * misplaced secret, only the beginning. Undefined when it names none.
 */
export function claimedAccessKeyId(headers: RequestHeaders): string | undefined {
  const [, id] = /\bCredential=([^\s/,]{1,256})/.exec(headers.get('authorization')?.[0] ?? '') ?? [];
  return id === undefined || SHOWABLE_ID.test(id) ? id : `${excerpt(id.slice(0, 4))}…`;
}

function refuseUnsupported({ headers, rawPath, rawQuery }: Omit<RequestLine, 'method'>): SignatureRefusal | undefined {
  const repeated = SINGLE_HEADERS.find((name) => (headers.get(name)?.length ?? 0) > 1);
  if (repeated !== undefined) return incomplete(`The header ${repeated} appears more than once. Send it once.`);
  const query = parseQuery(rawQuery);
  if (query === undefined) {
    // The message does not repeat the query, which may hold a token or a signature.
    return invalid('The query is not percent-encoded UTF-8, so it cannot be verified. Encode it.');
  }
  const names = query.map(([name]) => name.toLowerCase());
  if (headers.has('x-amz-security-token') || names.includes('x-amz-security-token')) {
    return {
      name: 'UnrecognizedClientException',
      message:
        'The security token included in the request is invalid: this server has no session tokens. Unset AWS_SESSION_TOKEN and sign with an access key alone.',
    };
  }
  const presigned = PRESIGNED_PARAMETERS.find((name) => names.includes(name));
  if (presigned !== undefined) {
    return incomplete(
      `The query has the parameter ${presigned}, but presigned URLs are not supported. Sign in the Authorization header instead.`,
    );
  }
  return refusePath(rawPath) ?? refuseContentHash(headers.get('x-amz-content-sha256')?.[0]);
}

/**
 * Proxies and signers resolve `.` and `..`, and routers do not, so a path with them could mean two different resources.
 * Some signers also leave out empty segments. That is safe, because one signature never fits two paths that mean
 * different calls, and a signed path with an empty label gets its answer from validation.
 */
function refusePath(rawPath: string): SignatureRefusal | undefined {
  const isPlain = /^\/[\x21-\x7e]*$/.test(rawPath) && !/\/\.{1,2}(\/|$)/.test(rawPath);
  if (isPlain) return undefined;
  return invalid(
    `The path '${excerpt(rawPath)}' cannot be verified. It must begin with '/', be percent-encoded, and have no '.' or '..' segment.`,
  );
}

function refuseContentHash(value: string | undefined): SignatureRefusal | undefined {
  if (value === undefined || /^[0-9a-f]{64}$/.test(value)) return undefined;
  return invalid(
    `The header x-amz-content-sha256 is '${excerpt(value)}', but unsigned and streamed payloads are not supported. Send the SHA-256 of the body as 64 lower-case hexadecimal digits, or leave the header out.`,
  );
}

interface Parameters {
  credential: string;
  signedHeaders: string;
  signature: string;
}

/** Reads `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, the three in any order. */
function parseParameters(headers: RequestHeaders): Parameters | SignatureRefusal {
  const header = headers.get('authorization')?.[0]?.trim();
  if (header === undefined || header === '') {
    return {
      name: 'MissingAuthenticationTokenException',
      message: `Missing Authentication Token: the request has no Authorization header. Sign it with Signature Version 4 for the service '${SERVICE}'.`,
    };
  }
  const [, scheme = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(header) ?? [];
  if (scheme !== ALGORITHM) {
    // The message repeats only a known scheme: in a malformed header the first word may be the credential itself.
    const got = scheme === 'AWS4-ECDSA-P256-SHA256' ? `${scheme} (SigV4A)` : 'another scheme';
    return incomplete(`Authorization header requires the algorithm ${ALGORITHM}, got ${got}.`);
  }
  const found = new Map<string, string>();
  for (const part of rest.split(',')) {
    const [, name, value] = /^\s*(Credential|SignedHeaders|Signature)=(\S+)\s*$/.exec(part) ?? [];
    if (name === undefined || value === undefined || found.has(name)) {
      return incomplete(
        `Authorization header must be '${ALGORITHM} Credential=…, SignedHeaders=…, Signature=…', each once and without spaces inside; its part ${found.size + 1} is not. Check the access key id for spaces or line ends.`,
      );
    }
    found.set(name, value);
  }
  return requireParameters(found);
}

function requireParameters(found: ReadonlyMap<string, string>): Parameters | SignatureRefusal {
  const missing = ['Credential', 'Signature', 'SignedHeaders'].filter((name) => !found.has(name));
  if (missing.length > 0) {
    const sentences = missing.map((name) => `Authorization header requires '${name}' parameter.`);
    return incomplete(`${sentences.join(' ')} Authorization has only ${[...found.keys()].join(', ')}.`);
  }
  const signature = found.get('Signature') as string;
  if (!/^[0-9a-f]{64}$/.test(signature)) {
    return incomplete(
      `Authorization header requires 'Signature' to be 64 lower-case hexadecimal digits, got ${signature.length} characters.`,
    );
  }
  return {
    credential: found.get('Credential') as string,
    signedHeaders: found.get('SignedHeaders') as string,
    signature,
  };
}

function parseCredential(credential: string): KeyScope | SignatureRefusal {
  const parts = credential.split('/');
  const [accessKeyId = '', date = '', region = '', service = '', terminator = ''] = parts;
  if (parts.length !== 5 || !/^[\w-]{1,128}$/.test(accessKeyId)) {
    return incomplete(
      `Credential must have exactly 5 parts, ACCESSKEYID/YYYYMMDD/REGION/${SERVICE}/${TERMINATOR}, the first of letters and digits; got ${parts.length}. Check that the access key id is not the secret.`,
    );
  }
  if (!/^[a-z0-9-]{1,64}$/.test(region)) {
    return invalid(`Credential should be scoped to a valid Region, got '${excerpt(region)}'. Set AWS_REGION.`);
  }
  if (service !== SERVICE) {
    return invalid(`Credential should be scoped to correct service: '${SERVICE}', got '${excerpt(service)}'.`);
  }
  if (terminator !== TERMINATOR) {
    return invalid(
      `Credential should be scoped with a valid terminator: '${TERMINATOR}', got '${excerpt(terminator)}'.`,
    );
  }
  return { accessKeyId, date, region };
}

/** X-Amz-Date takes precedence over Date, as in every AWS service. Date may also have HTTP's own form. */
function parseTimestamp(headers: RequestHeaders): string | SignatureRefusal {
  const value = headers.get('x-amz-date')?.[0] ?? headers.get('date')?.[0];
  if (value === undefined) {
    return incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  const httpMs = headers.has('x-amz-date') ? Number.NaN : Date.parse(value);
  const isHttpDate = !Number.isNaN(httpMs) && new Date(httpMs).toUTCString() === value;
  const timestamp = isHttpDate ? toBasicIso(httpMs) : value;
  // An HTTP date may lie in a year that the basic form cannot express.
  const ms = fromBasicIso(timestamp);
  if (!Number.isNaN(ms) && toBasicIso(ms) === timestamp) return timestamp;
  return incomplete(`Date must be in ISO-8601 'basic format', YYYYMMDDTHHMMSSZ. Got '${excerpt(value)}'.`);
}

function refuseDate({
  timestamp,
  date,
  nowMs,
  clockSkewMs,
}: {
  timestamp: string;
  date: string;
  nowMs: number;
  clockSkewMs: number;
}): SignatureRefusal | undefined {
  if (date !== timestamp.slice(0, 8)) {
    return invalid(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${excerpt(date)}' != '${timestamp.slice(0, 8)}', from '${timestamp}'.`,
    );
  }
  const signedMs = fromBasicIso(timestamp);
  const minutes = clockSkewMs / 60_000;
  if (signedMs < nowMs - clockSkewMs) {
    return invalid(
      `Signature expired: ${timestamp} is now earlier than ${toBasicIso(nowMs - clockSkewMs)} (${toBasicIso(nowMs)} - ${minutes} min.). Check the client's clock.`,
    );
  }
  if (signedMs > nowMs + clockSkewMs) {
    return invalid(
      `Signature not yet current: ${timestamp} is still later than ${toBasicIso(nowMs + clockSkewMs)} (${toBasicIso(nowMs)} + ${minutes} min.). Check the client's clock.`,
    );
  }
  return undefined;
}

function refuseSignedHeaders(headers: RequestHeaders, signedHeaders: readonly string[]): SignatureRefusal | undefined {
  const isCanonical = signedHeaders.every(
    (name, i) => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name) && (i === 0 || (signedHeaders[i - 1] as string) < name),
  );
  if (!isCanonical) {
    return incomplete(
      `SignedHeaders must be lower-case header names, each once, sorted and separated by ';', got '${excerpt(signedHeaders.join(';'))}'.`,
    );
  }
  const absent = signedHeaders.filter((name) => !headers.has(name));
  if (absent.length > 0) {
    return invalid(
      `SignedHeaders names '${excerpt(absent.join(';'))}', but the request does not have it. Check that no proxy removes headers.`,
    );
  }
  const isSigned = new Set(signedHeaders);
  const toSign = ['host', ...HEADERS_TO_SIGN.filter((name) => headers.has(name))];
  const unsigned = toSign.filter((name) => !isSigned.has(name));
  if (unsigned.length === 0) return undefined;
  return invalid(
    `There were headers present in the request which were not signed: '${unsigned.join(';')}'. SignedHeaders must name '${toSign.join(';')}'.`,
  );
}

function incomplete(message: string): SignatureRefusal {
  return { name: 'IncompleteSignatureException', message };
}

/** NaN unless `text` has the form YYYYMMDDTHHMMSSZ. A day or hour that is too high carries over, as in `Date.UTC`. */
function fromBasicIso(text: string): number {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
}
