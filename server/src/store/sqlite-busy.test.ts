import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import Libsql from 'libsql';
import { openTestStore, temporaryDirectory } from './test-store.ts';

test('what another process writes is read at once, also while a write waits for its lock', async (t) => {
  const file = join(temporaryDirectory(t), 'respark.db');
  const store = await openTestStore(t, file);
  const other = new Libsql(file);
  t.after(() => other.close());
  await store.meta.set('read', '0');
  for (let round = 1; round <= 20; round += 1) {
    other.exec(`begin immediate; update meta set value = '${round} first' where key = 'read'`);
    const writing = store.meta.set('written', `${round}`);
    // The write finds the lock taken.
    await new Promise((resolve) => setImmediate(resolve));
    other.exec('commit');
    assert.equal(await store.meta.get('read'), `${round} first`);
    other.exec(`update meta set value = '${round} second' where key = 'read'`);
    assert.equal(await store.meta.get('read'), `${round} second`);
    await writing;
    assert.equal(await store.meta.get('written'), `${round}`);
  }
});
