import {
  type ClientFrame,
  type CloseFacts,
  type CloseName,
  decodeClientFrame,
  type EventFrame,
  encode,
  type HelloFrame,
  type RequestFrame,
  type ServerFrame,
  type WelcomeFrame,
} from '@respark/protocol';
import { widestGroup } from '../address-buckets.ts';
import type { Clock, Moment } from '../clock.ts';
import type { Lease } from '../cluster/cluster.ts';
import type { Session } from '../domain/players/player-tokens.ts';
import type { Runtime } from '../domain/runtime/runtimes.ts';
import type { Log } from '../log.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import type { Metrics } from '../metrics.ts';
import type { SignedInPlayer } from '../player-key.ts';
import type { StageMetrics } from '../stage-counts.ts';
import { answerTo } from './message-answer.ts';
import type { PlayerSocket, SocketProof, TextFrame } from './player-socket.ts';

/**
 * The states of a connection, and what leaves each:
 *
 * - `hello`        the socket is open, and its player is not known yet; a hello frame → `admitting`
 * - `admitting`    the game key and the token are being checked; a player who may connect → `registering`
 * - `registering`  the gateway finds the connection by its id, and asks the directory to list it; listed → `open`
 * - `open`         the player has been welcomed, and messages flow
 * - `stopped`      input and output are detached and the close frame is written, all in one turn; this state is final
 *
 * Every state may lead to `stopped`. The end is proven when the kernel has accepted the close frame or the socket is
 * gone. Only the methods below move a connection from one state to the next.
 */
type ConnectionState = 'hello' | 'admitting' | 'registering' | 'open' | 'stopped';

/** Why a connection is ended, as its client is told. */
export interface Why {
  readonly name: CloseName;
  readonly text?: string | undefined;
  readonly facts?: CloseFacts;
  /** The game's own code for the reason. */
  readonly reasonCode?: string | undefined;
  /** A frame that the client gets before the close frame. */
  readonly farewell?: TextFrame | undefined;
}

/** What a connection needs from its gateway. */
export interface ConnectionHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'outbox'>;
  readonly settings: {
    readonly maxOutboxBytes: number;
    readonly maxRequestsInFlight: number;
    readonly messagesPerSecond: number;
    readonly messagesBurst: number;
    readonly bytesPerSecond: number;
    readonly bytesBurst: number;
  };
  /** Counts what has come against the address of the connection. Tells of what that has sent too much. */
  findExcess(connection: Connection, sent: { frames: number; bytes: number }): 'messages' | 'bytes' | undefined;
  /** Checks the hello and, in the end, opens or closes the connection. */
  admit(connection: Connection, hello: HelloFrame): void;
  /** Must be called after each write. May stop this connection or others. */
  noteOutbox(connection: Connection): void;
  /** Stops the connection before it returns. */
  close(connection: Connection, name: CloseName, text?: string): void;
}

const NEVER: Moment = { monotonic: 0, wall: 0 };

/** One WebSocket of a player, from its upgrade to its end. */
export class Connection {
  readonly id: string;
  /** The address group that the connection counts against. */
  readonly addressGroup: string;
  readonly #socket: PlayerSocket;
  readonly #host: ConnectionHost;
  #state: ConnectionState = 'hello';
  /** Whether the player was sent away: what still waits for its handler is dropped then. */
  #isSentAway = false;
  #player: SignedInPlayer | undefined;
  #runtime: Runtime | undefined;
  #lease: Lease | undefined;
  #registered: Moment = NEVER;
  #session: Session | undefined;
  #stageMetrics: StageMetrics | undefined;
  #ended: MaybePromise<void> = undefined;
  #end: { readonly proof: SocketProof; readonly at: number } | undefined;
  #lastFrameAt: number;
  #messagesLeft: number;
  #bytesLeft: number;
  #isPongAwaited = false;
  #nextSign: { readonly shown: Promise<void>; readonly show: () => void } | undefined;
  #requestsInFlight = 0;

