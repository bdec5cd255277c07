import { type CloseName, findCloseName, parseCloseReason, type Verdict, verdictOf } from '@respark/protocol';
import type { Farewell } from './farewell.ts';

/** Every failure of this SDK is one. `code` is for programs, the message for people. */
export class ResparkError extends Error {
  override readonly name: string = 'ResparkError';
  readonly code: string;

  constructor(message: string, options: { readonly code: string; readonly cause?: unknown }) {
    super(message, options);
    this.code = options.code;
  }
}

/**
 * The request was refused by the server, or, with the codes `bad_request` and `busy`, by this SDK before it was sent,
 * because the server would have refused it or closed the connection.
 */
export class RequestError extends ResparkError {
  override readonly name = 'RequestError';
}

/** No answer arrived in time. The request may or may not have taken effect. */
export class RequestTimeoutError extends ResparkError {
  override readonly name = 'RequestTimeoutError';

  constructor(type: string, timeoutMs: number) {
    super(`no answer to "${type}" within ${timeoutMs} ms; it may have taken effect`, { code: 'timeout' });
  }
}

/** How a connection, or an attempt to open one, ended. */
export interface Closure {
  /** The close code; 1006 if there was no close frame. */
  readonly closeCode: number;
  /** The code's name, if the protocol's table has it. */
  readonly name: CloseName | undefined;
  readonly reason: string;
  readonly verdict: Verdict;
  /** How long to wait at least before reconnecting, in milliseconds from the close. */
  readonly retryAfterMs?: number;
  /** When what keeps the player out ends, milliseconds since 1970; undefined when that is not known. */
  readonly until?: number;
  /** The request id of the management call that closed the connection. */
  readonly requestId?: string;
  /** What the server said before it closed the connection, if it said anything. */
  readonly farewell?: Farewell;
}

/** There is no connection. A request that was in flight may or may not have taken effect. */
export class ConnectionClosedError extends ResparkError {
  override readonly name = 'ConnectionClosedError';
  readonly closure: Closure;

  constructor(closure: Closure) {
    super(`connection closed: ${closure.reason} (${closure.closeCode})`, { code: closure.name ?? 'closed' });
    this.closure = closure;
  }

  get closeCode(): number {
    return this.closure.closeCode;
  }

  get reason(): string {
    return this.closure.reason;
  }

  get verdict(): Verdict {
    return this.closure.verdict;
  }
}

/** Reads the code and reason of a close event; `ifEmpty` stands in for an empty reason. */
export function closureOf(code: number, reason: string, ifEmpty = 'no reason given'): Closure {
  const { text, ...facts } = parseCloseReason(reason);
  return {
    closeCode: code,
    name: findCloseName(code),
    reason: text === '' ? ifEmpty : text,
    verdict: verdictOf(code),
    ...facts,
  };
}
