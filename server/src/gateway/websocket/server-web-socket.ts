import type { Socket } from 'node:net';
import type { PlayerSocket, SocketProof, TextFrame } from '../player-socket.ts';
import { FrameReader, type ReaderLimits, type Received } from './frame-reader.ts';
import { closeFrame, controlFrame, OPCODE, textFrame } from './frames.ts';

/** What all sockets of a server share. Each socket has an owner, to which the methods pass on what the client sent. */
export interface SocketHost<Owner> {
  readonly limits: ReaderLimits;
  /** Counts `bytes`, all that the socket has brought so far, before they are looked at. May close the socket. */
  count(owner: Owner, bytes: number): void;
  /**
   * Called when the number of bytes that are kept of an unfinished message has changed; it is 0 between two messages. May close
   * the socket, except for 0.
   */
  noteBegun(owner: Owner, bytes: number): void;
  /** Whether the client's next frame may be read now. Otherwise it waits, and nothing more is taken from the network. */
  mayRead(owner: Owner): boolean;
  /** Has `work` run when it is the owner's turn. */
  waitForTurn(owner: Owner, work: () => void): void;
  receiveText(owner: Owner, text: string, bytes: number): void;
  receiveBinary(owner: Owner): void;
  /** The pong has been sent. */
  receivePing(owner: Owner, bytes: number): void;
  receivePong(owner: Owner, bytes: number): void;
  /** The client has broken the protocol, and the close frame that says so has been written. */
  faulted(owner: Owner): void;
  /** The socket is gone; the code is that of the client's close frame, 1005 when it had none, 1006 without a frame. */
  closed(owner: Owner, code: number): void;
}

const NO_CODE = 1005;
const NO_CLOSE_FRAME = 1006;
const NOTHING = Buffer.alloc(0);

/** The property of a TCP or TLS socket that leads to its WebSocket, so that all of them share their event handlers. */
const WEB_SOCKET = Symbol('web socket');

interface Carrier extends Socket {
  [WEB_SOCKET]?: ServerWebSocket<unknown>;
}

/**
 * A server's end of a WebSocket (RFC 6455) without extensions, over a socket on which the handshake is done. It keeps
 * nothing for what may come. Its states:
 *
 * - open      frames are read and written
 * - closing   this end's close frame is written, after which nothing else is; what the client sends is still read
 * - ended     the client's close frame has come, a fault, or the end of its stream: nothing more is read, and this end
 *             finishes its stream once its close frame is written
 * - gone      the socket is closed
 *
 * An open one may fall silent: it then neither reads nor writes until it is destroyed.
 */
export class ServerWebSocket<Owner> implements PlayerSocket {
  /** Must be set in the turn in which the WebSocket was made. */
  owner!: Owner;
  readonly #socket: Socket;
  readonly #host: SocketHost<Owner>;
  #reader: FrameReader | undefined;
  #bytesRead = 0;
  #begunBytes = 0;
  /** What this end has written for good: a close frame, or the end of its stream without one. */
  #lastWritten: 'close frame' | 'end' | undefined;
  #hasEnded = false;
  #isWaiting = false;
  /** Whether the client has ended its stream while something waited for its turn. */
  #isCutShort = false;
  #isGone = false;
  #isSilent = false;
  #code = NO_CLOSE_FRAME;
  #settle: ((proof: SocketProof) => void) | undefined;

