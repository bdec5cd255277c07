import { closeCode, GET_PLAYER_TOKEN, type HelloFrame, type Payload, SUBPROTOCOL } from '@respark/protocol';
import { Backoff, type BackoffOptions } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { CLOSED_BY_CLIENT, Connection } from './connection.ts';
import { endpointOf } from './endpoint.ts';
import { type Closure, ConnectionClosedError, closureOf, ResparkError } from './errors.ts';
import { Events } from './events.ts';
import { onReturn, type Page, platformPage } from './page.ts';
import { PlayerToken, type TokenSource, type TokenStorage } from './player-token.ts';
import { findSocketConstructor, type ImportWs, type SocketConstructor } from './socket.ts';

/*
 * One connection after another, all of the same player.
 *
 *   closed ──connect()──► connecting ──welcome──► connected
 *                          ▲      │                   │
 *                          │      └──── it ended ─────┤
 *                          └──waited── waiting ◄──────┴── verdict "reconnect" and attempts left
 *
 *   closed      nothing runs; entered after a "stop" verdict, after the last attempt, and from any state by close()
 *   connecting  a connection before its welcome
 *   connected   a connection after its welcome
 *   waiting     the back-off before the next attempt; cut short by connect(), and by a page that hears that the network
 *               is back or is shown again
 */
export type ClientState = 'closed' | 'connecting' | 'connected' | 'waiting';

export interface ClientOptions {
  /** `ws(s)://HOST:PORT`, or the same with `http(s)`; the path `/connect` is added if there is none. */
  readonly url: string;
  readonly gameKey: string;
  /**
   * Names the player, and takes precedence over the storage. Without either, the server creates a guest. A function is
   * asked before each attempt, and once more when the server refuses what it gave; then the storage is not used at all.
   */
  readonly token?: string | TokenSource | undefined;
  /** In browsers `browserTokenStorage()`. Without any, the player lives as long as this client. */
  readonly storage?: TokenStorage | undefined;
  /** By default the platform's, or that of the package `ws` if the platform has none. */
  readonly WebSocket?: SocketConstructor | undefined;
  /** How long an answer may take, in milliseconds; 10,000 by default. */
  readonly requestTimeoutMs?: number | undefined;
  /** How long an attempt may take until its welcome, in milliseconds; 10,000 by default. */
  readonly connectTimeoutMs?: number | undefined;
  /** By default baseMs is 500, capMs 30,000, and the number of retries unlimited. */
  readonly reconnect?: Partial<BackoffOptions> | undefined;
  /** The player's, such as `pt-BR`, in which messages of the server are shown if it has them; by default the platform's. */
  readonly locale?: string | undefined;
  /** Returns numbers from 0 up to but not including 1, for the jitter. */
  readonly random?: (() => number) | undefined;
  readonly clock?: Clock | undefined;
  /** Whose events tell that the network is back or the page is shown; by default those of `window`, if there is one. */
  readonly page?: Page | undefined;
}

/** The player and the id of a connection, and what the server allows on it. */
export interface Welcome {
  readonly playerId: string;
  readonly connectionId: string;
  readonly heartbeatMs: number;
  readonly maxFrameBytes: number;
  readonly messagesPerSecond: number;
  readonly messagesBurst: number;
  readonly bytesPerSecond: number;
  readonly bytesBurst: number;
  readonly maxRequestsInFlight: number;
  readonly tokenLifetimeMs: number;
}

export interface Notification {
  readonly type: string;
  readonly payload: Payload;
}

/** How a connection, or an attempt to open one, ended, and what the client does next. */
export interface Disconnect extends Closure {
  /** When the next attempt starts, in milliseconds from now; undefined if there is none. */
  readonly reconnectInMs: number | undefined;
}

export interface ClientEvents {
  state: ClientState;
  welcome: Welcome;
  notification: Notification;
  disconnect: Disconnect;
  /** A failure outside of any call: of the storage, of a renewal, or of an event that the server could not handle. */
  error: Error;
}

