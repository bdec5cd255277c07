// The floor: the least that the job can cost, without authentication, validation, limits or heartbeats. It is written
// in the leanest style that `ws` allows, and keeps no closure, tracking or request for a connection.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { type RawData, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { reportReady } from './ready.ts';

class PlayerSocket extends WebSocket {
  id = '';
  playerId = '';
}

const sockets = new Map<string, PlayerSocket[]>();
const options: ServerOptions<typeof PlayerSocket> & { closeTimeout: number } = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  WebSocket: PlayerSocket,
  maxPayload: 65_536,
  closeTimeout: 3_000,
};
const webSockets = new WebSocketServer(options);

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  this.send(data, { binary: isBinary });
}

function onClose(this: WebSocket): void {
  if (!(this instanceof PlayerSocket)) return;
  const rest = sockets.get(this.playerId)?.filter((socket) => socket !== this) ?? [];
  if (rest.length > 0) sockets.set(this.playerId, rest);
  else sockets.delete(this.playerId);
}

const server = createServer((request, response) => {
  const [, , playerId = ''] = (request.url ?? '').split('/');
  const closed = sockets.get(playerId) ?? [];
  for (const socket of closed) socket.close(4500, 'disconnected');
  const body = JSON.stringify({ DisconnectSuccesses: closed.map(({ id }) => id), DisconnectFailures: [] });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
});

server.on('upgrade', (request, socket, head) => {
  webSockets.handleUpgrade(request, socket as Socket, head, (ws) => {
    ws.id = randomUUID();
    ws.playerId = (request.url ?? '').slice('/?player='.length);
    const others = sockets.get(ws.playerId);
    if (others === undefined) sockets.set(ws.playerId, [ws]);
    else others.push(ws);
    ws.on('message', onMessage).on('close', onClose);
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => reportReady(server));
