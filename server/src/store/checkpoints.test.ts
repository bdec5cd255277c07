import assert from 'node:assert/strict';
import { closeSync, copyFileSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import Libsql from 'libsql';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { sampleIntent } from './audit/audit-log.contract.ts';
import { openSqliteAuditLog } from './audit/sqlite.ts';
import { createCheckpoints } from './checkpoints.ts';
import { temporaryDirectory } from './test-store.ts';

function openNotes(t: TestContext, file: string) {
  const database = new Libsql(file);
  t.after(() => database.close());
  database.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0');
  database.exec('CREATE TABLE IF NOT EXISTS notes (number INTEGER PRIMARY KEY)');
  return {
    add: (number: number) => database.prepare('INSERT INTO notes VALUES (?)').run(number),
    numbers: () => database.prepare('SELECT number FROM notes').pluck().all(),
  };
}

test('a checkpoint moves what was committed before it began into the file, while more is committed', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'notes.sqlite');
  const notes = openNotes(t, file);
  let settled = 0;
  const count = () => {
    settled += 1;
  };
  const checkpoints = createCheckpoints({ file, pages: 10, settled: count });
  notes.add(1);
  checkpoints.committed(1);
  assert.deepEqual([settled, checkpoints.end()], [1, undefined], 'too few pages');
  notes.add(2);
  checkpoints.committed(5);
  assert.equal(settled, 2);
  const ended = checkpoints.end();
  assert(ended instanceof Promise);
  notes.add(3);
  checkpoints.committed(100);
  assert.equal(settled, 2, 'not before the checkpoint has ended');
  await ended;
  assert.deepEqual([settled, checkpoints.end()], [3, undefined]);

  const alone = join(directory, 'alone.sqlite');
  copyFileSync(file, alone);
  assert.deepEqual(openNotes(t, alone).numbers().slice(0, 2), [1, 2]);
  notes.add(4);
  checkpoints.committed(1);
  await checkpoints.end();
  const later = join(directory, 'later.sqlite');
  copyFileSync(file, later);
  assert.deepEqual(openNotes(t, later).numbers(), [1, 2, 3, 4], 'what came meanwhile counts for the next');
});

test('a checkpoint that fails is left to the next', async (t) => {
  const file = join(temporaryDirectory(t), 'notes.sqlite');
  mkdirSync(file);
  let settled = 0;
  const count = () => {
    settled += 1;
  };
  const checkpoints = createCheckpoints({ file, pages: 1, settled: count });
  for (const expected of [2, 4]) {
    checkpoints.committed(1);
    await checkpoints.end();
    assert.equal(settled, expected);
  }
});

test('a record that comes during a checkpoint waits until a copy of the file without it would be noticed', async (t) => {
  const [directory, copy] = [temporaryDirectory(t), temporaryDirectory(t)];
  const clock = new ManualClock();
  const { log } = recordedLog();
  const auditLog = openSqliteAuditLog({ directory, clock, log });
  t.after(() => auditLog.close());
  const database = new Libsql(join(directory, 'audit.sqlite'));
  t.after(() => database.close());
  const rows = database.prepare('SELECT count(*) FROM audit').pluck();
  // Closed earlier, it would drop the locks that SQLite holds on the file.
  const descriptor = openSync(join(directory, 'audit.sqlite'), 'r');
  t.after(() => closeSync(descriptor));
  const page = Buffer.alloc(4_096);
  const firstPage = () => page.subarray(0, readSync(descriptor, page, 0, page.length, 0));
  const move = async () => {
    clock.advance(1_000);
    await setImmediate();
  };
  // More text than the WAL takes before a checkpoint.
  for (let index = 0; index < 60; index += 1) {
    await auditLog.begin(sampleIntent(String(index), { resource: 'x'.repeat(400_000) }));
  }
  await move();
  await auditLog.begin(sampleIntent('later'));
  while ((rows.all() as number[])[0] !== 61) await move();
  // From now on the file lacks a record. Its mark (`wal-mark.ts`) must say so, whenever a copy is made.
  for (let look = 0; look < 50_000; look += 1) {
    assert.equal(firstPage().readInt32BE(68) % 2, 0);
    await setImmediate();
  }
  writeFileSync(join(copy, 'audit.sqlite'), firstPage(), { mode: 0o600 });
  assert.throws(() => openSqliteAuditLog({ directory: copy, clock, log }), /audit\.sqlite-wal, which is missing/);
});
