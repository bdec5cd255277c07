import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { startTestServer } from '../support/server.ts';

test('a server without a database and a cluster loads nothing of PostgreSQL and Redis', async (t) => {
  await startTestServer(t);
  const { cache } = createRequire(import.meta.url);
  const loaded = () => Object.keys(cache);
  assert.ok(loaded().some((file) => file.includes('libsql')));
  const ofServers = () => loaded().filter((file) => /node_modules\/(pg|@redis)/.test(file));
  assert.deepEqual(ofServers(), []);
  // So are they found when they are there.
  await Promise.all([import('pg'), import('@redis/client')]);
  for (const name of ['pg', '@redis/client']) assert.ok(ofServers().some((file) => file.includes(name)));
});
