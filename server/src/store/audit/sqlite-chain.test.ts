import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import Libsql from 'libsql';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { temporaryDirectory } from '../test-store.ts';
import { SAMPLE_OUTCOME, sampleIntent } from './audit-log.contract.ts';
import { briefly, NOW, testChain, verify, writeBatches } from './chain.contract.ts';
import { type ForgeableLog, testRemovals } from './removals.contract.ts';
import { openSqliteAuditBeside, openSqliteAuditLog } from './sqlite.ts';

async function openLog(t: TestContext, limits = { maxBytes: Number.POSITIVE_INFINITY }): Promise<ForgeableLog> {
  const directory = temporaryDirectory(t);
  const clock = new ManualClock(NOW);
  const auditLog = openSqliteAuditLog({ directory, installation: 'here', clock, log: recordedLog().log, ...limits });
  t.after(() => auditLog.close());
  return {
    auditLog,
    advance: (ms) => clock.advance(ms),
    async execute(statement) {
      const database = new Libsql(join(directory, 'audit.sqlite'));
      database.exec(statement);
      database.close();
    },
    async openReader() {
      const reader = openSqliteAuditBeside({ directory });
      t.after(() => reader.close());
      return reader;
    },
    async append({ number, at, kind, previous, hash, content, note }) {
      const database = new Libsql(join(directory, 'audit.sqlite'));
      const bytes = [previous, hash, content].map((hex) => Buffer.from(hex, 'hex'));
      const insert =
        'INSERT INTO audit_links (number, at, kind, previous, hash, content, note) VALUES (?, ?, ?, ?, ?, ?, ?)';
      database.prepare(insert).run(number, at, kind, ...bytes, note);
      database.close();
    },
  };
}

testChain(openLog);
testRemovals(openLog);

test('what the chains have is told only when it is on disk', async (t) => {
  const directory = temporaryDirectory(t);
  const auditLog = openSqliteAuditLog({ directory, clock: new ManualClock(NOW), log: recordedLog().log });
  t.after(() => auditLog.close());
  auditLog.begin(sampleIntent('a'));
  await auditLog.settle();
  const wal = join(directory, 'audit.sqlite-wal');
  renameSync(wal, `${wal}.kept`);
  // Opening this file to synchronise it fails from now on; SQLite goes on with the one that it has open.
  symlinkSync(wal, wal);
  await assert.rejects(auditLog.chain.chains(), { code: 'ELOOP' });
  rmSync(wal);
  renameSync(`${wal}.kept`, wal);
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => auditLog.chain.chains()));
  assert.equal(first?.length, 1);
  assert.deepEqual([second, third], [first, first]);
});

test('a journal that is moved twice is in the chain once', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = join(directory, 'audit.journal');
  const open = () => openSqliteAuditLog({ directory, clock: new ManualClock(NOW), log: recordedLog().log });
  const auditLog = open();
  for (let number = 0; number < 40; number += 1) await auditLog.begin(sampleIntent(`${number}`, { at: NOW + number }));
  await auditLog.finish(sampleIntent('1', { at: NOW + 1 }), SAMPLE_OUTCOME);
  const before = readFileSync(journal);
  await auditLog.settle();
  await auditLog.finish(sampleIntent('2', { at: NOW + 2 }), SAMPLE_OUTCOME);
  const late = readFileSync(journal);
  await auditLog.close();
  writeFileSync(journal, Buffer.concat([before, late]), { mode: 0o600 });
  const again = open();
  t.after(() => again.close());
  const { chains, findings } = await verify(again);
  assert.deepEqual([findings, chains[0]?.items], [[], 42]);
});

