/** A text frame that is still to be written, with its text's length in bytes of UTF-8. */
export interface TextFrame {
  readonly text: string;
  readonly bytes: number;
}

/** How the end of a socket is proven: the kernel has accepted its close frame and all before it, or the socket is gone. */
export type SocketProof = 'close_frame_accepted' | 'socket_destroyed';

/** What a connection needs from its WebSocket. */
export interface PlayerSocket {
  /** Bytes that were written and that the kernel has not accepted yet. */
  readonly bufferedBytes: number;

  /** Writes one text frame, whose length in UTF-8 is `bytes`. Does nothing once the socket is closing. */
  send(text: string, bytes: number): void;

  /** Writes a ping, which the peer's WebSocket answers with a pong by itself. Does nothing once the socket is closing. */
  ping(): void;

  /**
   * Writes the close frame after everything written before, in one write with the frame `last` in front of it, if there
   * is one. `settle` is called once, perhaps before this returns, when the kernel has accepted all of it or the socket is
   * gone. A peer that does not read can delay it for ever.
   */
  close(code: number, reason: string, settle: (proof: SocketProof) => void, last?: TextFrame): void;

  /** From now on neither reads nor writes, as if the network were gone. Only closing, which then destroys it, is left. */
  silence(): void;

  /** Ends the socket now and drops what is unsent. Calls the `settle` of `close` if that is still to come. */
  destroy(): void;
}
