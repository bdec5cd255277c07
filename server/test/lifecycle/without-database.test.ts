import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { startTestServer } from '../support/server.ts';

test('a server without a database loads nothing of PostgreSQL', async (t) => {
  await startTestServer(t);
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  assert.ok(loaded.some((file) => file.includes('libsql')));
  assert.deepEqual(
    loaded.filter((file) => /node_modules\/pg/.test(file)),
    [],
  );
});
