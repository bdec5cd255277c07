import { CONNECT_PATH, closeCode, SUBPROTOCOL } from '@respark/protocol';
import { TEXT as MESSAGE, NOTIFICATION, payloadFor } from '../cloud-code/handlers.ts';
import { BINARY, clientFrame, TEXT } from './frames.ts';
import type { Dialect } from './players.ts';

/** How many players the players of the notifications' scenario are. */
const PLAYERS = 1_000;
const PAYLOAD = JSON.stringify(payloadFor(PLAYERS));

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

/** The types of messages in Colyseus, as short MessagePack strings, and the payload as a map of two. */
const colyseusMessage = (type: string, ...rest: Uint8Array[]) =>
  Buffer.concat([Buffer.from([COLYSEUS_ROOM_DATA, 0xa0 | type.length]), Buffer.from(type), ...rest]);
const COLYSEUS_PAYLOAD = Buffer.concat([
  Buffer.from([0x82, 0xa0 | 'Text'.length]),
  Buffer.from('Text'),
  Buffer.from([0xd9, MESSAGE.length]),
  Buffer.from(MESSAGE),
  Buffer.from([0xa0 | 'Players'.length]),
  Buffer.from('Players'),
  Buffer.from([0xcd, PLAYERS >> 8, PLAYERS & 0xff]),
]);
const COLYSEUS_NOTIFICATION = colyseusMessage(NOTIFICATION);

/** The handlers that every contestant has, as their messages on its wire. */
function messagesBy(frameOf: (handler: string) => Buffer) {
  return {
    ...{ Echo: frameOf('Echo'), Save: frameOf('Save'), Data: frameOf('Data') },
    ...{ Wait: frameOf('Wait'), Notify: frameOf('Notify') },
  };
}

/** Where Colyseus has reserved a seat. */
interface Room {
  readonly processId: string;
  readonly roomId: string;
}

export const DIALECTS = {
  /**
   * A stage without scripts answers each request with an error, which still goes all the way through the gateway. The
   * messages to handlers have an id of their own, and so does the one whose handler must fail.
   */
  respark: {
    headers: `Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n`,
    path: () => CONNECT_PATH,
    opened: (connection) => connection.send(TEXT, connection.player.hello),
    received(connection, payload) {
      if (isText(payload, '{"kind":"error","id":"1","code":"no_handler"')) return connection.answer();
      if (isText(payload, `{"kind":"response","id":"2","payload":{"Text":"${MESSAGE}"`)) return connection.answer();
      if (isText(payload, `{"kind":"notification","type":"Custom.Game.${NOTIFICATION}"`)) return connection.notified();
      if (isText(payload, '{"kind":"error","id":"3"')) return connection.answer();
      // The reason comes right before the close frame, which is what counts.
      if (isText(payload, '{"kind":"notification","type":"Respark.Farewell"')) return;
      const { kind, connectionId } = JSON.parse(payload.toString()) as { kind: string; connectionId?: string };
      if (kind === 'welcome') connection.welcome(connectionId);
      else refuse(payload);
    },
    request: clientFrame(TEXT, RESPARK_REQUEST),
    messages: {
      ...messagesBy((handler) => clientFrame(TEXT, resparkMessage('2', handler))),
      Loop: clientFrame(TEXT, resparkMessage('3', 'Loop')),
    },
    closeCode: closeCode('disconnected'),
  },

  /** Engine.IO 4 and Socket.IO 5 (socket.io/docs/v4/socket-io-protocol): open, connect to the namespace, connected. */
  'socket.io': {
    path: () => '/socket.io/?EIO=4&transport=websocket',
    opened: () => {},
    received(connection, payload) {
      if (isText(payload, '431["')) return connection.answer();
      if (isText(payload, `432[{"Text":"${MESSAGE}"`)) return connection.answer();
      if (isText(payload, `42["${NOTIFICATION}",`)) return connection.notified();
      const text = payload.toString();
      if (text.startsWith('0{')) connection.send(TEXT, `40{"playerId":"${connection.player.playerId}"}`);
      else if (text.startsWith('40{')) connection.welcome((JSON.parse(text.slice(2)) as { sid: string }).sid);
      else if (text !== '41') refuse(payload);
    },
    request: clientFrame(TEXT, `421["echo","${MESSAGE}"]`),
    messages: messagesBy((handler) => clientFrame(TEXT, `422["${handler}",${PAYLOAD}]`)),
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
      if (startsWith(payload, COLYSEUS_NOTIFICATION)) return connection.notified();
      if (payload[0] === COLYSEUS_ROOM_DATA && payload.includes(MESSAGE)) return connection.answer();
      if (payload[0] !== COLYSEUS_JOINED) return refuse(payload);
      connection.send(BINARY, Buffer.from([COLYSEUS_JOINED]));
      connection.welcome(new URLSearchParams(connection.path.split('?')[1]).get('sessionId') ?? undefined);
    },
    request: clientFrame(BINARY, COLYSEUS_ECHO),
    messages: messagesBy((handler) => clientFrame(BINARY, colyseusMessage(handler, COLYSEUS_PAYLOAD))),
    closeCode: 4000,
  },

  floor: {
    path: ({ playerId }) => `/?player=${playerId}`,
    opened: (connection) => connection.welcome(undefined),
    received: (connection, payload) => (isText(payload, MESSAGE) ? connection.answer() : refuse(payload)),
    request: clientFrame(TEXT, MESSAGE),
    closeCode: closeCode('disconnected'),
  },

  /** A bare server whose messages say which handler they are for. */
  handlers: {
    path: ({ playerId }) => `/?player=${playerId}`,
    opened: (connection) => connection.welcome(undefined),
    received(connection, payload) {
      if (isText(payload, `{"Text":"${MESSAGE}"`)) connection.answer();
      else if (isText(payload, `{"type":"${NOTIFICATION}"`)) connection.notified();
      else refuse(payload);
    },
    request: clientFrame(TEXT, handlerMessage('Echo')),
    messages: {
      ...{ Echo: clientFrame(TEXT, handlerMessage('Echo')), Save: clientFrame(TEXT, handlerMessage('Save')) },
      ...{ Data: clientFrame(TEXT, handlerMessage('Data')), Notify: clientFrame(TEXT, handlerMessage('Notify')) },
    },
    closeCode: undefined,
  },
} as const satisfies Record<string, Dialect>;

export type DialectName = keyof typeof DIALECTS;

function resparkMessage(id: string, handler: string): string {
  return `{"kind":"request","id":"${id}","type":"Custom.Game.${handler}","payload":${PAYLOAD}}`;
}

function handlerMessage(handler: string): string {
  return `{"handler":"${handler}","payload":${PAYLOAD}}`;
}

function startsWith(payload: Buffer, start: Buffer): boolean {
  return payload.subarray(0, start.length).equals(start);
}

function isText(payload: Buffer, start: string): boolean {
  return payload.length >= start.length && payload.toString('latin1', 0, start.length) === start;
}

function refuse(payload: Buffer): never {
  throw new Error(`a server sent a frame that its dialect does not know: ${payload.toString().slice(0, 200)}`);
}
