import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { WebSocketServer } from 'ws';
import { createPlayerWebSocket } from './player-web-socket.ts';

test('a server that sends a frame without an end is left, and none is asked to compress', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true });
  await once(server, 'listening');
  t.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  const asked = once(server, 'connection').then(([socket, request]) => {
    socket.on('error', () => {});
    socket.send('x'.repeat(4_194_304));
    socket.send('x'.repeat(4_194_305));
    return request.headers['sec-websocket-extensions'];
  });
  const Socket = createPlayerWebSocket(() => {});
  const socket = new Socket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, []);
  t.after(() => socket.terminate?.());
  const lengths: number[] = [];
  socket.addEventListener('message', ({ data }) => lengths.push(String(data).length));
  const failure = await new Promise<object>((resolve) => {
    socket.addEventListener('error', resolve);
  });
  assert.match((failure as { message: string }).message, /max payload size exceeded/i);
  assert.deepEqual(lengths, [4_194_304]);
  assert.equal(await asked, undefined);
});
