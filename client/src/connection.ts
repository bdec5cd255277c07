import {
  closeCode,
  type Decoded,
  decodeClientFrame,
  decodeServerFrame,
  type EventFrame,
  encode,
  FAREWELL,
  type HelloFrame,
  type NotificationFrame,
  type Payload,
  type RequestFrame,
  type ServerFrame,
  SUBPROTOCOL,
  type WelcomeFrame,
} from '@respark/protocol';
import { byteLength } from './byte-length.ts';
import type { Clock } from './clock.ts';
import { afterDeadline } from './deadline.ts';
import {
  type Closure,
  ConnectionClosedError,
  closureOf,
  RequestError,
  RequestTimeoutError,
  ResparkError,
} from './errors.ts';
import { type Farewell, readFarewell } from './farewell.ts';
import { FrameAllowance } from './frame-allowance.ts';
import { Heartbeat } from './heartbeat.ts';
import type { Socket } from './socket.ts';

/*
 * One WebSocket, from its opening to its end. A connection that has ended is not reused: the client makes a new one.
 *
 *   opening ──open──► greeting ──welcome──► ready ──close()──► closing ──close event, time-out──► ended
 *
 *   opening   the socket is being opened                  one deadline for both: connectTimeoutMs
 *   greeting  the hello has been sent; waiting for the welcome
 *   ready     messages and heartbeats are exchanged       deadline: the heartbeat's
 *   closing   our close frame is sent, input is ignored   deadline: CLOSE_TIMEOUT_MS
 *   ended     the observer has been told why, once; no timer runs, no request waits, nothing is sent or received
 *
 * A close event, a deadline and close() leave every state before `closing`; the first two go straight to `ended`.
 */
type State = 'opening' | 'greeting' | 'ready' | 'closing' | 'ended';

/** How much may wait in the socket before messages are refused: a server that does not read must not fill memory. */
export const MAX_BUFFERED_BYTES = 1_048_576;
/** Much more than any frame of a server has. The values that are made from JSON take fifty times its room. */
const MAX_FRAME_CHARACTERS = 4_194_304;
const CLOSE_TIMEOUT_MS = 1_000;
/** Longer than any browser waits for the end of a connection that the server closes; Firefox waits for ten seconds. */
const BROWSER_CLOSE_MS = 12_000;
/** A `readyState` of WebSockets. */
const CLOSING = 2;

export const CLOSED_BY_CLIENT = closureOf(closeCode('normal'), 'closed by this client');

/** Hears of everything in the order in which it happened; `ended` comes once, and nothing comes after it. */
export interface ConnectionObserver {
  welcomed(welcome: WelcomeFrame): void;
  notified(notification: NotificationFrame): void;
  /** A fault that the application should know about and that does not end the connection. */
  faulted(error: ResparkError): void;
  /** `lateMs` is how long ago the end could have been known, if the client's timers had not been held back. */
  ended(closure: Closure, lateMs: number): void;
}

interface PendingRequest {
  readonly resolve: (payload: Payload) => void;
  readonly reject: (error: ResparkError) => void;
  readonly cancelTimeout: () => void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #hello: HelloFrame;
  readonly #clock: Clock;
  readonly #observer: ConnectionObserver;
  readonly #pending = new Map<string, PendingRequest>();
  #state: State = 'opening';
  /** What the server allows, and how much of it is left; set from `ready` on. */
  #limits: { readonly welcome: WelcomeFrame; readonly allowance: FrameAllowance } | undefined;
  #requests = 0;
  /** Why the socket failed, if it said so: `ws` does, browsers do not. It stands in for the reason of a close frame. */
  #failure: string | undefined;
  #farewell: Farewell | undefined;
  readonly #locale: string | undefined;
  #cancelDeadline: () => void;
  #heartbeat: Heartbeat | undefined;
  #resolveClosed: () => void = () => {};

