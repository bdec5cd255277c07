import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { Log } from '../log.ts';

/**
 * A record below this counts as tiny. One read of 64 KiB holds up to 2,200 records of a byte (TLS adds 29 bytes to each),
 * but only 120 of this size.
 */
const TINY_BYTES = 512;

/**
 * How many a socket may bring in one turn of the event loop. Each costs 5 µs before anything else can run. A client whose
 * network has stalled may bring all messages of its burst at once, with the head of each frame in a record of its own.
 */
const MAX_OF_SOCKET = 256;

/** When all sockets together have brought so many in one turn, which takes 10 ms, each may bring only a few. */
const MANY_OF_ALL = 2_000;
const MAX_OF_SOCKET_AMONG_MANY = 32;

/** How many may wait in a socket that is not read. Each takes 300 bytes beside its own. */
const MAX_UNREAD = 512;

/** The property of a socket that leads to what it has brought. Most sockets that are idle have none yet. */
const BROUGHT = Symbol('brought');

interface Brought {
  turn: number;
  inTurn: number;
  unread: number;
}

interface Carrier extends Socket {
  [BROUGHT]?: Brought;
}

/**
 * Destroys sockets of a TLS server that bring too many tiny records, before and after an upgrade; does nothing for other
 * servers. Node.js hands over all records of a read, a call and an object for each, before anything else can run, and
 * neither a pause nor the end of the socket's turn stops it.
 */
export function limitTinyRecords(
  server: Server,
  {
    settings: { messagesBurst },
    log,
    later = setImmediate,
  }: {
    settings: { readonly messagesBurst: number };
    log: Pick<Log, 'debug'>;
    /** Runs a task in the next turn of the event loop, after its sockets have been read. */
    later?: (task: () => void) => unknown;
  },
): void {
  const maxOfSocket = Math.max(MAX_OF_SOCKET, 2 * messagesBurst);
  const maxUnread = Math.max(MAX_UNREAD, 2 * messagesBurst);
  let turn = 0;
  let ofAll = 0;
  const nextTurn = () => {
    turn += 1;
    ofAll = 0;
  };

  function isTooMany(socket: Carrier): boolean {
    if (ofAll === 0) later(nextTurn);
    ofAll += 1;
    socket[BROUGHT] ??= { turn, inTurn: 0, unread: 0 };
    const brought = socket[BROUGHT];
    if (brought.turn !== turn) {
      brought.turn = turn;
      brought.inTurn = 0;
    }
    if (socket.readableLength === 0) brought.unread = 0;
    brought.inTurn += 1;
    brought.unread += 1;
    const max = ofAll > MANY_OF_ALL ? MAX_OF_SOCKET_AMONG_MANY : maxOfSocket;
    return brought.inTurn > max || brought.unread > maxUnread;
  }

  function push(this: Carrier, chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    if (chunk !== null && chunk.length < TINY_BYTES && isTooMany(this)) {
      log.debug(
        () => ({ remoteAddress: this.remoteAddress }),
        'a socket was destroyed that brought too many tiny TLS records',
      );
      this.destroy();
      return false;
    }
    return Readable.prototype.push.call(this, chunk, encoding);
  }

  if (!('setSecureContext' in server)) return;
  server.on('secureConnection', (socket: Socket) => {
    socket.push = push;
  });
}
