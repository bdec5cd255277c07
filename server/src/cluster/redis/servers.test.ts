import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeClient } from './servers.ts';

test('no client has a class of its own, whatever its server and its version of the protocol', () => {
  const [first, ...others] = [
    makeClient('redis://127.0.0.1:6379', 100),
    makeClient('redis://127.0.0.1:6379', 100, { RESP: 3 }),
    makeClient('rediss://user:secret@redis.example:6380/2', 200),
    makeClient('redis://127.0.0.1:6379', 100),
  ];
  for (const client of others) assert.equal(client.constructor, first?.constructor);
});

test('each client has the server and the account of its URL, and its own time limit', () => {
  const url = 'redis://user:secret@redis.example:6380/2';
  const clients = [makeClient(url, 200, { RESP: 3 }), makeClient('redis://127.0.0.1:6379', 100)];
  const shown = clients.map(({ options }) => {
    const { username, password, database, RESP, socket, disableOfflineQueue } = options;
    const { connectTimeout, reconnectStrategy } = socket ?? {};
    const address = socket !== undefined && 'host' in socket ? `${socket.host}:${socket.port}` : undefined;
    return { username, password, database, RESP, address, connectTimeout, reconnectStrategy, disableOfflineQueue };
  });
  assert.deepEqual(shown, [
    {
      ...{ username: 'user', password: 'secret', database: 2, RESP: 3, address: 'redis.example:6380' },
      ...{ connectTimeout: 200, reconnectStrategy: false, disableOfflineQueue: true },
    },
    {
      ...{ username: undefined, password: undefined, database: undefined, RESP: 2, address: '127.0.0.1:6379' },
      ...{ connectTimeout: 100, reconnectStrategy: false, disableOfflineQueue: true },
    },
  ]);
});
