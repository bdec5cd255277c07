import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, openSync, readSync, renameSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import Libsql from 'libsql';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { watchForeignVersion } from './foreign-version.ts';
import { temporaryDirectory } from './test-store.ts';

const WRITE = 'UPDATE fact SET value = value + 1';
const HEADER_BYTES = 48;
const ONLY_LINUX = { skip: process.platform !== 'linux' && 'only Linux tells which descriptor SQLite has open' };

/** A database with one fact, and a connection that notes what it is asked for by watched statements. */
function open(t: TestContext, file = join(temporaryDirectory(t), 'facts.sqlite')) {
  const connection = new Libsql(file);
  t.after(() => {
    if (connection.open) connection.close();
  });
  connection.exec('PRAGMA busy_timeout = 1000; PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL');
  connection.exec('CREATE TABLE IF NOT EXISTS fact (value INTEGER); INSERT INTO fact VALUES (1)');
  const dataVersion = connection.prepare<[]>('PRAGMA data_version').raw();
  const clock = new ManualClock();
  let questions = 0;
  /** Runs after SQLite has answered. */
  const then = { answered: () => {} };
  function watch(of = file): () => number {
    const prepare = () => ({
      raw: () => ({
        get() {
          questions += 1;
          const answer = dataVersion.get();
          then.answered();
          return answer;
        },
      }),
    });
    const watched = {
      prepare,
      get open() {
        return connection.open;
      },
    } as unknown as Libsql.Database;
    const version = watchForeignVersion({ connection: watched, file: of, clock });
    questions = 0;
    return version;
  }
  /** How often SQLite is asked by the look at a version. */
  function questionsOf(look: () => unknown): number {
    const before = questions;
    look();
    return questions - before;
  }
  return { file, connection, clock, watch, questionsOf, then, actual: () => (dataVersion.get() as [number])[0] };
}

/** What this connection, or another one, does between two looks. */
const HAPPENINGS = {
  'commit here': ({ connection }) => connection.exec(WRITE),
  'rollback here': ({ connection }) => connection.exec(`BEGIN IMMEDIATE; ${WRITE}; ROLLBACK`),
  'begin here': ({ connection }) => connection.exec(connection.inTransaction ? 'COMMIT' : `BEGIN IMMEDIATE; ${WRITE}`),
  'checkpoint here': ({ connection }) => connection.exec('PRAGMA wal_checkpoint(TRUNCATE)'),
  commit: ({ other }) => other.exec(WRITE),
  'large commit': ({ other }) => other.exec('CREATE TABLE large AS SELECT randomblob(500000); DROP TABLE large'),
  rollback: ({ other }) => other.exec(`BEGIN IMMEDIATE; ${WRITE}; ROLLBACK`),
  'passive checkpoint': ({ other }) => other.exec('PRAGMA wal_checkpoint(PASSIVE)'),
  'full checkpoint': ({ other }) => other.exec('PRAGMA wal_checkpoint(FULL)'),
  restart: ({ other }) => other.exec('PRAGMA wal_checkpoint(RESTART)'),
  truncation: ({ other }) => other.exec('PRAGMA wal_checkpoint(TRUNCATE)'),
  vacuum: ({ other }) => other.exec('VACUUM'),
  'schema change': ({ other }) => other.exec('DROP INDEX IF EXISTS by_value; CREATE INDEX by_value ON fact (value)'),
  'another journal': ({ other }) => other.exec('PRAGMA journal_mode = DELETE'),
} satisfies Record<string, (connections: { connection: Libsql.Database; other: Libsql.Database }) => unknown>;

async function testAgainstWriter(t: TestContext): Promise<void> {
  const { file, connection, watch, actual } = open(t);
  const version = watch();
  const statement = connection.prepare<[]>('SELECT value FROM fact').raw();
  const read = () => (statement.get() as [number])[0];
  const child = fork(fileURLToPath(import.meta.url), ['write', file]);
  t.after(() => child.kill());
  await once(child, 'message');
  // The looks fall between any two steps of a commit there.
  let changes = 0;
  for (let look = 0; look < 500_000 && changes < 200; look += 1) {
    const before = version();
    const first = read();
    const second = read();
    if (first !== second) changes += 1;
    if (version() === before) assert.equal(first, second, 'a query saw a commit that the version does not tell');
  }
  assert.equal(changes, 200);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(version(), actual());
}