/** A connection that lasts this long after its welcome counts as good: the back-off starts again from its base. */
const LASTING_MS = 10_000;
/** How often a wait may be cut short, so that neither flapping events nor an impatient caller make a storm. */
const HURRY_SPACING_MS = 10_000;
/** The back-off starts again from its base only if no wait was cut short for this long. */
const CALM_MS = 60_000;
const NOT_CONNECTED = closureOf(closeCode('abnormal'), 'not connected');

interface PendingConnect {
  readonly promise: Promise<Welcome>;
  readonly resolve: (welcome: Welcome) => void;
  readonly reject: (error: Error) => void;
}

export class ResparkClient {
  readonly #url: string;
  readonly #gameKey: string;
  readonly #requestTimeoutMs: number;
  readonly #connectTimeoutMs: number;
  readonly #locale: string | undefined;
  readonly #WebSocket: SocketConstructor | undefined;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #events = new Events<ClientEvents>();
  readonly #token: PlayerToken;
  #state: ClientState = 'closed';
  /** Counts attempts; whatever an older attempt still reports is ignored. */
  #attempt = 0;
  #connection: Connection | undefined;
  #welcome: Welcome | undefined;
  #welcomedAtMs: number | undefined;
  #lastClosure: Closure = NOT_CONNECTED;
  #pendingConnect: PendingConnect | undefined;
  #cancelWait: () => void = () => {};
  /** When the wait ends, and when it may end at the earliest, because the server asked for that. */
  #waitUntilMs = 0;
  #waitAtLeastUntilMs = 0;
  #hurriedAtMs = Number.NEGATIVE_INFINITY;
  readonly #page: Page | undefined;
  #stopListening: (() => void) | undefined;
  #closing: Promise<void> = Promise.resolve();
  /** The entry for Node.js has one. */
  protected readonly importWs: ImportWs | undefined;

