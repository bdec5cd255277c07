import { MAX_HELLO_BYTES } from '@respark/protocol';
import type { Turns } from '../turns.ts';
import type { Connection } from './connection.ts';
import type { Gateway } from './gateway.ts';
import { Inboxes } from './inboxes.ts';
import { RETRY_WHEN_FULL_MS } from './limits.ts';
import type { SocketHost } from './websocket/server-web-socket.ts';

export interface SocketHostSettings {
  readonly maxFrameBytes: number;
  /** How many bytes of unfinished messages may be kept, of all players together. */
  readonly inboxMemoryBytes: number;
}

/**
 * A message may come in many pieces: websocket-sharp, which Unity games use, sends 1,016 bytes in each. A message of the
 * longest size may have pieces of half that length, and any message this many.
 */
const MIN_FRAGMENTS = 64;
const FRAGMENT_BYTES = 512;

/** A frame of a client has a head of at most 14 bytes, and a hello may come in pieces with pings between them. */
const MAX_FRAME_HEAD_BYTES = 1_024;

/** What the players' sockets do with what comes on them: everything is handed to the connection or the gateway. */
export function createSocketHost({
  gateway,
  turns,
  settings: { maxFrameBytes, inboxMemoryBytes },
}: {
  gateway: Gateway;
  turns: Turns;
  settings: SocketHostSettings;
}): SocketHost<Connection> {
  const maxFragments = Math.max(MIN_FRAGMENTS, Math.ceil(maxFrameBytes / FRAGMENT_BYTES));
  const inboxes = new Inboxes<Connection>({
    budgetBytes: inboxMemoryBytes,
    end(connection) {
      const text = 'the server has too many messages that have not come whole';
      gateway.close(connection, 'try_again_later', text, { retryAfterMs: RETRY_WHEN_FULL_MS });
      // Otherwise what has come would be kept until the client closes its side.
      connection.destroy();
    },
  });
  return {
    limits: { maxMessageBytes: maxFrameBytes, maxFragments },
    // Without this bound, any client could make the server keep a frame of the longest size for each of its sockets.
    count(connection, bytes) {
      if (connection.isAwaitingHello && bytes > MAX_HELLO_BYTES + MAX_FRAME_HEAD_BYTES) {
        gateway.close(connection, 'bad_hello', `a hello has at most ${MAX_HELLO_BYTES} bytes`);
      }
    },
    noteBegun: (connection, bytes) => inboxes.note(connection, bytes),
    // What follows the hello is read before there can be a welcome, so that it is refused however fast the server is.
    mayRead: (connection) => connection.isAwaitingWelcome || turns.isOpen(connection.addressGroup),
    waitForTurn: (connection, work) => turns.wait(connection.addressGroup, work),
    receiveText: (connection, text, bytes) => connection.receive(text, bytes),
    receiveBinary: (connection) => gateway.close(connection, 'protocol_error', 'frames are text'),
    receivePing: (connection, bytes) => connection.receivePing(bytes),
    receivePong: (connection, bytes) => connection.receivePong(bytes),
    faulted: (connection) => gateway.close(connection, 'protocol_error'),
    closed(connection, code) {
      inboxes.note(connection, 0);
      gateway.socketClosed(connection, code);
    },
  };
}