function registerTests(): void {
  test('SQLite is asked once after each commit of any connection, and not otherwise', ONLY_LINUX, (t) => {
    const { file, connection, watch, questionsOf } = open(t);
    const other = new Libsql(file);
    const version = watch();
    const before = version();
    for (let turn = 0; turn < 3; turn += 1) assert.equal(questionsOf(version), 0);
    connection.exec(WRITE);
    assert.deepEqual([questionsOf(version), questionsOf(version), version()], [1, 0, before]);
    other.exec(WRITE);
    assert.deepEqual([questionsOf(version), questionsOf(version)], [1, 0]);
    assert.notEqual(version(), before);
    other.exec(`BEGIN; ${WRITE}; ROLLBACK; SELECT value FROM fact; PRAGMA wal_checkpoint(PASSIVE)`);
    assert.equal(questionsOf(version), 0);
    other.close();
  });

  test('SQLite is asked each time where the WAL-index is not found', (t) => {
    const { watch, questionsOf } = open(t);
    const version = watch(join(temporaryDirectory(t), 'another.sqlite'));
    assert.deepEqual([questionsOf(version), questionsOf(version)], [1, 1]);
  });

  test('where reads and mappings of a file disagree, a commit is seen after 250 ms at most', ONLY_LINUX, (t) => {
    const { file, clock, watch } = open(t);
    // What is read here never changes, as on a file system whose reads do not see what is mapped.
    const elsewhere = join(temporaryDirectory(t), 'frozen.sqlite');
    copyFileSync(file, elsewhere);
    copyFileSync(`${file}-shm`, `${elsewhere}-shm`);
    const frozen = openSync(`${elsewhere}-shm`, 'r');
    t.after(() => closeSync(frozen));
    const version = watch(elsewhere);
    const before = version();
    const other = new Libsql(file);
    other.exec(WRITE);
    clock.advance(249);
    assert.equal(version(), before);
    clock.advance(1);
    assert.notEqual(version(), before);
    other.close();
  });

  test('a header that a killed process has written by half is not taken for the old one', ONLY_LINUX, (t) => {
    const { file, watch, questionsOf, actual } = open(t);
    // It stays open until the process ends: closing it would drop SQLite's locks.
    const index = openSync(`${file}-shm`, 'r+');
    const version = watch();
    version();
    const copy = Buffer.alloc(HEADER_BYTES);
    readSync(index, copy, 0, HEADER_BYTES, HEADER_BYTES);
    copy.writeUInt32LE(copy.readUInt32LE(8) + 1, 8);
    // SQLite writes the second copy first.
    writeSync(index, copy, 0, HEADER_BYTES, HEADER_BYTES);
    assert.equal(questionsOf(version), 1);
    assert.equal(version(), actual());
    version();
    assert.equal(questionsOf(version), 0, 'SQLite has repaired it');
  });

  test('a commit that comes while SQLite is asked is seen at the next look', (t) => {
    const { file, connection, watch, then, actual } = open(t);
    const other = new Libsql(file);
    const version = watch();
    then.answered = () => other.exec(WRITE);
    connection.exec(WRITE);
    const before = version();
    then.answered = () => {};
    assert.notEqual(version(), before);
    assert.equal(version(), actual());
    other.close();
  });

  test('after the close SQLite is asked each time, because the descriptor may be that of another file', (t) => {
    const { connection, watch, questionsOf } = open(t);
    const version = watch();
    version();
    connection.close();
    assert.deepEqual([questionsOf(version), questionsOf(version)], [1, 1]);
  });

  test('the version is that of SQLite at every look, whatever has happened in between', (t) => {
    const names = fc.array(fc.constantFrom(...(Object.keys(HAPPENINGS) as (keyof typeof HAPPENINGS)[])), {
      minLength: 20,
      maxLength: 60,
    });
    fc.assert(
      fc.property(names, (happenings) => {
        const { file, connection, watch, actual } = open(t);
        const other = new Libsql(file);
        other.exec('PRAGMA synchronous = OFF');
        const version = watch();
        for (const name of happenings) {
          try {
            HAPPENINGS[name]({ connection, other });
          } catch (error) {
            // The lock is taken, or what is asked for cannot be done now.
            assert.match(String(error), /locked|busy|within a transaction/i);
          }
          assert.equal(version(), actual(), name);
        }
        if (connection.inTransaction) connection.exec('ROLLBACK');
        other.close();
        connection.close();
      }),
      { numRuns: 30, endOnFailure: true },
    );
  });

  test('a database that is replaced on disk stays the one that SQLite has open', (t) => {
    const { file, connection, watch, actual } = open(t);
    const version = watch();
    const { ino } = statSync(`${file}-shm`);
    for (const suffix of ['', '-wal', '-shm']) renameSync(`${file}${suffix}`, `${file}.old${suffix}`);
    const replaced = new Libsql(file);
    replaced.exec('PRAGMA journal_mode = WAL; CREATE TABLE fact (value INTEGER)');
    assert.notEqual(statSync(`${file}-shm`).ino, ino);
    const before = version();
    replaced.exec('INSERT INTO fact VALUES (1)');
    assert.equal(version(), before);
    connection.exec(WRITE);
    assert.equal(version(), actual());
    replaced.close();
  });

  test('a commit of another process is told as soon as a query can see it', testAgainstWriter);
}

/** This file is also the other process: it writes without a pause until it is killed or its parent ends. */
function write(file: string): void {
  const connection = new Libsql(file);
  connection.exec('PRAGMA busy_timeout = 1000; PRAGMA synchronous = OFF');
  process.once('disconnect', () => process.exit());
  const next = () => {
    for (let commit = 0; commit < 20; commit += 1) connection.exec(WRITE);
    setImmediate(next);
  };
  next();
  process.send?.('ready');
}

const [, , mode, writtenFile = ''] = process.argv;
if (mode === 'write') write(writtenFile);
else registerTests();
