// Colyseus 0.18, which needs Node.js 22, as `src/peers/colyseus.ts` has 0.16: stateless rooms of a hundred clients, of
// which this file keeps those of each player. The call is an endpoint of Colyseus's own router, as its documentation
// has it; a request listener of the HTTP server would answer a second time.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Client, createEndpoint, createRouter, Room, Server } from '@colyseus/core';
import { WebSocketTransport } from '@colyseus/ws-transport';

const CLOSE_CODE = 4000;

const clients = new Map<string, Set<Client>>();

class Lobby extends Room {
  override maxClients = 100;

  override onCreate(): void {
    // A room without state has no patches to send.
    this.setPatchRate(null);
    this.onMessage('echo', (client, text: string) => client.send('echo', text));
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

const disconnectPlayer = createEndpoint('/player/:playerId', { method: 'POST' }, async ({ params }) => {
  const leaving = [...(clients.get(params.playerId) ?? [])];
  for (const client of leaving) client.leave(CLOSE_CODE);
  return { DisconnectSuccesses: leaving.map(({ sessionId }) => sessionId), DisconnectFailures: [] };
});

const http = createServer();
// Heartbeats would fall into some measured windows and not into others, so no contestant has them.
const transport = new WebSocketTransport({ server: http, pingInterval: 0 });
const game = new Server({ transport, greet: false });
game.router = createRouter({ disconnectPlayer });
game.define('lobby', Lobby);
await game.listen(0, '127.0.0.1', 4096);
process.stdout.write(`${JSON.stringify({ port: (http.address() as AddressInfo).port })}\n`);
