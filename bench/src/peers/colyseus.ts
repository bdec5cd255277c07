// Colyseus with its own WebSocket transport and matchmaking, in stateless rooms of a hundred clients. Colyseus does not
// know users across rooms, so this file keeps the clients of each player; the call has all of them leave.
import { createServer } from 'node:http';
import { type Client, Room, Server } from '@colyseus/core';
import { WebSocketTransport } from '@colyseus/ws-transport';
import { NOTIFICATION } from '../cloud-code/handlers.ts';
import { reportReady } from '../servers/ready.ts';
import { disconnectRoute } from './disconnect-route.ts';
import { HANDLERS } from './handlers.ts';

const CLOSE_CODE = 4000;

const clients = new Map<string, Set<Client>>();

function notify(playerId: string, payload: object): void {
  for (const client of clients.get(playerId) ?? []) client.send(NOTIFICATION, payload);
}

class Lobby extends Room {
  override maxClients = 100;

  override onCreate(): void {
    // A room without state has no patches to send.
    this.setPatchRate(null);
    this.onMessage('echo', (client, text: string) => client.send('echo', text));
    for (const [name, handle] of Object.entries(HANDLERS)) {
      this.onMessage(name, async (client, message) =>
        client.send(name, await handle(message, client.userData.playerId, notify)),
      );
    }
  }

  override onJoin(client: Client, { playerId }: { playerId: string }): void {
    client.userData = { playerId };
    const others = clients.get(playerId) ?? new Set();
    clients.set(playerId, others.add(client));
  }

  override onLeave(client: Client): void {
    const { playerId } = client.userData;
    const left = clients.get(playerId);
    left?.delete(client);
    if (left?.size === 0) clients.delete(playerId);
  }
}

const route = await disconnectRoute((playerId) => {
  const leaving = [...(clients.get(playerId) ?? [])];
  for (const client of leaving) client.leave(CLOSE_CODE);
  return leaving.map(({ sessionId }) => sessionId);
});
const http = createServer(route);

// Heartbeats would fall into some measured windows and not into others, so no contestant has them.
const transport = new WebSocketTransport({ server: http, pingInterval: 0 });
const game = new Server({ transport, greet: false });
game.define('lobby', Lobby);
await game.listen(0, '127.0.0.1', 4096);
reportReady(http);
