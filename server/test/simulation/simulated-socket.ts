import type { Connection } from '../../src/gateway/connection.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import type { PlayerSocket, SocketProof, TextFrame } from '../../src/gateway/player-socket.ts';
import type { History } from './history.ts';

/** What a socket needs from the world around it. */
interface SocketWorld {
  readonly history: Pick<History, 'tick' | 'record'>;
  readonly gateway: Pick<Gateway, 'socketClosed'>;
  later(label: string, task: () => void): void;
}

/**
 * A player's WebSocket as the server sees it. Its peer may stop reading; what the server writes then stays in user
 * space. Like `ws`, it still delivers the peer's frames after the server has closed it.
 */
export class SimulatedSocket implements PlayerSocket {
  readonly #world: SocketWorld;
  #unaccepted: string[] = [];
  #settle: ((proof: SocketProof) => void) | undefined;
  #isClosing = false;
  isReading = true;
  /** A peer whose network is gone, or who has been left alone, answers no ping. */
  answersPings = true;
  isGone = false;
  connection: Connection | undefined;
  /** The close frame that the server wrote. */
  closedWith: string | undefined;
  /** The frame that the server gave to be written in front of it, and the bytes that waited then. */
  farewell: string | undefined;
  bytesBeforeClose = 0;
  /** Whether both were written, because the peer had not closed before. */
  hasWrittenClose = false;
  /** What the server was told of the socket's end. */
  proof: SocketProof | undefined;
  /** When the player connected, lost the network although welcomed, and was stopped, as the history counts. */
  readonly connectedAt: number;
  lostAt: number | undefined;
  stoppedAt: number | undefined;
  #hasNetwork = true;

  constructor(world: SocketWorld) {
    this.#world = world;
    this.connectedAt = world.history.tick();
  }

  get bufferedBytes(): number {
    return this.#unaccepted.reduce((bytes, text) => bytes + text.length, 0);
  }

  send(text: string): void {
    if (!this.#isClosing && !this.isGone) this.#write(text);
  }

  ping(): void {
    if (!this.#isClosing && !this.isGone) this.#write('ping');
  }

  silence(): void {
    throw new Error('no rehearsal is simulated');
  }

  close(code: number, reason: string, settle: (proof: SocketProof) => void, last?: TextFrame): void {
    this.stoppedAt ??= this.#world.history.tick();
    this.#settle = settle;
    if (this.isGone) {
      this.#settled('socket_destroyed');
      return;
    }
    this.closedWith ??= `${code} ${reason}`;
    this.bytesBeforeClose = this.bufferedBytes;
    this.farewell = last?.text;
    if (!this.#isClosing) {
      this.hasWrittenClose = true;
      if (last !== undefined) this.#unaccepted.push(last.text);
      this.#write(`close ${code} ${reason}`);
    }
    this.#isClosing = true;
    this.#accept();
  }

  destroy(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#unaccepted = [];
    this.#settled('socket_destroyed');
    this.#world.later('socket closed', () => this.#closed());
  }

  /** The peer sends a frame. It arrives some time later, whatever has happened to the connection meanwhile. */
  peerSends(text: string): void {
    this.#world.later('frame arrives', () => {
      if (!this.isGone && this.#hasNetwork) this.connection?.receive(text);
    });
  }

  peerReads(isReading: boolean): void {
    this.isReading = isReading;
    this.#accept();
  }

  /** Nothing comes from the peer any more, not even the end of its connection; what the server writes is lost. */
  losesNetwork(): void {
    this.#hasNetwork = false;
    this.answersPings = false;
    if (this.connection?.isWelcomed) this.lostAt ??= this.#world.history.tick();
  }

  /** The peer closes. `ws` answers by itself, and reports the end of the socket some time later. */
  peerCloses(): void {
    if (this.isGone || this.#isClosing || !this.#hasNetwork) return;
    this.#isClosing = true;
    this.#world.later('peer close', () => {
      if (this.isGone) return;
      this.isGone = true;
      this.#unaccepted = [];
      this.#closed();
    });
  }

  #closed(): void {
    this.#settled('socket_destroyed');
    if (this.connection !== undefined) this.#world.gateway.socketClosed(this.connection, 1006);
  }

  #write(text: string): void {
    this.#unaccepted.push(text);
    this.#accept();
  }

  #accept(): void {
    if (!this.isReading || this.isGone) return;
    for (const text of this.#unaccepted) {
      if (text === 'ping') this.#answerPing();
      else if (!text.startsWith('close '))
        this.#world.history.record({ kind: 'handed to kernel', id: this.connection?.id ?? '', text });
    }
    this.#unaccepted = [];
    this.#settled('close_frame_accepted');
    // A peer that reads will answer the close frame at some time.
    if (this.#isClosing && this.#hasNetwork) this.#world.later('close answered', () => this.destroy());
  }

  #answerPing(): void {
    this.#world.later('pong arrives', () => {
      if (this.answersPings && !this.isGone) this.connection?.receivePong();
    });
  }

  #settled(proof: SocketProof): void {
    const settle = this.#settle;
    this.#settle = undefined;
    if (settle === undefined) return;
    this.proof = proof;
    settle(proof);
  }
}
