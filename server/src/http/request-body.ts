import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { GrowingBytes } from '../growing-bytes.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { HeldMemory } from './body-memory.ts';
import { BodyError, declaredLength, longestBody, type RequestHeaders } from './exchange.ts';

/** When a client may try again after there was no memory for its long body. */
const RETRY_AFTER_MS = 1_000;

/**
 * Reads the whole body of a request. A client that asked first (`Expect: 100-continue`) is told to send it. Rejects
 * with a BodyError when the body is longer than `maxBytes`, is malformed, ends early or takes longer than `timeoutMs`, and with a
 * `throttled` ServiceError when other bodies use the memory that it needs. Never keeps more than `maxBytes`.
 */
export function readBody({
  request,
  headers,
  response,
  isBroken,
  maxBytes,
  timeoutMs,
  memory,
  clock,
  onPart = () => {},
  signer,
}: {
  request: IncomingMessage;
  headers: RequestHeaders;
  response: ServerResponse;
  /** Whether the parser has failed, behind the request or in its body, of which nothing more comes then. */
  isBroken: boolean;
  maxBytes: number;
  timeoutMs: number;
  /** Grows with the body. The caller must release it when it is done with the body. */
  memory: HeldMemory;
  clock: Clock;
  /** Called with each part of the body as it arrives. */
  onPart?: ((part: Uint8Array) => void) | undefined;
  /** The known caller who has signed the body, if it is what its head says. */
  signer?: string | undefined;
}): MaybePromise<Uint8Array> {
  if (declaredLength(headers) > maxBytes) return Promise.reject(tooLarge(maxBytes));
  if (isBroken && !request.complete) return Promise.reject(malformed());
  if (isWaitingToSend(request, headers)) response.writeContinue();
  if (!hasBody(headers)) return EMPTY;

  return new Promise<Uint8Array>((resolve, reject) => {
    // Chunks are copied, because each is an object: in those of one byte a body would take hundreds of times its size.
    const body = new GrowingBytes(headers.has('transfer-encoding') ? maxBytes : declaredLength(headers));
    const cancelTimeout = clock.after(timeoutMs, () => settle(() => reject(incomplete(timeoutMs))));
    const settle = (outcome: () => void): void => {
      cancelTimeout();
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      outcome();
    };
    const onData = (chunk: Uint8Array): void => {
      const size = body.length + chunk.length;
      if (size > maxBytes) settle(() => reject(tooLarge(maxBytes)));
      else if (!memory.grow(size, body.sizeWith(chunk.length), signer)) settle(() => reject(noMemory()));
      else {
        body.add(chunk);
        onPart(chunk);
      }
    };
    const onEnd = (): void => settle(() => resolve(body.all));
    const onClose = (): void => settle(() => reject(incomplete(timeoutMs)));
    if (request.destroyed) return onClose();
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

const EMPTY = new Uint8Array();

function tooLarge(maxBytes: number): BodyError {
  return new BodyError('too_large', `The body must be at most ${maxBytes} bytes`);
}

function malformed(): BodyError {
  return new BodyError('malformed', 'The body must be in chunks as HTTP/1.1 has them');
}

function incomplete(timeoutMs: number): BodyError {
  return new BodyError('incomplete', `The whole body must arrive within ${timeoutMs} ms`);
}

function noMemory(): ServiceError {
  const message = 'The server is reading as many long bodies as it can: try again in a second';
  return new ServiceError('throttled', message, { retryAfterMs: RETRY_AFTER_MS });
}

export function hasBody(headers: RequestHeaders): boolean {
  return longestBody(headers) > 0;
}

/**
 * Whether the client waits to be asked for its body. The server must have a listener for `checkContinue`; without one
 * Node.js has already asked. A client of HTTP/1.0 knows no such question, and would take it for its answer.
 */
export function isWaitingToSend({ httpVersion }: IncomingMessage, headers: RequestHeaders): boolean {
  return httpVersion === '1.1' && headers.get('expect')?.join().toLowerCase() === '100-continue';
}
