import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Turns } from '../turns.ts';

interface Line {
  /** Whether a request of the socket is being served. */
  isBusy: boolean;
  /** Its further requests, the oldest first: only those of the piece that was parsed with it (`socket-turns.ts`). */
  readonly waiting: (() => Promise<void>)[];
  /** The request that came last. */
  last: IncomingMessage;
}

export interface RequestLines {
  enqueue(request: IncomingMessage, lane: string, serve: () => Promise<void>): void;
  /** Whether a request of the socket is being served, or waits. */
  isBusy(socket: Socket): boolean;
  /**
   * Whether what the socket has brought may be parsed: not while a request that has come whole is unanswered. What is
   * parsed takes many times the memory of what has come, and a client that does not read its answers would have the
   * server hold all that it asks for. After the last request that is served, nothing but its body may be parsed.
   */
  mayParse(socket: Socket, isLast: boolean): boolean;
}

/**
 * Serves the requests that a client sends over one socket one after the other, as their answers must come, and each of
 * them in its turn. Otherwise everything that one read of a socket brought would be served before any other client.
 */
export function createRequestLines({
  turns,
  dropped,
  answered,
}: {
  turns: Turns;
  /** Called for each request that is never served, because its socket has ended. */
  dropped: () => void;
  /** Called when all requests of a socket have been answered. */
  answered: (socket: Socket) => void;
}): RequestLines {
  const lines = new WeakMap<Socket, Line>();

  function lineOf(request: IncomingMessage): Line {
    const { socket } = request;
    const known = lines.get(socket);
    if (known !== undefined) return known;
    const line: Line = { isBusy: false, waiting: [], last: request };
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
    if (next === undefined) {
      line.isBusy = false;
      answered(socket);
    } else turns.wait(lane, () => void run(socket, line, lane, next));
  }

  function enqueue(request: IncomingMessage, lane: string, serve: () => Promise<void>): void {
    const { socket } = request;
    const line = lineOf(request);
    line.last = request;
    if (line.isBusy) {
      if (socket.destroyed) dropped();
      else line.waiting.push(serve);
      return;
    }
    line.isBusy = true;
    if (turns.isOpen(lane)) void run(socket, line, lane, serve);
    else turns.wait(lane, () => void run(socket, line, lane, serve));
  }

  return {
    enqueue,
    isBusy: (socket) => lines.get(socket)?.isBusy ?? false,
    mayParse(socket, isLast) {
      const line = lines.get(socket);
      return line === undefined || !line.last.complete || !(line.isBusy || isLast);
    },
  };
}
