import type { Socket } from 'node:net';
import type { Turns } from '../turns.ts';

interface Line {
  /** Whether a request of the socket is being served. */
  isBusy: boolean;
  /** Its further requests, the oldest first. */
  readonly waiting: (() => Promise<void>)[];
}

export interface RequestLines {
  enqueue(socket: Socket, lane: string, serve: () => Promise<void>): void;
  /** Whether a request of the socket is being served, or waits. */
  isBusy(socket: Socket): boolean;
}

/**
 * Serves the requests that a client sends over one socket one after the other, as their answers must come, and each of
 * them in its turn. Otherwise everything that one read of a socket brought would be served before any other client.
 */
export function createRequestLines({
  turns,
  maxWaiting,
  dropped,
}: {
  turns: Turns;
  /** How many requests of one socket may wait. One more ends the socket. */
  maxWaiting: number;
  /** Called for each request that is never served, because its socket has ended. */
  dropped: () => void;
}): RequestLines {
  const lines = new WeakMap<Socket, Line>();

  function lineOf(socket: Socket): Line {
    const known = lines.get(socket);
    if (known !== undefined) return known;
    const line: Line = { isBusy: false, waiting: [] };
    lines.set(socket, line);
    socket.once('close', () => {
      for (const _ of line.waiting.splice(0)) dropped();
    });
    return line;
  }

  async function run(socket: Socket, line: Line, lane: string, serve: () => Promise<void>): Promise<void> {
    if (socket.destroyed) dropped();
    else await serve();
    const next = line.waiting.shift();
    if (next === undefined) line.isBusy = false;
    else turns.wait(lane, () => void run(socket, line, lane, next));
  }

  function enqueue(socket: Socket, lane: string, serve: () => Promise<void>): void {
    const line = lineOf(socket);
    if (line.isBusy) {
      if (line.waiting.length < maxWaiting && !socket.destroyed) line.waiting.push(serve);
      else {
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
