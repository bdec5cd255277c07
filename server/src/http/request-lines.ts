import type { Socket } from 'node:net';
import type { Turns } from '../turns.ts';

interface Waiting {
  readonly serve: () => Promise<void>;
  readonly bytes: number;
}

interface Line {
  /** Whether a request of the socket is being served. */
  isBusy: boolean;
  /** Its further requests, the oldest first. */
  readonly waiting: Waiting[];
  /** The memory that they take. */
  bytes: number;
}

/** How much may wait behind requests that are being served. Whoever sends more loses the socket. */
export interface LineLimits {
  /** Requests of one socket. */
  readonly maxWaiting: number;
  /** The memory that the waiting requests of one socket take. */
  readonly maxBytes: number;
  /** The memory that those of all sockets take. Only clients that send requests without waiting for answers meet it. */
  readonly maxBytesInAll: number;
}

export interface RequestLines {
  /** `weigh` tells how much memory the request takes, and is asked only if it has to wait. */
  enqueue(socket: Socket, lane: string, weigh: () => number, serve: () => Promise<void>): void;
  /** Whether a request of the socket is being served, or waits. */
  isBusy(socket: Socket): boolean;
}

/**
 * Serves the requests that a client sends over one socket one after the other, as their answers must come, and each of
 * them in its turn. Otherwise everything that one read of a socket brought would be served before any other client.
 */
export function createRequestLines({
  turns,
  limits,
  dropped,
}: {
  turns: Turns;
  limits: LineLimits;
  /** Called for each request that is never served, because its socket has ended. */
  dropped: () => void;
}): RequestLines {
  const lines = new WeakMap<Socket, Line>();
  let bytesInAll = 0;

  function lineOf(socket: Socket): Line {
    const known = lines.get(socket);
    if (known !== undefined) return known;
    const line: Line = { isBusy: false, waiting: [], bytes: 0 };
    lines.set(socket, line);
    socket.once('close', () => {
      while (next(line) !== undefined) dropped();
    });
    return line;
  }

  function next(line: Line): Waiting | undefined {
    const waiting = line.waiting.shift();
    line.bytes -= waiting?.bytes ?? 0;
    bytesInAll -= waiting?.bytes ?? 0;
    return waiting;
  }

  /** Returns false when too much waits already. */
  function wait(line: Line, waiting: Waiting): boolean {
    const { bytes } = waiting;
    const isTooMuch =
      line.waiting.length >= limits.maxWaiting ||
      line.bytes + bytes > limits.maxBytes ||
      bytesInAll + bytes > limits.maxBytesInAll;
    if (isTooMuch) return false;
    line.waiting.push(waiting);
    line.bytes += bytes;
    bytesInAll += bytes;
    return true;
  }

  async function run(socket: Socket, line: Line, lane: string, serve: () => Promise<void>): Promise<void> {
    if (socket.destroyed) dropped();
    else await serve();
    const following = next(line);
    if (following === undefined) line.isBusy = false;
    else turns.wait(lane, () => void run(socket, line, lane, following.serve));
  }

  function enqueue(socket: Socket, lane: string, weigh: () => number, serve: () => Promise<void>): void {
    const line = lineOf(socket);
    if (line.isBusy) {
      if (socket.destroyed || !wait(line, { serve, bytes: weigh() })) {
        dropped();
        socket.destroy();
      }
      return;
    }
    line.isBusy = true;
    if (turns.isOpen(lane)) void run(socket, line, lane, serve);
    else turns.wait(lane, () => void run(socket, line, lane, serve));
  }

  return { enqueue, isBusy: (socket) => lines.get(socket)?.isBusy ?? false };
}