  /** `head` is what the client has sent behind its handshake. */
  constructor(socket: Socket, head: Buffer, host: SocketHost<Owner>) {
    this.#socket = socket;
    this.#host = host;
    (socket as Carrier)[WEB_SOCKET] = this as ServerWebSocket<unknown>;
    socket.setTimeout(0);
    socket.setNoDelay();
    if (head.length > 0) socket.unshift(head);
    socket.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  send(text: string, bytes: number): void {
    if (this.#canWrite()) this.#socket.write(textFrame(text, bytes));
  }

  ping(): void {
    if (this.#canWrite()) this.#socket.write(controlFrame(OPCODE.ping, NOTHING));
  }

  close(code: number, reason: string, settle: (proof: SocketProof) => void, last?: TextFrame): void {
    const socket = this.#socket;
    if (this.#isSilent) {
      this.#settle = settle;
      this.destroy();
      return;
    }
    // When the client's close frame or a fault came first, the answer to it has been written.
    if (this.#canWrite()) this.#writeClose(code, reason, last);
    // Plain TCP hands the kernel at once what it takes. TLS always has its encrypted bytes still to write.
    const isAccepted = socket.writableLength === 0 && !isTls(socket);
    // Both ends have finished their streams, so nothing is lost, and no close frame will be there to be accepted. Or the client has
    // reset the connection and the kernel has refused the frame, which nothing but `errored` says in this turn.
    if (isAccepted && (this.#lastWritten !== 'close frame' || socket.errored)) socket.destroy();
    if (socket.destroyed || isAccepted) {
      settle(socket.destroyed ? 'socket_destroyed' : 'close_frame_accepted');
      return;
    }
    this.#settle = settle;
    // The callback of an empty write runs when everything before it has been accepted. Without an error the kernel has
    // the frame; with one the socket is being destroyed, and its `close` event settles instead.
    if (!socket.writableEnded) {
      socket.write(NOTHING, (error) => {
        // Node.js 20 reports no error over TLS for what `destroy` dropped, so only a live socket proves anything.
        if (!error && !socket.destroyed) this.#settled('close_frame_accepted');
      });
    }
  }

  silence(): void {
    this.#isSilent = true;
    this.#reader = undefined;
    this.#socket.pause();
  }

  destroy(): void {
    const socket = this.#socket;
    // With data unsent, an orderly close would hold the kernel's buffers for minutes (FIN-WAIT-1). A reset frees them.
    if (socket.writableLength > 0 && !isTls(socket)) socket.resetAndDestroy();
    else socket.destroy();
    this.#settled('socket_destroyed');
  }

  /** Takes what the network brought. */
  push(chunk: Buffer): void {
    if (this.#isSilent) return;
    if (this.#hasEnded) {
      // Without turns, a client that goes on sending would have the server read for that client alone.
      if (!this.#isWaiting && !this.#host.mayRead(this.owner)) this.#wait();
      return;
    }
    this.#bytesRead += chunk.length;
    this.#host.count(this.owner, this.#bytesRead);
    this.#reader ??= new FrameReader(this.#host.limits);
    this.#reader.push(chunk);
    if (!this.#isWaiting) this.#read();
  }

  /** The client sends nothing more. What waits for its turn is read first. */
  end(): void {
    if (this.#hasEnded || this.#isSilent) return;
    if (this.#isWaiting) {
      this.#isCutShort = true;
      return;
    }
    this.#hasEnded = true;
    this.#lastWritten ??= 'end';
    this.#reader = undefined;
    this.#socket.end();
  }

  /** The socket is gone. What came before, and waits for its turn, is read first. */
  gone(): void {
    this.#isGone = true;
    this.#settled('socket_destroyed');
    if (!this.#isWaiting) this.#host.closed(this.owner, this.#code);
  }

  #read(): void {
    const reader = this.#reader;
    while (reader !== undefined && !this.#hasEnded) {
      if (reader.hasUnread && !this.#host.mayRead(this.owner)) {
        this.#wait();
        return;
      }
      if (!this.#readOne(reader)) break;
    }
    if (this.#hasEnded || reader?.isAtRest) this.#reader = undefined;
    this.#noteBegun(this.#reader?.begunBytes ?? 0);
  }

  #noteBegun(bytes: number): void {
    if (bytes === this.#begunBytes) return;
    this.#begunBytes = bytes;
    this.#host.noteBegun(this.owner, bytes);
  }

  /** Whether there was something to read. */
  #readOne(reader: FrameReader): boolean {
    const received = reader.next();
    if (received !== undefined) this.#receive(received);
    return received !== undefined;
  }

  #wait(): void {
    this.#isWaiting = true;
    this.#socket.pause();
    this.#host.waitForTurn(this.owner, () => {
      this.#isWaiting = false;
      if (this.#reader !== undefined && !this.#hasEnded) this.#readOne(this.#reader);
      this.#read();
      if (this.#isWaiting) return;
      // Its `closed` would not do: a socket that is being destroyed has the `close` event still to come.
      if (this.#isGone) this.#host.closed(this.owner, this.#code);
      else if (this.#isCutShort) this.end();
      else if (!this.#isSilent) this.#socket.resume();
    });
  }

  #receive(received: Received): void {
    // The message that was on its way has come whole. One that has begun behind it is another one.
    if (received.kind === 'text' || received.kind === 'binary') this.#noteBegun(0);
    switch (received.kind) {
      case 'text':
        this.#host.receiveText(this.owner, received.data.toString(), received.data.length);
        return;
      case 'binary':
        this.#host.receiveBinary(this.owner);
        return;
      case 'ping':
        if (this.#canWrite()) this.#socket.write(controlFrame(OPCODE.pong, received.data));
        this.#host.receivePing(this.owner, received.data.length);
        return;
      case 'pong':
        this.#host.receivePong(this.owner, received.data.length);
        return;
      case 'close':
        this.#code = received.code ?? NO_CODE;
        this.#finish(received.code, received.reason);
        return;
      case 'fault':
        this.#finish(received.code, received.reason);
        this.#host.faulted(this.owner);
    }
  }

  /** Writes the close frame unless this end has written one before, and then finishes the stream. */
  #finish(code: number | undefined, reason: string | Buffer): void {
    const socket = this.#socket;
    if (this.#canWrite()) this.#writeClose(code, reason);
    this.#hasEnded = true;
    // After the close frames of both ends nothing is left to read, and to send only what the network has not taken yet.
    if (this.#code === NO_CLOSE_FRAME) socket.end();
    else if (socket.writableLength === 0 && !isTls(socket)) socket.destroy();
    else socket.destroySoon();
  }

  #writeClose(code: number | undefined, reason: string | Buffer, last?: TextFrame): void {
    this.#lastWritten = 'close frame';
    const frame = closeFrame(code, reason);
    this.#socket.write(last === undefined ? frame : Buffer.concat([textFrame(last.text, last.bytes), frame]));
  }

  #canWrite(): boolean {
    return this.#lastWritten === undefined && !this.#isSilent && this.#socket.writable;
  }

  #settled(proof: SocketProof): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(proof);
  }
}

function onData(this: Carrier, chunk: Buffer): void {
  this[WEB_SOCKET]?.push(chunk);
}

function onEnd(this: Carrier): void {
  this[WEB_SOCKET]?.end();
}

function onError(this: Carrier): void {
  this.destroy();
}

function onClose(this: Carrier): void {
  this[WEB_SOCKET]?.gone();
}

function isTls(socket: Socket): boolean {
  return 'encrypted' in socket;
}
