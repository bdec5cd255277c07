import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import Libsql from 'libsql';
import { createStore } from './sql-store.ts';
import { openSqlite } from './sqlite.ts';
import type { Store } from './store.ts';
import { sampleGame, sampleSnapshot } from './store-samples.ts';
import { temporaryDirectory } from './test-store.ts';

const MEGABYTE = 1_000_000;
const ZOO = sampleGame('Zoo');
/** As far from the beginning of the file as SQLite has the number that `wal-mark.ts` sets. */
const MARK = 60;

async function open(t: TestContext) {
  const file = join(temporaryDirectory(t), 'respark.db');
  const database = openSqlite({ file });
  t.after(() => database.close());
  await database.migrate();
  const store = createStore(database);
  await store.games.insert(ZOO);
  return { file, store };
}

/** More than the WAL takes before a checkpoint. */
async function writeMuch(store: Store, prefix: string): Promise<void> {
  await store.transaction(async ({ snapshots }) => {
    for (let index = 0; index < 6; index += 1) {
      await snapshots.insert(sampleSnapshot(ZOO, `${prefix}${index}`, { sections: 'x'.repeat(MEGABYTE) }));
    }
  });
}

const sizeOf = (file: string) => statSync(file).size;

/** Has each commit note what the file's size is when it has ended, and before anything else can run. */
function watchCommits(t: TestContext): (file: string) => number[] {
  const sizes: number[] = [];
  let watched = '';
  const prepare = Libsql.prototype.prepare;
  t.mock.method(Libsql.prototype, 'prepare', function (this: Libsql.Database, text: string) {
    const statement = prepare.call(this, text);
    if (!/^commit$/i.test(text)) return statement;
    const run = statement.run.bind(statement) as (...parameters: unknown[]) => unknown;
    return Object.assign(statement, {
      run(...parameters: unknown[]) {
        const done = run(...parameters);
        if (watched !== '') sizes.push(sizeOf(watched));
        return done;
      },
    });
  });
  return (file) => {
    watched = file;
    return sizes;
  };
}

test('a long write is moved into the file while everything else goes on', async (t) => {
  const commits = watchCommits(t);
  const { file, store } = await open(t);
  const sizes = commits(file);
  for (let round = 1; round <= 3; round += 1) {
    const before = sizeOf(file);
    await writeMuch(store, `${round}-`);
    assert.deepEqual(sizes.splice(0), [before], 'the commit has not waited for that');
    const deadline = performance.now() + 10_000;
    while (sizeOf(file) < round * 6 * MEGABYTE && performance.now() < deadline) await setTimeout(5);
    assert.ok(sizeOf(file) >= round * 6 * MEGABYTE, `${sizeOf(file)} bytes`);
    // Each begins at the front of the WAL again.
    assert.ok(sizeOf(`${file}-wal`) < 7 * MEGABYTE, `${sizeOf(`${file}-wal`)} bytes`);
  }
});

test('a write that comes meanwhile waits, so that a copy of the file without it would be noticed', async (t) => {
  const { file, store } = await open(t);
  const descriptor = openSync(file, 'r');
  // Closed earlier, it would drop the locks that SQLite holds on the file.
  t.after(() => closeSync(descriptor));
  const page = Buffer.alloc(100);
  for (let round = 0; round < 5; round += 1) {
    await writeMuch(store, `${round}-`);
    await store.meta.set('fact', String(round));
    readSync(descriptor, page, 0, page.length, 0);
    assert.equal(page.readInt32BE(MARK) % 2, 0, 'the file says that the WAL has more');
    assert.ok(sizeOf(file) > (round + 1) * 6 * MEGABYTE, 'all before it is in the file');
  }
});

test('a file that was put in the place of the database is not touched, and none is made where there is none', async (t) => {
  const { file, store } = await open(t);
  const directory = dirname(file);
  const away = join(temporaryDirectory(t), 'away');
  mkdirSync(away);
  for (const name of readdirSync(directory)) renameSync(join(directory, name), join(away, name));
  // One that SQLite moves into the file itself, so that the mark is due as well.
  const writeVeryMuch = async (prefix: string) => {
    await store.transaction(async ({ snapshots }) => {
      for (let index = 0; index < 20; index += 1) {
        await snapshots.insert(sampleSnapshot(ZOO, `${prefix}${index}`, { sections: 'x'.repeat(MEGABYTE) }));
      }
    });
    await store.meta.set('fact', prefix);
  };
  await writeVeryMuch('1-');
  assert.deepEqual(readdirSync(directory), []);

  const other = openSqlite({ file: join(directory, 'other.db') });
  await other.migrate();
  await other.close();
  renameSync(join(directory, 'other.db'), file);
  const before = readFileSync(file);
  await writeVeryMuch('2-');
  assert.ok(readFileSync(file).equals(before), 'the other database is as it was');
  assert.equal(await store.meta.get('fact'), '2-');
});
