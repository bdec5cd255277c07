import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ResparkClient } from '@respark/client';
import { CONNECT_PATH, SUBPROTOCOL } from '@respark/protocol';
import { WebSocket } from 'ws';
import { leave, testBound } from '../support/bound.ts';
import { sayHello, startTestServer, type TestServer } from '../support/server.ts';

test('[ws] the SDK: a player whose network died comes back though the dead connection has their last place', async (t) => {
  const settings = { maxConnectionsPerPlayer: 1, probeTimeoutMs: 500 };
  const server = await startTestServer(t, { settings });
  const relay = await openRelay(t, server);
  const lost = new WebSocket(`ws://127.0.0.1:${relay.port}${CONNECT_PATH}`, SUBPROTOCOL);
  await once(lost, 'open');
  const token = await (await sayHello(lost, { gameKey: server.gameKey })).token();
  relay.fallSilent();
  const client = new ResparkClient({ url: server.playerUrl, gameKey: server.gameKey, token });
  t.after(() => client.close());
  const disconnects: number[] = [];
  client.on('disconnect', ({ closeCode }) => disconnects.push(closeCode));
  await client.connect();
  assert.deepEqual(disconnects, []);
  assert.equal(server.counts().listed, 1);
  const closes = server.logged.flatMap(({ close }) => (close === undefined ? [] : [close]));
  assert.deepEqual(closes, ['heartbeat_missed']);

  // While the new one is alive, another is refused for good.
  await assert.rejects(server.connect({ token }), /closed with 4506/);
  assert.equal(client.state, 'connected');
});

testBound(
  'with replace_oldest a player with all their connections gets another in the place of the oldest',
  { maxConnectionsPerPlayer: 2, whenPlayerFull: 'replace_oldest' },
  async (server) => {
    const first = await server.connect();
    const token = await first.token();
    const second = await server.connect({ token });
    const third = await server.connect({ token });
    assert.deepEqual(await first.closed, {
      code: 4509,
      reason: 'A newer connection of the same player took its place.',
    });
    await Promise.all([second.token(), third.token()]);
    await leave(second, third);
  },
);

/** A relay between a player and the server that can fall silent, like a network that is gone: no FIN, no RST. */
async function openRelay(t: TestContext, server: TestServer): Promise<{ port: number; fallSilent: () => void }> {
  const { hostname, port } = new URL(server.playerUrl);
  let isSilent = false;
  const relay = createServer((near) => {
    const far = connectTcp(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      t.after(() => from.destroy());
      from.on('error', () => {}).on('data', (bytes) => isSilent || to.write(bytes));
    }
  });
  t.after(() => relay.close());
  await once(relay.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (relay.address() as AddressInfo).port,
    fallSilent() {
      isSilent = true;
    },
  };
}
