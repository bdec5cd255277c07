// Colyseus in several processes, with its Redis presence and driver as its documentation of scalability has it, and otherwise
// as in `colyseus.ts`. A process subscribes to a topic for each player that it has, so that a call, which publishes to the
// topic, costs only the processes with connections of that player; nobody says what came of it.
import { createServer } from 'node:http';
import { type Client, matchMaker, Room, Server } from '@colyseus/core';
import { RedisDriver } from '@colyseus/redis-driver';
import { RedisPresence } from '@colyseus/redis-presence';
import { WebSocketTransport } from '@colyseus/ws-transport';
import { reportReady } from '../servers/ready.ts';
import { disconnectRoute } from './disconnect-route.ts';

const CLOSE_CODE = 4000;

const [redisUrl = '', ...guard] = process.argv.slice(2);
const clients = new Map<string, Set<Client>>();
const presence = new RedisPresence(redisUrl);
const topicOf = (playerId: string) => `disconnect:${playerId}`;

class Lobby extends Room {
  override maxClients = 100;
  // Rooms that are left by all would be removed and made again all the time.
  override autoDispose = false;

  override onCreate(): void {
    // A room without state has no patches to send.
    this.setPatchRate(null);
  }

  override async onJoin(client: Client, { playerId }: { playerId: string }): Promise<void> {
    client.userData = { playerId };
    const others = clients.get(playerId);
    if (others !== undefined) {
      others.add(client);
      return;
    }
    const mine = new Set([client]);
    clients.set(playerId, mine);
    await presence.subscribe(topicOf(playerId), () => {
      for (const leaving of mine) leaving.leave(CLOSE_CODE);
    });
  }

  override async onLeave(client: Client): Promise<void> {
    const { playerId } = client.userData;
    const left = clients.get(playerId);
    left?.delete(client);
    if (left?.size !== 0) return;
    clients.delete(playerId);
    await presence.unsubscribe(topicOf(playerId));
  }
}

const route = await disconnectRoute((playerId) => {
  void presence.publish(topicOf(playerId), null);
  return [];
}, guard);
const http = createServer(route);

// Heartbeats would fall into some measured windows and not into others, so no contestant has them.
const transport = new WebSocketTransport({ server: http, pingInterval: 0 });
const game = new Server({
  ...{ transport, greet: false, presence, driver: new RedisDriver(redisUrl) },
  // Players are to be on the process that they have asked, which makes the rooms that it needs itself.
  selectProcessIdToCreateRoom: async () => matchMaker.processId,
});
game.define('lobby', Lobby);
await game.listen(0, '127.0.0.1', 4096);
reportReady(http);
