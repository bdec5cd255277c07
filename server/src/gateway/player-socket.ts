import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';

/** What a connection needs from its WebSocket. */
export interface PlayerSocket {
  /** Bytes that were written and that the kernel has not accepted yet. */
  readonly bufferedBytes: number;

  /** Writes one text frame. Does nothing once the socket is closing. */
  send(text: string): void;

  /** Writes a ping, which the peer's WebSocket answers with a pong by itself. Does nothing once the socket is closing. */
  ping(): void;

  /**
   * Writes the close frame after everything written before. `settle` is called once, perhaps before this returns, when
   * the kernel has accepted the frame or the socket is gone. A peer that does not read can delay it for ever.
   */
  close(code: number, reason: string, settle: () => void): void;

  /** Ends the socket now and drops what is unsent. Calls the `settle` of `close` if that is still to come. */
  destroy(): void;
}

const NOTHING = Buffer.alloc(0);

/**
 * A player's socket over `ws`, without compression, so that every frame reaches the TCP or TLS socket in the same turn.
 */
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

  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
  }

  close(code: number, reason: string, settle: () => void): void {
    const socket = this.#socket;
    // Does nothing when the peer's close frame or a protocol fault came first: `ws` has already written its answer.
    this.#ws.close(code, reason);
    if (socket.destroyed || this.#ws.readyState === this.#ws.CLOSED) {
      settle();
      return;
    }
    // Plain TCP hands the kernel at once what it takes. TLS always has its encrypted bytes still to write.
    if (socket.writableLength === 0 && !isTls(socket)) {
      settle();
      return;
    }
    this.#settle = settle;
    // The callback of an empty write runs when everything before it has been accepted. Without an error the kernel has
    // the frame; with one the socket is being destroyed, and its `close` event settles instead.
    if (!socket.writableEnded) {
      socket.write(NOTHING, (error) => {
        // Node.js 20 reports no error over TLS for what `destroy` dropped, so only a live socket proves anything.
        if (!error && !socket.destroyed) this.closed();
      });
    }
  }

  destroy(): void {
    const socket = this.#socket;
    // With data unsent, an orderly close would hold the kernel's buffers for minutes (FIN-WAIT-1). A reset frees them.
    if (socket.writableLength > 0 && !isTls(socket)) socket.resetAndDestroy();
    else socket.destroy();
    this.closed();
  }

  /**
   * Called when the peer's close frame has come. Once both close frames are exchanged, `ws` has ended its side and
   * would wait for the peer to end the other. Nothing is left to send or read, so the socket is destroyed instead,
   * except over TLS, which still has its own closing message to send.
   */
  closeFrameReceived(): void {
    const socket = this.#socket;
    if (socket.writableEnded && socket.writableLength === 0 && !isTls(socket)) socket.destroy();
  }

  /** Called on the WebSocket's `close` event: the socket is gone. */
  closed(): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.();
  }
}

function isTls(socket: Socket): boolean {
  return 'encrypted' in socket;
}
