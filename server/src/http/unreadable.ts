import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import type { RequestLines } from './request-lines.ts';
import { isParsed } from './socket-turns.ts';

const TOO_SLOW = 'ERR_HTTP_REQUEST_TIMEOUT';

/** The answers of Node.js to what it cannot read, by the code of the error. */
const STATUS_LINES: ReadonlyMap<unknown, string> = new Map([
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', '413 Payload Too Large'],
  [TOO_SLOW, '408 Request Timeout'],
]);

/**
 * Answers what Node.js cannot read, or has not had in time, as Node.js itself does, but never in the place of the answer
 * to an earlier request of the socket. Its limits of time do not count for what waits behind such a request, because the
 * server itself does not read on then: the next head has `headersTimeoutMs` from the last answer on.
 */
export function answerUnreadable({
  lines,
  abandon,
  headersTimeoutMs,
  clock,
}: {
  lines: RequestLines;
  /** Has nothing more of the socket parsed, and `refuse` called when its requests have been answered. */
  abandon: (socket: Socket, refuse: () => void) => void;
  headersTimeoutMs: number;
  clock: Clock;
}) {
  /** Sockets whose next message Node.js has given up, and does not look at again. */
  const overdue = new WeakSet<Socket>();
  /** Sockets whose parser has failed. It would fail again with each further piece. */
  const broken = new WeakSet<Socket>();

  function onClientError(error: Error & { code?: string }, socket: Socket): void {
    if (!socket.writable || !isOfHttp(error)) socket.destroy(error);
    else if (!lines.isBehind(socket)) {
      if (!lines.lastOf(socket)?.headersSent || !lines.isBusy(socket)) socket.write(refusalOf(error));
      socket.destroy(error);
    } else if (error.code === TOO_SLOW) overdue.add(socket);
    else {
      broken.add(socket);
      abandon(socket, () => finish(socket, error));
    }
  }

  return {
    attach: (server: Server) =>
      void server.on('clientError', (error, socket) => onClientError(error, socket as Socket)),
    /** Whether nothing more of the socket can be parsed. */
    isBroken: (socket: Socket) => broken.has(socket),
    /** Must be called when all requests of the socket have been answered. */
    answered(socket: Socket): void {
      if (!overdue.delete(socket) || socket.destroyed) return;
      const last = lines.lastOf(socket);
      const cancel = clock.after(headersTimeoutMs, () => {
        socket.off('close', cancel);
        if (lines.lastOf(socket) === last && isParsed(socket)) finish(socket, { code: TOO_SLOW });
      });
      socket.once('close', cancel);
    },
  };
}

/** Not a fault of the network or of TLS, of which the client can be told nothing. */
function isOfHttp({ code = '' }: { code?: string }): boolean {
  return code === TOO_SLOW || code.startsWith('HPE_');
}

function refusalOf({ code }: { code?: string }): string {
  return `HTTP/1.1 ${STATUS_LINES.get(code) ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`;
}

function finish(socket: Socket, error: { code?: string }): void {
  if (socket.writable) socket.write(refusalOf(error));
  socket.destroySoon();
}
