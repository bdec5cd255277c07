import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encode, parseCloseReason } from '@respark/protocol';
import { WebSocket } from 'ws';
import { text, upgradeBytes } from '../fire/raw-websocket.ts';
import { closeOf, from, leave, testBound } from '../support/bound.ts';
import { type TestServer, until } from '../support/server.ts';

/** A client that was refused by a close frame, and neither answers that nor closes its socket. */
async function openRefused({ playerUrl }: TestServer, address: string): Promise<Socket> {
  const { hostname, port } = new URL(playerUrl);
  const socket = connect({ host: hostname, port: Number(port) }).on('error', () => {});
  socket.write(upgradeBytes({ headers: from(address).headers }));
  socket.write(text('{}'));
  const refused = new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      if (bytes.includes(Buffer.from([4501 >> 8, 4501 & 0xff]))) resolve();
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