  constructor(options: {
    readonly socket: Socket;
    readonly hello: HelloFrame;
    readonly clock: Clock;
    readonly connectTimeoutMs: number;
    /** The player's, for texts of the server; the platform's by default. */
    readonly locale?: string | undefined;
    readonly observer: ConnectionObserver;
  }) {
    const { socket, clock, connectTimeoutMs } = options;
    this.#socket = socket;
    this.#hello = options.hello;
    this.#clock = clock;
    this.#observer = options.observer;
    this.#locale = options.locale;
    this.#cancelDeadline = afterDeadline(clock, connectTimeoutMs, (lateMs) =>
      this.#drop(`no welcome within ${connectTimeoutMs} ms`, lateMs),
    );
    socket.addEventListener('open', () => this.#opened());
    socket.addEventListener('message', (event) => this.#received(event.data));
    socket.addEventListener('error', (event) => {
      if ('message' in event && typeof event.message === 'string') this.#failure = event.message;
    });
    socket.addEventListener('close', ({ code, reason }) => {
      this.#end(this.#state === 'closing' ? CLOSED_BY_CLIENT : closureOf(code, reason, this.#failure));
    });
  }

  /** Rejects with a ConnectionClosedError, RequestError or RequestTimeoutError. */
  request(type: string, payload: Payload, timeoutMs: number): Promise<Payload> {
    return new Promise((resolve, reject) => {
      const max = this.#limits?.welcome.maxRequestsInFlight ?? 0;
      if (this.#state === 'ready' && this.#pending.size >= max) {
        throw new RequestError(`${max} requests are in flight; wait for answers first`, { code: 'busy' });
      }
      this.#requests += 1;
      const id = `${this.#requests}`;
      this.#sendMessage({ kind: 'request', id, type, payload });
      const cancelTimeout = afterDeadline(this.#clock, timeoutMs, () => {
        this.#pending.delete(id);
        reject(new RequestTimeoutError(type, timeoutMs));
      });
      this.#pending.set(id, { resolve, reject, cancelTimeout });
    });
  }

  /** Throws a ConnectionClosedError or RequestError. An event that was sent without an error may still not arrive. */
  event(type: string, payload: Payload): void {
    this.#sendMessage({ kind: 'event', type, payload });
  }

  /** Finds out soon whether the server is still there. */
  check(): void {
    if (this.#state === 'ready') this.#heartbeat?.check();
  }

  /** Sends a close frame. Resolves when the socket is closed, or dropped because the server did not answer in time. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolveClosed = resolve;
      this.#state = 'closing';
      this.#stopTimers();
      this.#rejectPending(CLOSED_BY_CLIENT);
      this.#cancelDeadline = this.#clock.after(CLOSE_TIMEOUT_MS, () => this.#drop('the server did not close'));
      this.#socket.close(closeCode('normal'));
    });
  }

  #opened(): void {
    if (this.#state !== 'opening') return;
    if (this.#socket.protocol !== SUBPROTOCOL) {
      const found = JSON.stringify(this.#socket.protocol);
      this.#socket.close(closeCode('protocol_error'));
      this.#end(closureOf(closeCode('protocol_error'), `the server must speak ${SUBPROTOCOL}, got ${found}`));
      return;
    }
    this.#state = 'greeting';
    this.#socket.send(encode(this.#hello));
  }

  #received(data: unknown): void {
    if (this.#state !== 'greeting' && this.#state !== 'ready') return;
    this.#heartbeat?.received();
    const decoded = decode(data);
    if (!decoded.ok) this.#fault(decoded.fault);
    else if (this.#state === 'ready') this.#handle(decoded.frame);
    else if (decoded.frame.kind === 'welcome') this.#welcomed(decoded.frame);
    else this.#fault(`the first frame must be a welcome, got "${decoded.frame.kind}"`);
  }

  #welcomed(welcome: WelcomeFrame): void {
    this.#state = 'ready';
    const allowance = new FrameAllowance(welcome, byteLength(encode(this.#hello)), this.#clock);
    this.#limits = { welcome, allowance };
    this.#cancelDeadline();
    this.#heartbeat = new Heartbeat({
      periodMs: welcome.heartbeatMs,
      clock: this.#clock,
      send: () => {
        const heartbeat = encode({ kind: 'heartbeat' });
        allowance.take(heartbeat.length);
        this.#socket.send(heartbeat);
      },
      giveUp: (reason, lateMs) => this.#drop(reason, lateMs),
    });
    this.#observer.welcomed(welcome);
  }

  #handle(frame: ServerFrame): void {
    switch (frame.kind) {
      case 'response':
        this.#takePending(frame.id)?.resolve(frame.payload);
        break;
      case 'error': {
        const error = new RequestError(frame.message, { code: frame.code });
        if (frame.id === undefined) this.#observer.faulted(error);
        else this.#takePending(frame.id)?.reject(error);
        break;
      }
      case 'notification':
        if (frame.type === FAREWELL) this.#farewell = readFarewell(frame.payload, this.#locale);
        this.#observer.notified(frame);
        break;
      case 'heartbeat':
        break;
      case 'welcome':
        this.#fault('there must be one welcome, got a second');
        break;
      default:
        frame satisfies never;
    }
  }

  /** An id without a pending request belongs to an answer that came after its time-out. */
  #takePending(id: string): PendingRequest | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.cancelTimeout();
    return pending;
  }