test('records of commands are in the chain as soon as they are written', async (t) => {
  const directory = temporaryDirectory(t);
  const auditLog = openSqliteAuditLog({ directory, clock: new ManualClock(NOW), log: recordedLog().log });
  t.after(() => auditLog.close());
  await writeBatches(auditLog, ['a']);
  const command = openSqliteAuditBeside({ directory });
  t.after(() => command.close());
  await command.begin(sampleIntent('own', { at: NOW + 5 }));
  await command.finish(sampleIntent('own', { at: NOW + 5 }), SAMPLE_OUTCOME);
  await writeBatches(auditLog, ['b']);
  const { chains, findings } = await verify(auditLog);
  assert.deepEqual([findings, chains[0]?.number, chains[0]?.items], [[], 5, 6]);
});

test('records from before there were chains are counted, and one that is added to them or taken away is found', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'audit.sqlite');
  const change = (statements: string) => {
    const database = new Libsql(file);
    database.exec(statements);
    database.close();
  };
  change(`CREATE TABLE audit (at INTEGER NOT NULL, request_id TEXT NOT NULL, actor TEXT NOT NULL, source_address TEXT NOT NULL,
      operation TEXT NOT NULL, resource TEXT NOT NULL, player_id TEXT, outcome TEXT, cause TEXT NOT NULL DEFAULT 'operator',
      details TEXT, PRIMARY KEY (at, request_id)) STRICT, WITHOUT ROWID;
    CREATE INDEX audit_of_scripts ON audit (at, request_id) WHERE cause = 'script';
    INSERT INTO audit VALUES (1, 'old 1', 'x', '', 'o', 'r', NULL, NULL, 'operator', NULL),
      (2, 'old 2', 'x', '', 'o', 'r', NULL, '{}', 'operator', NULL), (3, 'old 3', 'x', '', 'o', 'r', NULL, NULL, 'operator', NULL);
    PRAGMA user_version = 4`);
  const auditLog = openSqliteAuditLog({ directory, clock: new ManualClock(NOW), log: recordedLog().log });
  t.after(() => auditLog.close());
  await writeBatches(auditLog, ['a']);
  await auditLog.finish({ at: 1, requestId: 'old 1' }, SAMPLE_OUTCOME);
  await auditLog.settle();
  const { unchained, findings } = await verify(auditLog);
  assert.deepEqual([findings, unchained], [[], 3]);
  await auditLog.removeBefore(3);
  assert.deepEqual(briefly(await verify(auditLog)), []);
  change(
    "INSERT INTO audit (at, request_id, actor, source_address, operation, resource) VALUES (2, 'x', 'x', '', 'o', 'r')",
  );
  assert.deepEqual(briefly(await verify(auditLog)), ['inserted']);
  change('DELETE FROM audit WHERE intent_link IS NULL');
  assert.deepEqual(briefly(await verify(auditLog)), ['removed']);
});

test('a copy of the log is as whole as the log', async (t) => {
  const directory = temporaryDirectory(t);
  const auditLog = openSqliteAuditLog({ directory, clock: new ManualClock(NOW), log: recordedLog().log });
  await writeBatches(auditLog, ['a', 'b'], ['c']);
  await auditLog.close();
  const copy = temporaryDirectory(t);
  copyFileSync(join(directory, 'audit.sqlite'), join(copy, 'audit.sqlite'));
  const reader = openSqliteAuditBeside({ directory: copy });
  t.after(() => reader.close());
  assert.deepEqual(briefly(await verify(reader)), []);
});

test('a move of many records gives way after each batch', async (t) => {
  const directory = temporaryDirectory(t);
  const auditLog = openSqliteAuditLog({ directory, clock: new ManualClock(NOW), log: recordedLog().log });
  t.after(() => auditLog.close());
  for (let number = 0; number < 2_000; number += 1)
    await auditLog.begin(sampleIntent(`${number}`, { at: NOW + number }));
  let turns = 0;
  const settled = auditLog.settle();
  let isSettled = false;
  void settled.then(() => {
    isSettled = true;
  });
  for (; !isSettled; turns += 1) await setImmediate();
  assert.ok(turns >= 8, `${turns} turns`);
  assert.deepEqual(briefly(await verify(auditLog)), []);
});
