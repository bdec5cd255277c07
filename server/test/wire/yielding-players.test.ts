import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { encode, parseCloseReason } from '@respark/protocol';
import { WebSocket } from 'ws';
import { text, upgradeBytes } from '../fire/raw-websocket.ts';
import { closeOf, from, leave, testBound } from '../support/bound.ts';
import { startTestServer, type TestServer, until } from '../support/server.ts';

/** A client that was refused by a close frame of this code, and neither answers that nor closes its socket. */
async function openRefused(
  { playerUrl }: TestServer,
  address: string,
  { code = 4501, headers = {} } = {},
): Promise<Socket> {
  const { hostname, port } = new URL(playerUrl);
  const socket = connect({ host: hostname, port: Number(port) }).on('error', () => {});
  socket.write(upgradeBytes({ headers: { ...from(address).headers, ...headers } }));
  if (code === 4501) socket.write(text('{}'));
  const refused = new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      if (bytes.includes(Buffer.from([code >> 8, code & 0xff]))) resolve();
    });
  });
  await refused;
  return socket;
}

testBound(
  'a node whose places are taken by clients that were refused and stay lets one more in',
  { maxUnauthenticated: 2, closeGraceMs: 60_000 },
  async (server) => {
    const first = await openRefused(server, '198.51.100.2');
    const second = await openRefused(server, '198.51.100.3');
    const gone = once(first, 'close');
    const player = await server.connect({}, from('198.51.100.4'));
    await gone;
    assert.equal(second.destroyed, false);
    second.destroy();
    await leave(player);
  },
);

testBound(
  'a node whose places are taken by players who wait for another connection of theirs to end lets one more in',
  { maxUnauthenticated: 1, maxConnectionsPerPlayer: 1, probeTimeoutMs: 60_000 },
  async (server) => {
    const mute = await server.connect({}, { autoPong: false });
    const token = await mute.token();
    const waiting = await server.open(from('198.51.100.2'));
    waiting.send(encode({ kind: 'hello', gameKey: server.gameKey, token }));
    const pinged = once(mute.ws, 'ping');
    const ended = closeOf(waiting);
    await pinged;
    const player = await server.connect({}, from('198.51.100.3'));
    const { code, reason } = await ended;
    assert.equal(code, 1013);
    assert.equal(parseCloseReason(reason).retryAfterMs, 5_000);
    assert.equal(mute.ws.readyState, WebSocket.OPEN);
    // A connection that has only just come, and has not sent its hello, does not give way to the next one.
    const again = await server.open(from('198.51.100.2'));
    again.send(encode({ kind: 'hello', gameKey: server.gameKey, token }));
    await until(() => server.counts().listed === 4);
    const young = await server.open(from('198.51.100.4'));
    assert.equal((await closeOf(again)).code, 1013);
    assert.equal(young.readyState, WebSocket.OPEN);
    await leave(player, mute, young);
    await until(() => server.counts().connections === 1);
  },
);

testBound(
  'a client that was refused because the node was full has no place that another could take',
  { maxConnections: 2, closeGraceMs: 60_000 },
  async (server) => {
    const player = await server.connect({}, from('198.51.100.2'));
    const token = await player.token();
    const refused = await openRefused(server, '198.51.100.3', { code: 4004 });
    const another = await server.open(from('198.51.100.4'));
    const welcomed = once(another, 'message').then(() => 'welcomed');
    another.send(encode({ kind: 'hello', gameKey: server.gameKey, token }));
    assert.equal(await Promise.race([welcomed, closeOf(another).then(({ code }) => code)]), 4004);
    // Nor does it keep anybody from a place that has become free.
    await leave(player);
    const next = await server.connect({ token }, from('198.51.100.4'));
    assert.equal(refused.destroyed, false);
    refused.destroy();
    await leave(next);
  },
);

test('[ws] a client that was refused for its origin when the node was full has no place that another could take', async (t) => {
  const settings = { maxConnections: 2, closeGraceMs: 60_000, trustedProxies: ['127.0.0.1'] };
  const server = await startTestServer(t, { settings });
  const player = await server.connect({}, from('198.51.100.2'));
  const token = await player.token();
  const silent = closeOf(await server.open(from('198.51.100.3')));
  const headers = { origin: 'https://elsewhere.example' };
  const refused = await openRefused(server, '198.51.100.4', { code: 4508, headers });
  const next = await server.connect({ token }, from('198.51.100.5'));
  assert.equal((await silent).code, 1013, 'the silent one has given way');
  assert.equal(server.counts().connections, 3);
  refused.destroy();
  await leave(player, next);
});
