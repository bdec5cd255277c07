import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import Libsql from 'libsql';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { openSqlite } from './sqlite.ts';
import { openTestStore, temporaryDirectory } from './test-store.ts';
import { createWriteTurns } from './write-turns.ts';

test('the event loop goes on between transactions that are asked for at once', async (t) => {
  const store = await openTestStore(t, join(temporaryDirectory(t), 'respark.db'));
  let written = 0;
  const writing = Array.from({ length: 20 }, async (_, number) => {
    await store.meta.set(`key ${number}`, 'value');
    written += 1;
  });
  const seen = new Set<number>();
  while (written < writing.length) {
    await new Promise((resolve) => setImmediate(resolve));
    seen.add(written);
  }
  await Promise.all(writing);
  // Each of them was the last one for at least one turn of the loop.
  assert.ok(seen.size >= 19, `it went on after ${[...seen].join()} of them`);
});

test('writes are done in the order in which they come, the first at once, and one that fails holds up none', async () => {
  const inTurn = createWriteTurns({ clock: new ManualClock() });
  const done: string[] = [];
  const write = (name: string) => inTurn(async () => void done.push(name));
  const first = write('first');
  const failing = assert.rejects(
    inTurn(() => Promise.reject(new Error('failed'))),
    /failed/,
  );
  const last = write('last');
  await first;
  assert.deepEqual(done, ['first']);
  await failing;
  await last;
  assert.deepEqual(done, ['first', 'last']);
  let isDone = false;
  const alone = inTurn(async () => {
    isDone = true;
  });
  await Promise.resolve();
  await Promise.resolve();
  assert.ok(isDone, 'one for which nobody waits begins in the same turn of the loop');
  await alone;
});

test('what was asked for before a database is closed is written', async (t) => {
  const database = openSqlite({ file: join(temporaryDirectory(t), 'respark.db') });
  await database.migrate();
  const writing = [1, 2, 3, 4].map((number) => database.transaction(async () => number));
  const closing = database.close();
  assert.deepEqual(await Promise.all(writing), [1, 2, 3, 4]);
  await closing;
});

test('many writes that wait for another process give up when each of them has waited too long', async (t) => {
  const file = join(temporaryDirectory(t), 'respark.db');
  const database = openSqlite({ file, maxWriteWaitMs: 200 });
  t.after(() => database.close());
  await database.migrate();
  const other = new Libsql(file);
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  let tries = 0;
  let endedAt = Number.NEGATIVE_INFINITY;
  let leastPauseMs = Number.POSITIVE_INFINITY;
  const exec = Libsql.prototype.exec;
  t.mock.method(Libsql.prototype, 'exec', function (this: Libsql.Database, text: string) {
    if (text !== 'begin immediate') return exec.call(this, text);
    tries += 1;
    leastPauseMs = Math.min(leastPauseMs, performance.now() - endedAt);
    try {
      return exec.call(this, text);
    } finally {
      endedAt = performance.now();
    }
  });
  const writing = Array.from({ length: 20 }, () => database.transaction(async () => {}));
  const ends = await Promise.allSettled(writing);
  assert(ends.every(({ status }) => status === 'rejected'));
  assert(tries <= 40, `in ${tries} tries, each of which holds everything up`);
  assert(leastPauseMs > 23, `everything else went on for ${leastPauseMs} ms between two of them`);
});

test('very many writes are told to try again once they have waited, not when each of them has tried', async (t) => {
  const file = join(temporaryDirectory(t), 'respark.db');
  const database = openSqlite({ file, maxWriteWaitMs: 300 });
  t.after(() => database.close());
  await database.migrate();
  const other = new Libsql(file);
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const startedAt = performance.now();
  const writing = Array.from({ length: 200 }, () => database.transaction(async () => {}));
  const ends = await Promise.allSettled(writing);
  const tookMs = performance.now() - startedAt;
  assert(ends.every(({ status }) => status === 'rejected'));
  assert(tookMs < 3_000, `they waited for ${tookMs} ms`);
  const late = database.transaction(async () => 'written');
  other.exec('COMMIT');
  assert.equal(await late, 'written');
});
