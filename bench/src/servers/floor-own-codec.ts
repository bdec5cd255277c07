// The floor without `ws`: the same job over a server end of RFC 6455 that is written by hand, and no more of it than
// players need who send whole frames of at most 65,535 bytes. It checks nothing, which no server may do.
import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { reportReady } from './ready.ts';

const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;
const NOTHING = Buffer.alloc(0);
const DISCONNECTED = frame(CLOSE, Buffer.from([4500 >> 8, 4500 & 0xff, ...Buffer.from('disconnected')]));

interface PlayerSocket extends Socket {
  id: string;
  playerId: string;
  /** The start of a frame that has not arrived as a whole. */
  rest: Buffer;
  isClosing: boolean;
}

const sockets = new Map<string, PlayerSocket[]>();

function frame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = length < 126 ? [0x80 | opcode, length] : [0x80 | opcode, 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), payload]);
}

function onData(this: PlayerSocket, chunk: Buffer): void {
  const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
  let at = 0;
  while (bytes.length - at >= 2) {
    const short = (bytes[at + 1] as number) & 0x7f;
    const mask = at + (short < 126 ? 2 : 4);
    if (bytes.length < mask + 4) break;
    const start = mask + 4;
    const end = start + (short < 126 ? short : bytes.readUInt16BE(at + 2));
    if (bytes.length < end) break;
    for (let i = start; i < end; i += 1) bytes[i] = (bytes[i] as number) ^ (bytes[mask + ((i - start) & 3)] as number);
    onFrame(this, (bytes[at] as number) & 0x0f, bytes.subarray(start, end));
    at = end;
  }
  this.rest = at === bytes.length ? NOTHING : bytes.subarray(at);
}

function onFrame(socket: PlayerSocket, opcode: number, payload: Buffer): void {
  if (opcode === CLOSE) socket.end(socket.isClosing ? NOTHING : frame(CLOSE, payload));
  else if (opcode === PING) socket.write(frame(PONG, payload));
  else if (opcode !== PONG) socket.write(frame(opcode, payload));
}

function onEnd(this: PlayerSocket): void {
  this.end();
}

function onClose(this: PlayerSocket): void {
  const rest = sockets.get(this.playerId)?.filter((socket) => socket !== this) ?? [];
  if (rest.length > 0) sockets.set(this.playerId, rest);
  else sockets.delete(this.playerId);
}

function onError(): void {}

const server = createServer((request, response) => {
  const [, , playerId = ''] = (request.url ?? '').split('/');
  const closed = sockets.get(playerId) ?? [];
  for (const socket of closed) {
    socket.isClosing = true;
    socket.write(DISCONNECTED);
  }
  const body = JSON.stringify({ DisconnectSuccesses: closed.map(({ id }) => id), DisconnectFailures: [] });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
});

server.on('upgrade', (request, duplex, head) => {
  const playerId = (request.url ?? '').slice('/?player='.length);
  const state = { id: randomUUID(), playerId, rest: NOTHING, isClosing: false };
  const socket: PlayerSocket = Object.assign(duplex as Socket, state);
  const others = sockets.get(playerId);
  if (others === undefined) sockets.set(playerId, [socket]);
  else others.push(socket);
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  socket.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError);
  socket
    .setNoDelay(true)
    .write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
  if (head.length > 0) onData.call(socket, head);
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => reportReady(server));
