// Socket.IO on several nodes, with its Redis adapter over `ioredis` as that adapter's documentation has it, and otherwise as
// in `socket-io.ts`. A call disconnects the player's room on all nodes: the adapter publishes the wish to each of them, also
// to this one, and nobody says what came of it.
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { reportReady } from '../servers/ready.ts';
import { disconnectRoute } from './disconnect-route.ts';

const HOUR_MS = 3_600_000;

const [redisUrl = '', ...guard] = process.argv.slice(2);
const publisher = new Redis(redisUrl);
const subscriber = publisher.duplicate();

const route = await disconnectRoute((playerId) => {
  io.in(`player:${playerId}`).disconnectSockets(true);
  return [];
}, guard);
const http = createServer(route);

// Heartbeats would fall into some measured windows and not into others, so no contestant has them.
const io = new Server(http, {
  ...{ transports: ['websocket'], serveClient: false, pingInterval: HOUR_MS },
  adapter: createAdapter(publisher, subscriber),
});
io.engine.on('connection', (socket: { request: unknown }) => {
  socket.request = null;
});
io.on('connection', (socket) => {
  const { playerId } = socket.handshake.auth as { playerId: string };
  void socket.join(`player:${playerId}`);
});
http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => reportReady(http));
