/** The failures that a caller of any edge may see. Everything else is a bug and reaches callers as `internal`. */
export type ErrorCode =
  | 'validation'
  | 'access_denied'
  | 'not_found'
  | 'conflict'
  | 'quota_exceeded'
  | 'throttled'
  | 'internal';

/** A failure whose message may be shown to the caller: it says what, which value and what to do. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;
  /** When the same call may be tried again, in milliseconds from now; only with `throttled` and `internal`. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether the caller, not the server, is the reason: such a failure is part of a healthy server's life. */
export function isCallersMistake(error: unknown): boolean {
  return error instanceof ServiceError && error.code !== 'internal';
}

/** Marks code that the types prove unreachable; the compiler refuses it while a case is missing. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${String(value)}`);
}

/** Whether a failure of the server may be over soon, as when its database is away; false for a bug. */
export function mayPass(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'internal' && error.retryAfterMs !== undefined;
}
