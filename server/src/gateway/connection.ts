import {
  type ClientFrame,
  type CloseName,
  decodeClientFrame,
  encode,
  type HelloFrame,
  type ServerFrame,
} from '@respark/protocol';
import type { Clock } from '../clock.ts';
import type { PlayerKey } from '../cluster/cluster.ts';
import type { Outcome } from '../domain/runtime/messages.ts';
import type { StageMetrics } from '../metrics.ts';
import type { PlayerSocket } from './player-socket.ts';

/**
 * The states of a connection, and what leaves each:
 *
 * - `hello`        the socket is open and nobody knows who it is; a hello frame → `admitting`
 * - `admitting`    the game key and the token are being checked; a known player → `registering`
 * - `registering`  the gateway finds it by its id, and the directory is being asked to list it; listed → `open`
 * - `open`         welcomed: messages flow
 * - `stopped`      input and output are detached and the close frame is written, all in one turn; nothing leaves it
 *
 * Every state may go to `stopped`. Its end is proven when the kernel has accepted the close frame or the socket is gone.
 */
export type ConnectionState = 'hello' | 'admitting' | 'registering' | 'open' | 'stopped';

/** What a connection needs of its gateway. */
export interface ConnectionHost {
  readonly clock: Clock;
  readonly settings: {
    readonly maxOutboxBytes: number;
    readonly maxRequestsInFlight: number;
    readonly messagesPerSecond: number;
    readonly messagesBurst: number;
  };
  admit(connection: Connection, hello: HelloFrame): void;
  close(connection: Connection, name: CloseName, text?: string): void;
  /** Bytes that would wait for a player to read. */
  outbox(bytes: number): void;
  dispatch(connection: Connection, frame: Extract<ClientFrame, { kind: 'request' | 'event' }>): Promise<Outcome>;
}

/** One WebSocket of a player, from its upgrade to its end. */
export class Connection {
  readonly id: string;
  /** The address its limits count against. */
  readonly addressGroup: string;
  state: ConnectionState = 'hello';
  /** Whether it was ever `open`. */
  isWelcomed = false;
  /** Who it belongs to; known from `registering` on. */
  player: PlayerKey | undefined;
  /** The runtime of its stage that it opened on; known from `registering` on, and never another. */
  runtimeId: string | undefined;
  /** The directory's answer, from `registering` on. */
  registration: Promise<unknown> | undefined;
  /** Counts this connection with the others of its stage; from `open` on. */
  stageMetrics: StageMetrics | undefined;
  /** Monotonic time of the last frame. */
  lastFrameAt: number;
  /** Resolves when the end is proven; present from `stopped` on. */
  ended: Promise<void> | undefined;
  readonly #socket: PlayerSocket;
  readonly #host: ConnectionHost;
  #messagesLeft: number;
  #requestsInFlight = 0;

  constructor(host: ConnectionHost, socket: PlayerSocket, { id, addressGroup }: { id: string; addressGroup: string }) {
    this.#host = host;
    this.#socket = socket;
    this.id = id;
    this.addressGroup = addressGroup;
    this.lastFrameAt = host.clock.monotonic();
    this.#messagesLeft = host.settings.messagesBurst;
  }

  get isStopped(): boolean {
    return this.state === 'stopped';
  }

  /** Takes one text frame from the player. Once the connection is stopped this does nothing: its input is detached. */
  receive(text: string): void {
    if (this.isStopped) return;
    if (!this.#takeMessage()) {
      this.#host.close(this, 'too_many_messages');
      return;
    }
    const decoded = decodeClientFrame(text);
    if (this.state === 'hello') {
      if (decoded.ok && decoded.frame.kind === 'hello') {
        this.state = 'admitting';
        this.#host.admit(this, decoded.frame);
      } else {
        this.#host.close(this, 'bad_hello', decoded.ok ? 'the first frame must be a hello' : decoded.fault);
      }
      return;
    }
    if (!decoded.ok) this.#host.close(this, 'protocol_error', decoded.fault);
    else if (this.state !== 'open') this.#host.close(this, 'protocol_error', 'wait for the welcome');
    else this.#receiveOpen(decoded.frame);
  }

  /** Sends a frame, unless the connection is stopped; a player who reads too slowly for it is closed instead. */
  send(frame: ServerFrame): void {
    if (this.isStopped) return;
    const text = encode(frame);
    const bytes = this.#socket.bufferedBytes + Buffer.byteLength(text);
    this.#host.outbox(bytes);
    if (bytes > this.#host.settings.maxOutboxBytes) {
      this.#host.close(this, 'slow_consumer');
      return;
    }
    this.#socket.send(text);
  }

  /**
   * Detaches input and output and writes the close frame, before anything else can run. `ended` then says when the end is
   * proven; a second call changes nothing.
   */
  stop(code: number, reason: string): Promise<void> {
    if (this.ended === undefined) {
      this.state = 'stopped';
      this.ended = new Promise((settle) => this.#socket.close(code, reason, settle));
    }
    return this.ended;
  }

  /** Ends the socket now: its peer did not take the close frame in time. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** A ping, which `ws` has answered, or a pong: floods of them end like those of frames, read or unread. */
  receivePingOrPong(): void {
    if (this.isStopped) return;
    const bytes = this.#socket.bufferedBytes;
    this.#host.outbox(bytes);
    if (!this.#takeMessage()) this.#host.close(this, 'too_many_messages');
    else if (bytes > this.#host.settings.maxOutboxBytes) this.#host.close(this, 'slow_consumer');
  }

  /** Counts one frame against the player's rate; false when there is no room for it. */
  #takeMessage(): boolean {
    const { messagesPerSecond, messagesBurst } = this.#host.settings;
    const now = this.#host.clock.monotonic();
    const refill = ((now - this.lastFrameAt) / 1000) * messagesPerSecond;
    this.#messagesLeft = Math.min(messagesBurst, this.#messagesLeft + refill) - 1;
    this.lastFrameAt = now;
    return this.#messagesLeft >= 0;
  }

  #receiveOpen(frame: ClientFrame): void {
    switch (frame.kind) {
      case 'heartbeat':
        this.send({ kind: 'heartbeat' });
        return;
      case 'hello':
        this.#host.close(this, 'protocol_error', 'a hello is sent once');
        return;
      case 'request':
      case 'event':
        void this.#dispatch(frame);
    }
  }

  async #dispatch(frame: Extract<ClientFrame, { kind: 'request' | 'event' }>): Promise<void> {
    const id = frame.kind === 'request' ? { id: frame.id } : {};
    if (this.#requestsInFlight >= this.#host.settings.maxRequestsInFlight) {
      this.send({ kind: 'error', ...id, code: 'busy', message: 'too many messages of yours are still being handled' });
      return;
    }
    this.#requestsInFlight += 1;
    try {
      const outcome = await this.#host.dispatch(this, frame);
      if (!outcome.isHandled) this.send({ kind: 'error', ...id, code: outcome.code, message: outcome.message });
      else if (frame.kind === 'request') this.send({ kind: 'response', id: frame.id, payload: outcome.payload });
    } catch {
      // The gateway has logged the truth; players learn only that it was our fault.
      this.send({ kind: 'error', ...id, code: 'internal', message: 'the server failed to handle this message' });
    } finally {
      this.#requestsInFlight -= 1;
    }
  }
}