  #fault(fault: string): void {
    this.#observer.faulted(new ResparkError(`the server sent a bad frame: ${fault}`, { code: 'bad_frame' }));
  }

  /** Refuses what the server would answer by closing the connection. Nothing is queued to be sent later. */
  #sendMessage(frame: RequestFrame | EventFrame): void {
    if (this.#state !== 'ready' || this.#limits === undefined) throw new ConnectionClosedError(CLOSED_BY_CLIENT);
    let text: string;
    try {
      text = encode(frame);
    } catch (error) {
      throw new RequestError(`payload must be JSON: ${String(error)}`, { code: 'bad_request', cause: error });
    }
    const decoded = decodeClientFrame(text);
    if (!decoded.ok) throw new RequestError(decoded.fault, { code: 'bad_request' });
    const { maxFrameBytes, messagesPerSecond, bytesPerSecond } = this.#limits.welcome;
    const bytes = byteLength(text);
    if (bytes > maxFrameBytes) {
      throw new RequestError(`a frame must have at most ${maxFrameBytes} bytes, got ${bytes}`, { code: 'bad_request' });
    }
    if (this.#socket.bufferedAmount + bytes > MAX_BUFFERED_BYTES) {
      throw new RequestError(`${MAX_BUFFERED_BYTES} bytes are waiting for the network; send this again later`, {
        code: 'busy',
      });
    }
    const excess = this.#limits.allowance.tryTake(bytes);
    if (excess !== undefined) {
      const most = { messages: messagesPerSecond, bytes: bytesPerSecond }[excess];
      throw new RequestError(`too many ${excess} at once; send at most ${most} a second`, { code: 'busy' });
    }
    this.#socket.send(text);
  }

  /** Gives up the socket without waiting for the server. */
  #drop(reason: string, lateMs = 0): void {
    const socket = this.#socket;
    const isClosing = this.#state === 'closing';
    const end = () => this.#end(isClosing ? CLOSED_BY_CLIENT : closureOf(closeCode('abnormal'), reason), lateMs);
    // The server has said why it closes, and only the end of its stream has got lost: `ws` tells once the socket is gone,
    // and a browser when it has waited for that end.
    if (isClosing || socket.readyState !== CLOSING) end();
    else if (socket.terminate === undefined) {
      this.#stopTimers();
      this.#cancelDeadline = this.#clock.after(BROWSER_CLOSE_MS, end);
    }
    if (socket.terminate === undefined) socket.close();
    else socket.terminate();
  }

  #end(how: Closure, lateMs = 0): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    const closure = this.#farewell === undefined ? how : { ...how, farewell: this.#farewell };
    this.#stopTimers();
    this.#rejectPending(closure);
    this.#observer.ended(closure, lateMs);
    this.#resolveClosed();
  }

  #stopTimers(): void {
    this.#cancelDeadline();
    this.#heartbeat?.stop();
  }

  #rejectPending(closure: Closure): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { cancelTimeout, reject } of pending) {
      cancelTimeout();
      reject(new ConnectionClosedError(closure));
    }
  }
}

function decode(data: unknown): Decoded<ServerFrame> {
  if (typeof data !== 'string') return { ok: false, fault: 'a frame must be text, got a binary message' };
  if (data.length <= MAX_FRAME_CHARACTERS) return decodeServerFrame(data);
  return { ok: false, fault: `a frame must have at most ${MAX_FRAME_CHARACTERS} characters, got ${data.length}` };
}