  constructor(options: ClientOptions) {
    const { clock = systemClock, random = Math.random, reconnect = {} } = options;
    this.#url = endpointOf(options.url);
    this.#gameKey = options.gameKey;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 10_000;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
    this.#locale = options.locale;
    this.#WebSocket = options.WebSocket;
    this.#clock = clock;
    this.#page = options.page;
    this.#backoff = new Backoff(
      { baseMs: 500, capMs: 30_000, maxRetries: Number.POSITIVE_INFINITY, ...reconnect },
      random,
    );
    this.#token = new PlayerToken({
      token: options.token,
      storage: options.storage,
      scope: { url: this.#url, gameKey: this.#gameKey },
      clock,
      report: (error) => this.#events.emit('error', error),
    });
  }

  get state(): ClientState {
    return this.#state;
  }

  /** The player of the latest welcome, also while there is no connection; undefined before the first welcome. */
  get playerId(): string | undefined {
    return this.#welcome?.playerId;
  }

  /** The id of the current connection; undefined unless connected. */
  get connectionId(): string | undefined {
    return this.#state === 'connected' ? this.#welcome?.connectionId : undefined;
  }

  /** Calls `listener` at each event of this name, until the returned function is called. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Resolves at the next welcome, or at once if the client is connected. It waits through failed attempts, and rejects
   * with a ConnectionClosedError when an attempt ends with the verdict "stop", when no attempts are left, and at
   * close().
   *
   * Call it also when you learn that the network is back or the player has returned: while waiting it starts an attempt
   * now, or as soon as the server allows one (`retryAfterMs`), and while connected it checks that the server is still
   * there. Browsers do that by themselves. More often than every ten seconds it does not cut a wait short.
   */
  connect(): Promise<Welcome> {
    this.#hurry();
    if (this.#state === 'connected' && this.#welcome !== undefined) return Promise.resolve(this.#welcome);
    this.#pendingConnect ??= pendingConnect();
    const { promise } = this.#pendingConnect;
    if (this.#state === 'closed') {
      this.#backoff.reset();
      this.#startAttempt();
    }
    return promise;
  }

  /**
   * Resolves to the payload of the answer. Rejects with a RequestError, with a RequestTimeoutError, or, if there is no
   * connection or it ends before the answer, with a ConnectionClosedError. Nothing is queued for later: a request that
   * the server would not accept now, because a limit of the welcome on messages, bytes or requests in flight is
   * reached, is refused at once with the code `busy`.
   */
  request(type: string, payload: Payload = {}, options: { readonly timeoutMs?: number } = {}): Promise<Payload> {
    const connection = this.#connected();
    if (connection === undefined) return Promise.reject(new ConnectionClosedError(this.#lastClosure));
    return connection.request(type, payload, options.timeoutMs ?? this.#requestTimeoutMs);
  }

  /** Sends a message that gets no answer. Throws a RequestError or a ConnectionClosedError if it was not sent. */
  event(type: string, payload: Payload = {}): void {
    const connection = this.#connected();
    if (connection === undefined) throw new ConnectionClosedError(this.#lastClosure);
    connection.event(type, payload);
  }

  /**
   * Ends the connection and all attempts. Resolves when the socket is gone, within about a second; after that the
   * client does not keep a process alive. connect() may be called again, and connects as the same player.
   */
  close(): Promise<void> {
    const connection = this.#connection;
    if (this.#state !== 'closed') this.#ended(CLOSED_BY_CLIENT);
    if (connection !== undefined) this.#closing = connection.close();
    return this.#closing;
  }

  /** Closes, and forgets the token, also in the storage: the next connect() makes a new guest. */
  async forgetPlayer(): Promise<void> {
    // In this order, because a listener that hears of the end may connect again.
    await Promise.all([this.#token.forget(), this.close()]);
  }

  #connected(): Connection | undefined {
    return this.#state === 'connected' ? this.#connection : undefined;
  }

  #startAttempt(): void {
    this.#cancelWait();
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#setState('connecting');
    this.#open(attempt).catch((error: Error) => {
      if (attempt !== this.#attempt) return;
      this.#fail(error);
      this.#events.emit('error', error);
    });
  }

  async #open(attempt: number): Promise<void> {
    const WebSocket = this.#WebSocket ?? (await findSocketConstructor(this.importWs));
    let token: string | undefined;
    try {
      token = await this.#token.load(this.#connectTimeoutMs);
    } catch (cause) {
      if (attempt === this.#attempt) this.#missedToken(cause);
      return;
    }
    if (attempt !== this.#attempt) return;
    const hello: HelloFrame = { kind: 'hello', gameKey: this.#gameKey, ...(token === undefined ? {} : { token }) };
    const isCurrent = () => attempt === this.#attempt;
    const connection = new Connection({
      socket: new WebSocket(this.#url, [SUBPROTOCOL]),
      hello,
      clock: this.#clock,
      connectTimeoutMs: this.#connectTimeoutMs,
      locale: this.#locale,
      observer: {
        welcomed: ({ kind: _, ...welcome }) => isCurrent() && this.#welcomed(connection, welcome),
        notified: ({ type, payload }) => isCurrent() && this.#events.emit('notification', { type, payload }),
        faulted: (error) => isCurrent() && this.#events.emit('error', error),
        ended: (closure, lateMs) => isCurrent() && this.#ended(closure, lateMs),
      },
    });
    this.#connection = connection;
  }

  /** The source of tokens may be away for as long as the network is, so this ends an attempt like a lost connection. */
  #missedToken(cause: unknown): void {
    const reason = `the game's own function gave no token: ${cause instanceof Error ? cause.message : String(cause)}`;
    this.#ended(closureOf(closeCode('abnormal'), reason));
    this.#events.emit('error', new ResparkError(reason, { code: 'token', cause }));
  }

  #welcomed(connection: Connection, welcome: Welcome): void {
    this.#welcome = welcome;
    this.#welcomedAtMs = this.#clock.monotonic();
    const pending = this.#pendingConnect;
    this.#pendingConnect = undefined;
    // Renewing starts before any listener is called, because a listener may close this connection, which stops it.
    const ask = () => connection.request(GET_PLAYER_TOKEN, {}, this.#requestTimeoutMs);
    this.#token.startRenewing(ask, welcome.playerId, welcome.tokenLifetimeMs);
    pending?.resolve(welcome);
    this.#setState('connected');
    this.#events.emit('welcome', welcome);
  }

  /**
   * Ends the current attempt, whatever its state, and decides whether there is another one. The wait for it counts from
   * when the end could have been known: where timers are held back, even a short one may take a minute.
   */
  #ended(closure: Closure, lateMs = 0): void {
    const lastedMs = this.#welcomedAtMs === undefined ? 0 : this.#clock.monotonic() - this.#welcomedAtMs;
    if (lastedMs >= LASTING_MS) this.#backoff.reset();
    const mayRetry = closure.name === 'token_refused' ? this.#token.refused() : closure.verdict === 'reconnect';
    const waitMs = mayRetry ? this.#backoff.next(closure.retryAfterMs) : undefined;
    this.#leaveAttempt(closure);
    if (waitMs === undefined) {
      this.#fail(new ConnectionClosedError(closure));
      this.#events.emit('disconnect', { ...closure, reconnectInMs: undefined });
      return;
    }
    const reconnectInMs = Math.max(0, waitMs - lateMs);
    const attempt = this.#attempt;
    this.#waitAtLeastUntilMs = this.#clock.monotonic() + (closure.retryAfterMs ?? 0);
    this.#wait(reconnectInMs);
    this.#setState('waiting');
    this.#events.emit('disconnect', { ...closure, reconnectInMs });
    // A timer of no time could be held back too. A listener may have closed the client meanwhile.
    if (reconnectInMs === 0 && attempt === this.#attempt) this.#startAttempt();
  }

  #wait(forMs: number): void {
    this.#cancelWait();
    this.#waitUntilMs = this.#clock.monotonic() + forMs;
    this.#cancelWait = this.#clock.after(forMs, () => this.#startAttempt());
  }

  /** There is reason to believe that an attempt would succeed now. */
  #hurry(): void {
    if (this.#state === 'connected') this.#connection?.check();
    if (this.#state !== 'waiting') return;
    const now = this.#clock.monotonic();
    if (now >= this.#waitUntilMs) {
      // The timer was held back.
      this.#startAttempt();
      return;
    }
    const calmMs = now - this.#hurriedAtMs;
    if (calmMs < HURRY_SPACING_MS) return;
    this.#hurriedAtMs = now;
    if (calmMs >= CALM_MS) this.#backoff.reset();
    const atLeastMs = this.#waitAtLeastUntilMs - now;
    if (atLeastMs <= 0) this.#startAttempt();
    else this.#wait(Math.min(this.#waitUntilMs - now, this.#backoff.next(atLeastMs) ?? Number.POSITIVE_INFINITY));
  }

  #leaveAttempt(closure: Closure): void {
    this.#attempt += 1;
    this.#connection = undefined;
    this.#welcomedAtMs = undefined;
    this.#lastClosure = closure;
    this.#cancelWait();
    this.#token.stopRenewing();
  }

  #fail(error: Error): void {
    const pending = this.#pendingConnect;
    this.#pendingConnect = undefined;
    this.#setState('closed');
    pending?.reject(error);
  }

  #setState(state: ClientState): void {
    this.#state = state;
    if (state === 'closed') {
      this.#stopListening?.();
      this.#stopListening = undefined;
    } else this.#stopListening ??= onReturn(this.#page ?? platformPage(), () => this.#hurry());
    this.#events.emit('state', state);
  }
}

function pendingConnect(): PendingConnect {
  let resolve: PendingConnect['resolve'] = () => {};
  let reject: PendingConnect['reject'] = () => {};
  const promise = new Promise<Welcome>((onWelcome, onFailure) => {
    resolve = onWelcome;
    reject = onFailure;
  });
  return { promise, resolve, reject };
}
