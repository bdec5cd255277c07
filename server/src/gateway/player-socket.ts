import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';

/** What a connection needs of its WebSocket. */
export interface PlayerSocket {
  /** Bytes written that the kernel has not accepted yet. */
  readonly bufferedBytes: number;

  /** Writes one text frame; does nothing once the socket is closing. */
  send(text: string): void;

  /**
   * Writes the close frame behind everything written before. `settle` is called once, perhaps before this returns, when
   * the kernel has accepted the frame or the socket is gone; a peer that does not read can hold it back for ever.
   */
  close(code: number, reason: string, settle: () => void): void;

  /** Ends the socket now, dropping what is unsent; `settle` follows if it has not been called. */
  destroy(): void;
}

const NOTHING = Buffer.alloc(0);

/** A player's socket over `ws`, without compression: then every frame reaches the TCP or TLS socket in the same turn. */
export class WsPlayerSocket implements PlayerSocket {
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  #settle: (() => void) | undefined;

  constructor(ws: WebSocket, socket: Socket) {
    this.#ws = ws;
    this.#socket = socket;
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  send(text: string): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(text);
  }

  close(code: number, reason: string, settle: () => void): void {
    const socket = this.#socket;
    // A no-op when the peer's close frame or a protocol fault came first: `ws` has written its answer by then.
    this.#ws.close(code, reason);
    if (socket.destroyed || this.#ws.readyState === this.#ws.CLOSED) {
      settle();
      return;
    }
    // Plain TCP writes at once what the kernel takes. TLS always has its encrypted bytes still to write.
    if (socket.writableLength === 0 && !isTls(socket)) {
      settle();
      return;
    }
    this.#settle = settle;
    // An empty write is called back when everything before it has been accepted. Its outcome is the same to us either
    // way: without an error the kernel has the frame, with one the socket is being destroyed, which `closed` reports.
    if (!socket.writableEnded) {
      socket.write(NOTHING, (error) => {
        // Node 20 with TLS reports no error for what `destroy` dropped: only a live socket proves anything.
        if (!error && !socket.destroyed) this.closed();
      });
    }
  }

  destroy(): void {
    const socket = this.#socket;
    // With unsent data an orderly close would keep the kernel's buffers for minutes (FIN-WAIT-1); a reset frees them.
    if (socket.writableLength > 0 && !isTls(socket)) socket.resetAndDestroy();
    else socket.destroy();
    this.closed();
  }

  /**
   * With both close frames exchanged `ws` has ended its side and would wait for the peer's end. Nothing is lost by not
   * waiting, since there is nothing left to send or to read; TLS has still to say goodbye in its own words.
   */
  closeFrameReceived(): void {
    const socket = this.#socket;
    if (socket.writableEnded && socket.writableLength === 0 && !isTls(socket)) socket.destroy();
  }

  /** The WebSocket's `close` event: the socket is gone. */
  closed(): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.();
  }
}

function isTls(socket: Socket): boolean {
  return 'encrypted' in socket;
}
