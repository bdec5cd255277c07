import { CONNECT_PATH, closeCode, SUBPROTOCOL } from '@respark/protocol';
import { BINARY, clientFrame, TEXT } from './frames.ts';
import type { Dialect } from './players.ts';

/** A message of 64 characters, the size of a small command. */
const MESSAGE = 'move to 12,34 and then wait for the others at the northern gate.';

const RESPARK_REQUEST = `{"kind":"request","id":"1","type":"bench.move","payload":{"text":"${MESSAGE}"}}`;
const COLYSEUS_JOINED = 10;
const COLYSEUS_ROOM_DATA = 13;

/** The type and the message as a short and a longer MessagePack string, as Colyseus writes them. */
const COLYSEUS_ECHO = Buffer.concat([
  Buffer.from([COLYSEUS_ROOM_DATA, 0xa0 | 'echo'.length]),
  Buffer.from('echo'),
  Buffer.from([0xd9, MESSAGE.length]),
  Buffer.from(MESSAGE),
]);

/** Where Colyseus has reserved a seat. */
interface Room {
  readonly processId: string;
  readonly roomId: string;
}

export const DIALECTS = {
  /** A stage without scripts answers each request with an error, which still goes all the way through the gateway. */
  respark: {
    headers: `Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n`,
    path: () => CONNECT_PATH,
    opened: (connection) => connection.send(TEXT, connection.player.hello),
    received(connection, payload) {
      if (isText(payload, '{"kind":"error","id":"1","code":"no_handler"')) return connection.answer();
      const { kind, connectionId } = JSON.parse(payload.toString()) as { kind: string; connectionId?: string };
      if (kind === 'welcome') connection.welcome(connectionId);
      else refuse(payload);
    },
    request: clientFrame(TEXT, RESPARK_REQUEST),
    closeCode: closeCode('disconnected'),
  },

  /** Engine.IO 4 and Socket.IO 5 (socket.io/docs/v4/socket-io-protocol): open, connect to the namespace, connected. */
  'socket.io': {
    path: () => '/socket.io/?EIO=4&transport=websocket',
    opened: () => {},
    received(connection, payload) {
      if (isText(payload, '431["')) return connection.answer();
      const text = payload.toString();
      if (text.startsWith('0{')) connection.send(TEXT, `40{"playerId":"${connection.player.playerId}"}`);
      else if (text.startsWith('40{')) connection.welcome((JSON.parse(text.slice(2)) as { sid: string }).sid);
      else if (text !== '41') refuse(payload);
    },
    request: clientFrame(TEXT, `421["echo","${MESSAGE}"]`),
    closeCode: undefined,
  },

  /** The matchmaker's HTTP route gives a seat; then, on the WebSocket, both sides say that the room is joined. */
  colyseus: {
    async path({ playerId }, port, http) {
      const body = JSON.stringify({ playerId });
      const { body: answer } = await http.request(
        `POST /matchmake/joinOrCreate/lobby HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${body.length}\r\n\r\n${body}`,
      );
      const seat = JSON.parse(answer) as Partial<Room> & { room?: Room; sessionId?: string };
      // Colyseus 0.16 has an object for the room, 0.18 has not.
      const { processId, roomId } = seat.room ?? seat;
      if (roomId === undefined) throw new Error(`Colyseus gave no seat: ${answer}`);
      return `/${processId}/${roomId}?sessionId=${seat.sessionId}`;
    },
    opened: () => {},
    received(connection, payload) {
      if (payload[0] === COLYSEUS_ROOM_DATA && payload.equals(COLYSEUS_ECHO)) return connection.answer();
      if (payload[0] !== COLYSEUS_JOINED) return refuse(payload);
      connection.send(BINARY, Buffer.from([COLYSEUS_JOINED]));
      connection.welcome(new URLSearchParams(connection.path.split('?')[1]).get('sessionId') ?? undefined);
    },
    request: clientFrame(BINARY, COLYSEUS_ECHO),
    closeCode: 4000,
  },

  floor: {
    path: ({ playerId }) => `/?player=${playerId}`,
    opened: (connection) => connection.welcome(undefined),
    received: (connection, payload) => (isText(payload, MESSAGE) ? connection.answer() : refuse(payload)),
    request: clientFrame(TEXT, MESSAGE),
    closeCode: closeCode('disconnected'),
  },
} as const satisfies Record<string, Dialect>;

export type DialectName = keyof typeof DIALECTS;

function isText(payload: Buffer, start: string): boolean {
  return payload.length >= start.length && payload.toString('latin1', 0, start.length) === start;
}

function refuse(payload: Buffer): never {
  throw new Error(`a server sent a frame that its dialect does not know: ${payload.toString().slice(0, 200)}`);
}