  constructor(host: ConnectionHost, socket: PlayerSocket, { id, addressGroup }: { id: string; addressGroup: string }) {
    this.#host = host;
    this.#socket = socket;
    this.id = id;
    this.addressGroup = addressGroup;
    this.#lastFrameAt = host.clock.monotonic();
    this.#messagesLeft = host.settings.messagesBurst;
    this.#bytesLeft = host.settings.bytesBurst;
  }

  get isAwaitingHello(): boolean {
    return this.#state === 'hello';
  }

  /** Whether the hello has come, and neither a welcome nor a refusal has been sent. */
  get isAwaitingWelcome(): boolean {
    return this.#state === 'admitting' || this.#state === 'registering';
  }

  get isStopped(): boolean {
    return this.#state === 'stopped';
  }

  /** Whether the connection is `open`, or was before it stopped. */
  get isWelcomed(): boolean {
    return this.#stageMetrics !== undefined;
  }

  /** The player that the connection belongs to; known from `registering` on. */
  get player(): SignedInPlayer | undefined {
    return this.#player;
  }

  /** The runtime that answers the connection's messages. Known from `registering` on, it never changes. */
  get runtime(): Runtime | undefined {
    return this.#runtime;
  }

  /** The lease of the node under which the connection registered; known from `registering` on. */
  get lease(): Lease | undefined {
    return this.#lease;
  }

  /** When the connection registered, milliseconds since 1970, as the directory has it; known from `registering` on. */
  get registeredAt(): number {
    return this.#registered.wall;
  }

  /**
   * Whether it registered before then. The wall clock may have been set back since it registered, and the monotonic one stands
   * still while a machine is suspended, so it is enough that one of them says so.
   */
  hasRegisteredBefore({ monotonic, wall }: Moment): boolean {
    return this.#registered.wall < wall || this.#registered.monotonic < monotonic;
  }

  /** Monotonic time of the last frame, ping or pong from the player; before the first one, of the upgrade. */
  get lastFrameAt(): number {
    return this.#lastFrameAt;
  }

  /** Bytes that wait for the player to read them. */
  get outboxBytes(): number {
    return this.#socket.bufferedBytes;
  }

  /** Whether messages of the player are being handled, or wait for that. They may outlast the connection. */
  get hasMessages(): boolean {
    return this.#requestsInFlight > 0;
  }

  /** Whether the player has not answered the last ping yet. */
  get isPongAwaited(): boolean {
    return this.#isPongAwaited;
  }

  /** A promise while the end of a connection that has stopped is not proven yet. */
  get ended(): MaybePromise<void> {
    return this.#ended;
  }

  /** How the end was proven, and when, milliseconds since 1970. */
  get end(): { readonly proof: SocketProof; readonly at: number } | undefined {
    return this.#end;
  }

