import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Turns } from '../turns.ts';

interface Line {
  /** Whether a request of the socket is being served. */
  isBusy: boolean;
  /** Its further requests, the oldest first: only those of the piece that was parsed with it (`socket-turns.ts`). */
  readonly waiting: (() => Promise<void>)[];
  /** The answer to the request that came last. */
  last: ServerResponse;
}

export interface RequestLines {
  /** Has `serve` run when it is the turn of the request that `response` is the answer to. */
  enqueue(response: ServerResponse, lane: string, serve: () => Promise<void>): void;
  /** Has `work` run when all requests of the socket have been answered. */
  follow(socket: Socket, work: () => Promise<void>): void;
  /** Whether a request of the socket is being served, or waits. */
  isBusy(socket: Socket): boolean;
  /** Whether what is being parsed of the socket is neither a request that is being served nor the next to be. */
  isBehind(socket: Socket): boolean;
  /** The answer to the socket's request that came last. */
  lastOf(socket: Socket): ServerResponse | undefined;
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

  function lineOf(socket: Socket, response: ServerResponse): Line {
    const known = lines.get(socket);
    if (known !== undefined) return known;
    const line: Line = { isBusy: false, waiting: [], last: response };
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

  function enqueue(response: ServerResponse, lane: string, serve: () => Promise<void>): void {
    const { socket } = response.req;
    const line = lineOf(socket, response);
    line.last = response;
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
    follow(socket, work) {
      const line = lines.get(socket);
      if (line?.isBusy && !socket.destroyed) line.waiting.push(work);
      else void work();
    },
    isBusy: (socket) => lines.get(socket)?.isBusy ?? false,
    isBehind(socket) {
      const line = lines.get(socket);
      if (!line?.isBusy) return false;
      return line.last.req.complete || line.waiting.length > 0;
    },
    lastOf: (socket) => lines.get(socket)?.last,
    mayParse(socket, isLast) {
      const line = lines.get(socket);
      return line === undefined || !line.last.req.complete || !(line.isBusy || isLast);
    },
  };
}
