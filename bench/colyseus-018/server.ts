// Colyseus 0.18, which needs Node.js 22, as `src/peers/colyseus.ts` has 0.16: stateless rooms of a hundred clients, of
// which this file keeps those of each player. The call is an endpoint of Colyseus's own router, as its documentation
// has it; a request listener of the HTTP server would answer a second time.
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Client, createEndpoint, createRouter, Room, Server } from '@colyseus/core';
import { WebSocketTransport } from '@colyseus/ws-transport';

const CLOSE_CODE = 4000;

const clients = new Map<string, Set<Client>>();

/** The last argument, for the one handler that needs it. */
const WAIT_URL = process.argv.at(-1) ?? '';
const NOTIFIED_PLAYERS = 50;

const agent = new Agent({ keepAlive: true });
const data = new Map<string, { readonly Gold: number }>();

/** The same handlers as those of `../src/peers/handlers.ts`, which this package cannot import. */
const HANDLERS: Readonly<
  Record<string, (message: { Text: string; Players: number }, playerId: string) => object | Promise<object>>
> = {
  Echo: ({ Text }) => ({ Text }),

  Save({ Text }, playerId) {
    data.set(playerId, { Gold: 5 });
    return { Text };
  },

  Data: ({ Text }, playerId) => ({ Text, Gold: data.get(playerId)?.Gold ?? 0 }),

  async Wait({ Text }) {
    const { Gold } = JSON.parse(await post(WAIT_URL, '{}')) as { Gold: number };
    return { Text, Gold };
  },

  Notify({ Text, Players }, me) {
    const first = Number(me.slice('player-'.length));
    for (let i = 0; i < NOTIFIED_PLAYERS; i += 1) {
      const notified = clients.get(`player-${(first + i) % Players}`) ?? [];
      for (const client of notified) client.send('Moved', { From: me });
    }
    return { Text };
  },
};

function post(url: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    request(url, { method: 'POST', agent, headers }, (response) => resolve(text(response)))
      .on('error', reject)
      .end(body);
  });
}

class Lobby extends Room {
  override maxClients = 100;

  override onCreate(): void {
    // A room without state has no patches to send.
    this.setPatchRate(null);
    this.onMessage('echo', (client, echoed: string) => client.send('echo', echoed));
    for (const [name, handle] of Object.entries(HANDLERS)) {
      this.onMessage(name, async (client, message) =>
        client.send(name, await handle(message, client.userData.playerId)),
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
