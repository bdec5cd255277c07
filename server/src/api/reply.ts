import type { ErrorCode, ServiceError } from '../errors.ts';
import type { BodyError, HttpReply } from '../http/exchange.ts';
import { PreparedJson } from './shape.ts';
import type { SignatureRefusal } from './signature/sigv4.ts';
import { excerptOf } from './validation.ts';

interface WireError {
  /** The name by which clients know the error. */
  readonly name: string;
  readonly status: number;
}

/** The errors in the API's model. */
export const WIRE_ERRORS = {
  validation: { name: 'ValidationException', status: 400 },
  access_denied: { name: 'AccessDeniedException', status: 403 },
  not_found: { name: 'ResourceNotFoundException', status: 404 },
  conflict: { name: 'ConflictException', status: 409 },
  quota_exceeded: { name: 'ServiceQuotaExceededException', status: 402 },
  throttled: { name: 'ThrottlingException', status: 429 },
  internal: { name: 'InternalServerException', status: 500 },
} as const satisfies Record<ErrorCode, WireError>;

/** The error in an audit record, which names it by its code or, in older records, by its name on the wire. */
export function wireErrorOf(error: string): WireError {
  const code = Object.hasOwn(WIRE_ERRORS, error) ? (error as ErrorCode) : undefined;
  if (code !== undefined) return WIRE_ERRORS[code];
  return Object.values(WIRE_ERRORS).find(({ name }) => name === error) ?? { name: error, status: 500 };
}

export type RefusalKind =
  | 'unknown_operation'
  | 'method_not_allowed'
  | 'malformed_uri'
  | 'malformed_body'
  | 'body_too_large'
  | 'body_incomplete'
  | 'draining'
  | SignatureRefusal['name'];

/** Refusals that come before an operation is reached, under the names that AWS services use for them. */
export const REFUSALS = {
  unknown_operation: { name: 'UnknownOperationException', status: 404 },
  method_not_allowed: { name: 'UnknownOperationException', status: 405 },
  malformed_uri: { name: 'SerializationException', status: 400 },
  malformed_body: { name: 'SerializationException', status: 400 },
  body_too_large: { name: 'RequestEntityTooLargeException', status: 413 },
  body_incomplete: { name: 'RequestTimeoutException', status: 408 },
  draining: { name: 'ServiceUnavailableException', status: 503 },
  MissingAuthenticationTokenException: { name: 'MissingAuthenticationTokenException', status: 403 },
  IncompleteSignatureException: { name: 'IncompleteSignatureException', status: 403 },
  UnrecognizedClientException: { name: 'UnrecognizedClientException', status: 403 },
  InvalidSignatureException: { name: 'InvalidSignatureException', status: 403 },
} as const satisfies Record<RefusalKind, WireError>;

/** Thrown for a request that must not reach an operation. The message may be shown to the caller. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly kind: RefusalKind;
  readonly headers: Readonly<Record<string, string>>;

  constructor(kind: RefusalKind, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.kind = kind;
    this.headers = headers;
  }
}

const BODY_REFUSALS = {
  too_large: 'body_too_large',
  incomplete: 'body_incomplete',
  malformed: 'malformed_body',
} as const satisfies Record<BodyError['kind'], RefusalKind>;

/** The refusal for a body that could not be read. */
export function bodyRefusal({ kind, message }: BodyError): Refusal {
  return new Refusal(BODY_REFUSALS[kind], message);
}

export function successReply(requestId: string, output: unknown): HttpReply {
  return reply({ status: 200, requestId, headers: {}, body: output });
}

/** Server-sent events, which no cache and no proxy may hold back. */
export function streamReply(requestId: string, stream: NonNullable<HttpReply['stream']>): HttpReply {
  const headers = {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-amzn-requestid': requestId,
  };
  return { status: 200, headers, body: '', stream };
}

/** The refusal of a method that none of `allowed` is. */
export function wrongMethod(allowed: readonly string[], method: string): Refusal {
  const message = `The method here must be ${allowed.join(', ')}, got '${excerptOf(method)}'`;
  return new Refusal('method_not_allowed', message, { allow: [...allowed, 'OPTIONS'].join(', ') });
}

/** The answer to OPTIONS: which methods there are. Nothing else is done. */
export function optionsReply(allow: string, status = 200): HttpReply {
  return { status, headers: { allow }, body: '' };
}

export function refusalReply(requestId: string, { kind, message, headers }: Refusal): HttpReply {
  return errorReply(requestId, REFUSALS[kind], message, headers);
}

export function failureReply(requestId: string, { code, message, retryAfterMs }: ServiceError): HttpReply {
  const seconds = retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(retryAfterMs / 1000));
  return errorReply(
    requestId,
    WIRE_ERRORS[code],
    message,
    seconds === undefined ? {} : { 'retry-after': `${seconds}` },
  );
}

/** The reply to a bug. It says nothing about the bug; the request id finds the error in the log. */
export function internalErrorReply(requestId: string): HttpReply {
  return errorReply(requestId, WIRE_ERRORS.internal, 'The service encountered an internal error.', {});
}

function errorReply(
  requestId: string,
  { name, status }: WireError,
  message: string,
  headers: Readonly<Record<string, string>>,
): HttpReply {
  return reply({ status, requestId, headers: { 'x-amzn-errortype': name, ...headers }, body: { Message: message } });
}

function reply({
  status,
  requestId,
  headers,
  body,
}: {
  status: number;
  requestId: string;
  headers: Readonly<Record<string, string>>;
  body: unknown;
}): HttpReply {
  return {
    status,
    headers: { 'content-type': 'application/json', 'x-amzn-requestid': requestId, ...headers },
    body: holdsPrepared(body) ? Buffer.concat(piecesOf(body)) : JSON.stringify(body),
  };
}

/** The JSON of a structure in pieces, so that what is prepared is neither parsed nor written again. */
function piecesOf(value: unknown): Uint8Array[] {
  if (value instanceof PreparedJson) return [value.bytes];
  if (!holdsPrepared(value)) return [Buffer.from(JSON.stringify(value))];
  const members = Object.entries(value).flatMap(([name, member], index) => [
    Buffer.from(`${index === 0 ? '' : ','}${JSON.stringify(name)}:`),
    ...piecesOf(member),
  ]);
  return [Buffer.from('{'), ...members, Buffer.from('}')];
}

/** Whether a member of a structure, or of a structure in it, is prepared. */
function holdsPrepared(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).some((member) => member instanceof PreparedJson || holdsPrepared(member));
}
