import { connect, type Socket } from 'node:net';
import type { HandlerName } from '../cloud-code/handlers.ts';
import { CLOSE, clientFrame, readFrames } from './frames.ts';
import type { HttpConnection } from './http.ts';

/** A player that will connect, and its first frame if its dialect has one. */
export interface PlayerSeed {
  readonly playerId: string;
  readonly hello: string;
}

export interface Player extends PlayerSeed {
  connections: Connection[];
}

/** The frames that a client of one contestant exchanges on its WebSocket, and no more than is needed. */
export interface Dialect {
  /** Additional header lines of the upgrade request. */
  readonly headers?: string;
  /** The path that the player connects to; `http` is for a contestant that has players ask for one. */
  path(seed: PlayerSeed, port: number, http: HttpConnection): string | Promise<string>;
  /** Called when the upgrade has succeeded. */
  opened(connection: Connection): void;
  received(connection: Connection, payload: Buffer): void;
  /** A small request, as a complete frame. */
  readonly request: Buffer;
  /** A message to each handler that the contestant has, as a complete frame. */
  readonly messages?: Readonly<Partial<Record<HandlerName, Buffer>>>;
  /** The code with which a disconnected player's sockets are closed; undefined for a close frame without a code. */
  readonly closeCode: number | undefined;
}

/** How many loopback addresses players use: Linux finds free ports slowly when an address has used half of them. */
const SOURCE_ADDRESSES = 8;

const UPGRADED = 'HTTP/1.1 101';

/** One WebSocket of a player, on a bare socket, so that the generator costs less than the server that it measures. */
export class Connection {
  readonly player: Player;
  readonly path: string;
  /** Resolves when the server has accepted it as the player's. */
  readonly welcomed: Promise<void>;
  /** Resolves when the close frame, or the end of the socket without one, has arrived. */
  readonly closed: Promise<void>;
  /** The server's id for it, if the server tells the client. */
  id: string | undefined;
  /** When it closed, on the clock of `performance.now()`. */
  closedAt: number | undefined;
  closeCode: number | undefined;
  /** How many notifications have arrived. */
  notifications = 0;
  /** The callbacks of requests in flight, in order. Handlers may overtake each other, so they are asked one at a time. */
  readonly #waiting: (() => void)[] = [];
  readonly #dialect: Dialect;
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #isUpgraded = false;
  #welcome: (() => void) | undefined;
  #settleClosed: (() => void) | undefined;

  constructor({
    player,
    dialect,
    path,
    port,
    serial,
    network = 0,
  }: {
    player: Player;
    dialect: Dialect;
    path: string;
    port: number;
    /** Spreads connections over source addresses. */
    serial: number;
    /** Which 127.0.NETWORK.0/24 those are of. */
    network?: number;
  }) {
    this.player = player;
    this.path = path;
    this.#dialect = dialect;
    const localAddress = `127.0.${network}.${2 + (serial % SOURCE_ADDRESSES)}`;
    const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    this.#socket = socket;
    this.welcomed = new Promise((resolve, reject) => {
      this.#welcome = resolve;
      socket.once('close', () => reject(new Error(`${player.playerId} was not welcomed: ${this.#state()}`)));
    });
    // The caller awaits it while connecting; a later rejection says no more than `closed` does.
    this.welcomed.catch(() => {});
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.#close(undefined));
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${dialect.headers ?? ''}\r\n`,
    );
  }

  get isOpen(): boolean {
    return this.closedAt === undefined;
  }

  send(opcode: number, payload: Uint8Array | string): void {
    this.#socket.write(clientFrame(opcode, payload));
  }

  request(frame: Buffer, onAnswer: () => void): void {
    this.#waiting.push(onAnswer);
    this.#socket.write(frame);
  }

  /** Called when the answer to the oldest request has arrived. */
  answer(): void {
    this.#waiting.shift()?.();
  }

  /** Called when a notification has arrived. */
  notified(): void {
    this.notifications += 1;
  }

  /** Called when the server has accepted this connection as the player's. */
  welcome(id: string | undefined): void {
    this.id = id;
    this.#welcome?.();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    let bytes = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    if (!this.#isUpgraded) {
      const end = bytes.indexOf('\r\n\r\n');
      this.#received = bytes;
      if (end === -1) return;
      if (bytes.toString('latin1', 0, UPGRADED.length) !== UPGRADED) {
        this.destroy();
        return;
      }
      this.#isUpgraded = true;
      bytes = bytes.subarray(end + 4);
      this.#dialect.opened(this);
    }
    this.#received = readFrames(bytes, (opcode, payload) => {
      if (opcode === CLOSE) this.#answerClose(payload);
      else this.#dialect.received(this, payload);
    });
  }

  #answerClose(payload: Buffer): void {
    this.#close(payload.length >= 2 ? payload.readUInt16BE(0) : undefined);
    this.send(CLOSE, payload.subarray(0, 2));
  }

  #close(code: number | undefined): void {
    if (!this.isOpen) return;
    this.closedAt = performance.now();
    this.closeCode = code;
    this.#settleClosed?.();
  }

  #state(): string {
    if (!this.#isUpgraded) return `the server answered ${this.#received.toString().slice(0, 80) || 'nothing'}`;
    return `closed with ${this.closeCode}`;
  }
}
