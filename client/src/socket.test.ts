import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket as WsWebSocket } from 'ws';
import { findSocketConstructor } from './socket.ts';
import { fakeNetwork } from './test/fakes.ts';

test('the platform’s WebSocket comes first', async () => {
  const { WebSocket } = fakeNetwork();
  assert.equal(await findSocketConstructor({ WebSocket }, () => assert.fail('not needed')), WebSocket);
});

test('without one, the package ws is used', async () => {
  assert.equal(await findSocketConstructor({}), WsWebSocket);
});

test('without either, the error says what to do', async () => {
  const missing = new Error("Cannot find package 'ws'");
  await assert.rejects(
    findSocketConstructor({}, () => Promise.reject(missing)),
    {
      code: 'no_websocket',
      message: 'this platform has no WebSocket: npm install ws, or pass the option WebSocket',
      cause: missing,
    },
  );
});
