import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playerUrlAt } from './send.ts';

const LOCAL = { url: 'http://127.0.0.1:8080', playerUrl: 'ws://127.0.0.1:8081/connect' };

for (const [endpoint, local, expected] of [
  ['http://127.0.0.1:8080', LOCAL, LOCAL.playerUrl],
  ['http://localhost:8080', LOCAL, LOCAL.playerUrl],
  ['http://[::1]:8080', LOCAL, LOCAL.playerUrl],
  ['http://localhost:8082', LOCAL, 'ws://localhost:8082/connect'],
  ['https://localhost:8080', LOCAL, 'wss://localhost:8080/connect'],
  ['https://api.example/respark', LOCAL, 'wss://api.example/respark/connect'],
  ['http://localhost:8080/respark', LOCAL, 'ws://localhost:8080/respark/connect'],
  ['http://127.0.0.1:8080', undefined, 'ws://127.0.0.1:8080/connect'],
  ['http://127.0.0.1:8080', { ...LOCAL, url: '' }, 'ws://127.0.0.1:8080/connect'],
] as const) {
  test(`players of the server at ${endpoint} connect at ${expected} (local server: ${local?.url})`, () => {
    assert.equal(playerUrlAt(endpoint, local), expected);
  });
}
