import { randomBytes } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import {
  type ClientFrame,
  CONNECT_PATH,
  decodeServerFrame,
  encode,
  type ServerFrame,
  SUBPROTOCOL,
} from '@respark/protocol';
import type { TestServer } from './server.ts';

/** A player on a bare socket, which does only what the test says: it answers no close frame and ends no socket. */
export interface RawPlayer {
  readonly socket: Socket;
  readonly playerId: string;
  readonly connectionId: string;
  /** Frames that have arrived so far, the close frame as `undefined`. */
  readonly frames: readonly (ServerFrame | undefined)[];
  /** Resolves when the server has ended the socket, cleanly or by a reset. */
  readonly gone: Promise<void>;
  send(frame: ClientFrame): void;
}

export async function connectRawPlayer(
  t: TestContext,
  server: Pick<TestServer, 'playerUrl' | 'gameKey'>,
): Promise<RawPlayer> {
  const { hostname, port, protocol } = new URL(server.playerUrl);
  const options = { host: hostname, port: Number(port), allowHalfOpen: true };
  const socket = protocol === 'wss:' ? connectTls({ ...options, rejectUnauthorized: false }) : connectTcp(options);
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  const gone = new Promise<void>((resolve) => void socket.once('end', resolve).once('close', () => resolve()));
  const frames: (ServerFrame | undefined)[] = [];
  const welcomed = new Promise<ServerFrame & { kind: 'welcome' }>((resolve, reject) => {
    socket.once('close', () => reject(new Error('the socket closed before the welcome')));
    const parse = createFrameParser((frame) => {
      frames.push(frame);
      if (frame?.kind === 'welcome') resolve(frame);
    });
    socket.on('data', parse);
  });
  socket.write(
    [
      `GET ${CONNECT_PATH} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
      '\r\n',
    ].join('\r\n'),
  );
  socket.write(textFrame(encode({ kind: 'hello', gameKey: server.gameKey })));
  const { playerId, connectionId } = await welcomed;
  return { socket, playerId, connectionId, frames, gone, send: (frame) => void socket.write(textFrame(encode(frame))) };
}

/** A masked text frame of a client (RFC 6455, section 5.2); the mask is zero, which leaves the text as it is. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head =
    payload.length < 126
      ? Buffer.from([0x81, 0x80 | payload.length])
      : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

/** Reads the bytes of an upgrade answer and of the unmasked frames after it. */
function createFrameParser(onFrame: (frame: ServerFrame | undefined) => void): (chunk: Buffer) => void {
  let bytes: Buffer = Buffer.alloc(0);
  let isUpgraded = false;
  return (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (!isUpgraded) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      bytes = bytes.subarray(end + 4);
      isUpgraded = true;
    }
    for (;;) {
      const [opcode = 0, length = 0] = bytes;
      const start = length === 126 ? 4 : 2;
      if (bytes.length < start) return;
      const end = start + (length === 126 ? bytes.readUInt16BE(2) : length);
      if (bytes.length < end) return;
      const decoded = opcode === 0x81 ? decodeServerFrame(bytes.toString('utf8', start, end)) : undefined;
      bytes = bytes.subarray(end);
      onFrame(decoded?.ok ? decoded.frame : undefined);
    }
  };
}
