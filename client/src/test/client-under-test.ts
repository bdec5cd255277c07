import assert from 'node:assert/strict';
import { type ClientOptions, ResparkClient } from '../client.ts';
import { FakeClock, type FakeSocket, fakeNetwork, settle } from './fakes.ts';

/** A client with a fake network and clock; `told` lists what its listeners heard, in order. */
export function setUp({ clock = new FakeClock(), ...options }: Partial<ClientOptions> & { clock?: FakeClock } = {}) {
  const { sockets, WebSocket } = fakeNetwork();
  const client = new ResparkClient({
    url: 'ws://test:1',
    gameKey: 'key',
    clock,
    WebSocket,
    random: () => 0.5,
    ...options,
  });
  const told: string[] = [];
  client.on('state', (state) => told.push(state));
  client.on('welcome', (welcome) => told.push(`welcome ${welcome.playerId}`));
  client.on('disconnect', (event) => told.push(`disconnect ${event.closeCode} ${event.reconnectInMs}`));
  client.on('error', (error) => told.push(`error ${error.message}`));
  const newest = (): FakeSocket => {
    const socket = sockets.at(-1);
    assert.ok(socket !== undefined, 'no socket was made');
    return socket;
  };
  return { clock, sockets, client, told, newest };
}

/** The same client after its welcome, with `told` still empty. */
export async function setUpConnected(options: Parameters<typeof setUp>[0] = {}) {
  const all = setUp(options);
  const connected = all.client.connect();
  await settle();
  all.newest().welcomes();
  await connected;
  all.told.length = 0;
  return all;
}