  /**
   * Takes one text frame from the player, with its length in bytes of UTF-8. Does nothing once the connection has
   * stopped: its input is detached.
   */
  receive(text: string, bytes = Buffer.byteLength(text)): void {
    if (this.isStopped || !this.#mayAct() || !this.#mayTake({ frames: 1, bytes })) return;
    const decoded = decodeClientFrame(text);
    if (this.#state === 'hello') {
      if (decoded.ok && decoded.frame.kind === 'hello') {
        this.#state = 'admitting';
        this.#host.admit(this, decoded.frame);
      } else {
        this.#host.close(this, 'bad_hello', decoded.ok ? 'the first frame must be a hello' : decoded.fault);
      }
      return;
    }
    if (!decoded.ok) this.#host.close(this, 'protocol_error', decoded.fault);
    else if (this.#state !== 'open') this.#host.close(this, 'protocol_error', 'wait for the welcome');
    else this.#receiveOpen(decoded.frame);
  }

  /**
   * `admitting` → `registering`: from now on the connection belongs to a player and is on a runtime. It may register again
   * as another one, as long as the directory has not listed it.
   */
  register(player: SignedInPlayer, runtime: Runtime, lease: Lease, at: Moment): void {
    if (!this.isAwaitingWelcome) throw new Error(`connection ${this.id} cannot register while ${this.#state}`);
    this.#state = 'registering';
    this.#player = player;
    this.#runtime = runtime;
    this.#lease = lease;
    this.#registered = at;
  }

  /** Other nodes may take a node whose lease has ended for dead, so nothing passes from then on. */
  #mayAct(): boolean {
    return this.#lease === undefined || this.#lease.mayAct();
  }

  /**
   * `registering` → `open`: counts the connection in the metrics of its stage, and sends the welcome. The session is what
   * the token of the hello said.
   */
  open(welcome: WelcomeFrame, stageMetrics: StageMetrics, session?: Session): void {
    if (this.#state !== 'registering') throw new Error(`connection ${this.id} cannot open while ${this.#state}`);
    this.#state = 'open';
    this.#stageMetrics = stageMetrics;
    this.#session = session;
    stageMetrics.opened();
    this.send(welcome);
  }

  /**
   * Sends a frame unless the connection has stopped. Closes it instead when the player reads too slowly for its outbox.
   */
  send(frame: ServerFrame): void {
    this.#sendFrame(encode(frame));
  }

  #sendFrame(text: string): void {
    if (this.isStopped || !this.#mayAct()) return;
    this.#sendText(text, Buffer.byteLength(text));
  }

  /** Whether the connection is still there afterwards: what is too much for its outbox ends it. */
  #sendText(text: string, bytes: number): boolean {
    const outboxBytes = this.#socket.bufferedBytes + bytes;
    this.#host.metrics.outbox(outboxBytes);
    if (outboxBytes > this.#host.settings.maxOutboxBytes) {
      this.#host.close(this, 'slow_consumer');
      return false;
    }
    this.#socket.send(text, bytes);
    this.#host.noteOutbox(this);
    return !this.isStopped;
  }

  /**
   * Sends a notification, the text of its frame and that text's length in bytes of UTF-8, if the player has been welcomed:
   * before that, clients expect none. Returns whether it was written.
   */
  notify(text: string, bytes: number): boolean {
    return this.#state === 'open' && this.#mayAct() && this.#sendText(text, bytes);
  }

  /**
   * Detaches input and output and writes the close frame before anything else can run; in front of it the farewell, for
   * a player who has been welcomed and whose outbox has room for it. Returns a promise, which resolves when the end is
   * proven, unless it is proven at once; a second call changes nothing and returns the same.
   */
  stop(code: number, reason: string, farewell?: TextFrame): MaybePromise<void> {
    if (!this.isStopped) {
      const last = farewell !== undefined && this.#mayHear(farewell) ? farewell : undefined;
      this.#state = 'stopped';
      this.#ended = this.#closeSocket(code, reason, last);
      this.#stageMetrics?.stopped();
      this.#showSign();
    }
    return this.#ended;
  }

  /**
   * Has everything dropped that came on the connection and still waits for its handler, because somebody wants the player
   * gone, or may have been told that the player is. The connection may be ending for another reason already.
   */
  sendAway(): void {
    if (this.#isSentAway) return;
    this.#isSentAway = true;
    if (this.hasMessages) this.#runtime?.dropped();
  }

  #mayHear({ bytes }: TextFrame): boolean {
    if (this.#state !== 'open' || !this.#mayAct()) return false;
    return this.#socket.bufferedBytes + bytes <= this.#host.settings.maxOutboxBytes;
  }

  #closeSocket(code: number, reason: string, last: TextFrame | undefined): MaybePromise<void> {
    let settle = () => {};
    const prove = (proof: SocketProof) => {
      this.#end = { proof, at: this.#host.clock.now() };
      settle();
    };
    this.#socket.close(code, reason, prove, last);
    if (this.#end !== undefined) return;
    return new Promise((resolve) => {
      settle = resolve;
    });
  }

  /** Has the socket neither read nor write until the connection ends, which then comes without a close frame. */
  silence(): void {
    this.#socket.silence();
  }

  /** Ends the socket now, because its peer did not take the close frame in time. */
  destroy(): void {
    this.#socket.destroy();
  }

  /**
   * Asks the player for a sign of life, which any WebSocket gives even while its application sleeps. Does nothing while
   * an earlier ping is unanswered, so that pings never pile up for a player who does not read.
   */
  ping(): void {
    if (this.isStopped || this.#isPongAwaited) return;
    this.#isPongAwaited = true;
    this.#socket.ping();
  }

  /** Pings the player, and resolves at the next frame, ping or pong, or when the connection stops. */
  signOfLife(): Promise<void> {
    if (this.isStopped) return Promise.resolve();
    if (this.#nextSign === undefined) {
      let show = () => {};
      const shown = new Promise<void>((resolve) => {
        show = resolve;
      });
      this.#nextSign = { shown, show };
    }
    this.ping();
    return this.#nextSign.shown;
  }

  #showSign(): void {
    this.#nextSign?.show();
    this.#nextSign = undefined;
  }

  /** Takes a ping, which has been answered, with the length of its data. */
  receivePing(bytes = 0): void {
    this.#receiveControlFrame({ frames: 1, bytes });
  }

  /** Takes a pong, with the length of its data. The answer to a ping of the server's costs the player nothing. */
  receivePong(bytes = 0): void {
    const cost = this.#isPongAwaited ? { frames: 0, bytes: 0 } : { frames: 1, bytes };
    this.#isPongAwaited = false;
    this.#receiveControlFrame(cost);
  }

  /**
   * Pings and pongs count against the player's rate, and the answers to pings against the outbox, so that a flood of
   * them is closed like a flood of frames.
   */
  #receiveControlFrame(cost: { frames: number; bytes: number }): void {
    if (this.isStopped) return;
    const outbox = this.#socket.bufferedBytes;
    this.#host.metrics.outbox(outbox);
    if (!this.#mayTake(cost)) return;
    if (outbox > this.#host.settings.maxOutboxBytes) this.#host.close(this, 'slow_consumer');
    else this.#host.noteOutbox(this);
  }

  /** Counts what has come against what the player may send. Closes the connection, and returns false, if it is too much. */
  #mayTake(sent: { frames: number; bytes: number }): boolean {
    const { messagesPerSecond, messagesBurst, bytesPerSecond, bytesBurst } = this.#host.settings;
    const now = this.#host.clock.monotonic();
    const seconds = (now - this.#lastFrameAt) / 1000;
    this.#lastFrameAt = now;
    this.#showSign();
    this.#messagesLeft = Math.min(messagesBurst, this.#messagesLeft + seconds * messagesPerSecond) - sent.frames;
    this.#bytesLeft = Math.min(bytesBurst, this.#bytesLeft + seconds * bytesPerSecond) - sent.bytes;
    if (this.#messagesLeft < 0) this.#host.close(this, 'too_many_messages');
    else if (this.#bytesLeft < 0) this.#host.close(this, 'too_many_messages', 'more than bytesPerSecond');
    else {
      const excess = this.#host.findExcess(this, sent);
      if (excess === undefined) return true;
      this.#host.close(this, 'too_many_messages', `your address sends too many ${excess}`);
    }
    return false;
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
        this.#dispatch(frame);
    }
  }

  #dispatch(frame: RequestFrame | EventFrame): void {
    const id = frame.kind === 'request' ? { id: frame.id } : {};
    if (this.#requestsInFlight >= this.#host.settings.maxRequestsInFlight) {
      this.send({ kind: 'error', ...id, code: 'busy', message: 'too many of your messages are still being handled' });
      return;
    }
    this.#requestsInFlight += 1;
    const [player, session, runtime] = [this.#player, this.#session, this.#runtime];
    const isDropped = () => this.#isSentAway || !this.#mayAct();
    const network = widestGroup(this.addressGroup);
    const facts = { connectionId: this.id, player, network, session, runtime, isDropped, log: this.#host.log };
    const answer = answerTo(frame, facts);
    void andThen(answer, (text) => {
      this.#requestsInFlight -= 1;
      if (text !== undefined) this.#sendFrame(text);
    });
  }
}
