// Socket.IO as its documentation recommends for many connections: WebSocket only, without keeping each HTTP request
// (socket.io/docs/v4/performance-tuning, "Memory usage"). A player's sockets share a room; the call disconnects the
// room.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { NOTIFICATION } from '../cloud-code/handlers.ts';
import { reportReady } from '../servers/ready.ts';
import { disconnectRoute } from './disconnect-route.ts';
import { HANDLERS } from './handlers.ts';

const HOUR_MS = 3_600_000;

const route = await disconnectRoute((playerId) => {
  const room = `player:${playerId}`;
  const ids = [...(io.of('/').adapter.rooms.get(room) ?? [])];
  io.in(room).disconnectSockets(true);
  return ids;
});
const http = createServer(route);

// Heartbeats would fall into some measured windows and not into others, so no contestant has them.
const io = new Server(http, { transports: ['websocket'], serveClient: false, pingInterval: HOUR_MS });
io.engine.on('connection', (socket: { request: unknown }) => {
  socket.request = null;
});
const notify = (playerId: string, payload: object) => io.to(`player:${playerId}`).emit(NOTIFICATION, payload);
io.on('connection', (socket) => {
  const { playerId } = socket.handshake.auth as { playerId: string };
  void socket.join(`player:${playerId}`);
  socket.on('echo', (text: string, answer: (text: string) => void) => answer(text));
  for (const [name, handle] of Object.entries(HANDLERS)) {
    socket.on(name, async (message, answer: (response: object) => void) =>
      answer(await handle(message, playerId, notify)),
    );
  }
});
http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => reportReady(http));
