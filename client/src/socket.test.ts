import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket as WsWebSocket } from 'ws';
import { findSocketConstructor } from './socket.ts';
import { fakeNetwork } from './test/fakes.ts';

const importWs = () => import('ws');

test('the platform’s WebSocket comes first', async () => {
  const { WebSocket } = fakeNetwork();
  assert.equal(await findSocketConstructor(() => assert.fail('not needed'), { WebSocket }), WebSocket);
});

test('without one, the entry for Node.js uses the package ws', async () => {
  assert.equal(await findSocketConstructor(importWs, {}), WsWebSocket);
});

test('without either, the error says what to do', async () => {
  const missing = new Error("Cannot find package 'ws'");
  await assert.rejects(
    findSocketConstructor(() => Promise.reject(missing), {}),
    {
      code: 'no_websocket',
      message: 'this platform has no WebSocket: npm install ws, or pass the option WebSocket',
      cause: missing,
    },
  );
});

test('without either on another platform, the error does not name what cannot be used there', async () => {
  await assert.rejects(findSocketConstructor(undefined, {}), {
    code: 'no_websocket',
    message: 'this platform has no WebSocket: pass the option WebSocket',
  });
});
