import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Libsql from 'libsql';
import { recordedLog } from '../../../test/support/domain.ts';
import { fillDisk } from '../../../test/support/full-disk.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { temporaryDirectory } from '../test-store.ts';
import { findRecords, SAMPLE_OUTCOME, sampleIntent, testAuditLog } from './audit-log.contract.ts';
import type { AuditLog, AuditQuery, AuditReader } from './audit-log.ts';
import { openSqliteAuditBeside, openSqliteAuditLog } from './sqlite.ts';

/** A log whose records stay in the journal until the test moves them. */
function openLog(
  t: TestContext,
  directory = temporaryDirectory(t),
  { now, ...limits }: { maxBytes?: number; now?: number } = {},
) {
  const clock = new ManualClock(now);
  const { log, lines } = recordedLog();
  const auditLog = openSqliteAuditLog({ directory, clock, log, ...limits });
  t.after(() => auditLog.close());
  const move = async () => {
    clock.advance(1_000);
    await setImmediate();
    await setImmediate();
  };
  return { auditLog, directory, journal: join(directory, 'audit.journal'), lines, move };
}

function openReader(t: TestContext, directory: string): AuditReader {
  const reader = openSqliteAuditBeside({ directory });
  t.after(() => reader.close());
  return reader;
}

/** What a tool that knows nothing of the journal finds: request id → outcome. */
function databaseRows(directory: string): Record<string, string | null> {
  const database = new Libsql(join(directory, 'audit.sqlite'));
  try {
    const rows = database.prepare('SELECT request_id AS id, outcome FROM audit').all();
    return Object.fromEntries(
      (rows as { id: string; outcome: string | null }[]).map(({ id, outcome }) => [id, outcome]),
    );
  } finally {
    database.close();
  }
}

async function idsOf(reader: AuditReader, query: Partial<AuditQuery> = {}): Promise<string[]> {
  return (await findRecords(reader, query)).map(({ requestId }) => requestId);
}

const directories = new WeakMap<AuditLog, string>();
testAuditLog({
  async open(t, limits) {
    const { auditLog, directory } = openLog(t, temporaryDirectory(t), limits);
    directories.set(auditLog, directory);
    return auditLog;
  },
  openReader: async (t, beside) => openReader(t, String(directories.get(beside))),
});

test('records are moved to the database within a second, and so are later outcomes, which leaves the journal empty', async (t) => {
  const { auditLog, directory, journal, move } = openLog(t);
  await auditLog.begin(sampleIntent('1'));
  await auditLog.begin(sampleIntent('2'));
  await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
  assert.deepEqual(databaseRows(directory), {});
  await move();
  const outcome = JSON.stringify(SAMPLE_OUTCOME);
  assert.deepEqual(databaseRows(directory), { 1: outcome, 2: null });
  assert.equal(statSync(journal).size, 0);

  await auditLog.finish(sampleIntent('2'), SAMPLE_OUTCOME);
  const reader = openReader(t, directory);
  for (const each of [auditLog, reader]) assert.deepEqual((await findRecords(each))[1]?.outcome, SAMPLE_OUTCOME);
  assert.deepEqual(databaseRows(directory), { 1: outcome, 2: null });
  await move();
  assert.deepEqual(databaseRows(directory), { 1: outcome, 2: outcome });
});

test('many records do not wait for the second', async (t) => {
  const { auditLog, directory } = openLog(t);
  for (let index = 0; index < 1_000; index += 1) await auditLog.begin(sampleIntent(String(index)));
  for (let turn = 0; turn < 10; turn += 1) await setImmediate();
  assert.equal(Object.keys(databaseRows(directory)).length, 1_000);
});

test('order, filters and limit count across the journal and the database', async (t) => {
  const { auditLog, directory, move } = openLog(t);
  await auditLog.begin(sampleIntent('b', { at: 20 }));
  await auditLog.begin(sampleIntent('d', { at: 40, playerId: 'p2' }));
  await move();
  await auditLog.begin(sampleIntent('a', { at: 10 }));
  await auditLog.begin(sampleIntent('c', { at: 30, operation: 'CreateGame', playerId: undefined }));
  for (const each of [auditLog, openReader(t, directory)]) {
    assert.deepEqual(await idsOf(each), ['a', 'b', 'c', 'd']);
    assert.deepEqual(await idsOf(each, { limit: 3 }), ['a', 'b', 'c']);
    assert.deepEqual(await idsOf(each, { limit: 3, order: 'newest_first' }), ['d', 'c', 'b']);
    assert.deepEqual(await idsOf(each, { after: { at: 20, requestId: 'b' } }), ['c', 'd']);
    assert.deepEqual(await idsOf(each, { after: { at: 20, requestId: 'b' }, order: 'newest_first' }), ['a']);
    assert.deepEqual(await idsOf(each, { limit: 0 }), []);
    assert.deepEqual(await idsOf(each, { since: 30 }), ['c', 'd']);
    assert.deepEqual(await idsOf(each, { playerId: 'p1' }), ['a', 'b']);
    assert.deepEqual(await idsOf(each, { playerId: 'p1', limit: 1 }), ['a']);
    assert.deepEqual(await idsOf(each, { operation: 'CreateGame' }), ['c']);
  }
});

test('records from before there were causes and actors are found as the operator’s, in the database and the journal', async (t) => {
  const directory = temporaryDirectory(t);
  const old = {
    requestId: '1',
    at: 10,
    accessKeyId: 'OLDKEY',
    sourceAddress: '::1',
    operation: 'DeleteGame',
    resource: 'r',
  };
  const database = new Libsql(join(directory, 'audit.sqlite'));
  database.exec(`CREATE TABLE audit (at INTEGER NOT NULL, request_id TEXT NOT NULL, access_key_id TEXT NOT NULL,
    source_address TEXT NOT NULL, operation TEXT NOT NULL, resource TEXT NOT NULL, player_id TEXT, outcome TEXT,
    PRIMARY KEY (at, request_id)) STRICT, WITHOUT ROWID`);
  const outcome = { status: 404, error: 'ResourceNotFoundException', durationMs: 2 };
  database
    .prepare("INSERT INTO audit VALUES (10, '1', 'OLDKEY', '::1', 'DeleteGame', 'r', NULL, ?)")
    .run(JSON.stringify(outcome));
  database.close();
  const lines = [
    { ...old, requestId: '2', at: 20 },
    { requestId: '2', at: 20, outcome },
  ];
  writeFileSync(join(directory, 'audit.journal'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  assert.throws(() => openReader(t, directory), /version 0, but this program needs 6: start the server once first/);

  const { auditLog } = openLog(t, directory);
  const { accessKeyId, ...rest } = old;
  const expected = { ...rest, cause: 'operator', actor: accessKeyId, playerId: undefined };
  const kept = { error: 'ResourceNotFoundException', durationMs: 2 };
  for (const each of [auditLog, openReader(t, directory)]) {
    assert.deepEqual(await findRecords(each), [
      { ...expected, outcome: kept },
      { ...expected, requestId: '2', at: 20, outcome: kept },
    ]);
  }
});

test('a reader changes nothing, while the writer runs and after it was killed', async (t) => {
  const { auditLog, directory, journal } = openLog(t);
  await auditLog.begin(sampleIntent('1'));
  const left = temporaryDirectory(t);
  for (const name of readdirSync(directory)) copyFileSync(join(directory, name), join(left, name));
  appendFileSync(join(left, 'audit.journal'), '{"requestId":"2"');
  const before = [readFileSync(journal), readFileSync(join(left, 'audit.journal'))];
  for (const place of [directory, left]) {
    const reader = openSqliteAuditBeside({ directory: place });
    assert.deepEqual(await idsOf(reader), ['1']);
    await reader.close();
    await reader.close();
    assert.deepEqual(databaseRows(place), {});
  }
  assert.deepEqual([readFileSync(journal), readFileSync(join(left, 'audit.journal'))], before);
});

test('a line that a crash tore off is cut off, and broken lines in the middle are left out with a warning', async (t) => {
  const directory = temporaryDirectory(t);
  const line = (entry: object) => `${JSON.stringify(entry)}\n`;
  const { resource: _, ...incomplete } = sampleIntent('incomplete');
  const text = [
    line(sampleIntent('1')),
    ...['\0\0\0\0\n', 'null\n', '7\n', '[]\n', '\n', '{"requestId":"1","at":17000', line(incomplete)],
    line({ ...sampleIntent('fraction'), at: 0.5 }),
    line({ requestId: '1', at: sampleIntent('1').at, outcome: SAMPLE_OUTCOME }),
    line({ requestId: 'unknown', at: 5, outcome: SAMPLE_OUTCOME }),
    line(sampleIntent('2')),
    line(sampleIntent('3')).slice(0, -1),
  ].join('');
  writeFileSync(join(directory, 'audit.journal'), text, { mode: 0o600 });
  assert.deepEqual(await idsOf(openReader(t, directory)), ['1', '2']);
  const { auditLog, lines } = openLog(t, directory);
  assert.deepEqual(await idsOf(auditLog), ['1', '2']);
  assert.deepEqual(databaseRows(directory), { 1: JSON.stringify(SAMPLE_OUTCOME), 2: null });
  assert.deepEqual(
    lines.map(({ level, msg, brokenLines }) => [level, msg, brokenLines]),
    [[40, 'broken lines of the audit journal were left out', 6]],
  );
  await auditLog.begin(sampleIntent('3'));
  assert.deepEqual(await idsOf(auditLog), ['1', '2', '3']);
});

test('a journal that was moved, but not cleared, changes nothing when it is moved again', async (t) => {
  const directory = temporaryDirectory(t);
  const { auditLog, journal, move } = openLog(t, directory);
  await auditLog.begin(sampleIntent('1'));
  await auditLog.begin(sampleIntent('2'));
  const before = readFileSync(journal);
  await move();
  await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
  await auditLog.close();
  writeFileSync(journal, before, { mode: 0o600 });
  const again = openLog(t, directory);
  assert.deepEqual(
    (await findRecords(again.auditLog)).map(({ requestId, outcome }) => [requestId, outcome?.durationMs]),
    [
      ['1', SAMPLE_OUTCOME.durationMs],
      ['2', undefined],
    ],
  );
  assert.deepEqual(databaseRows(directory), { 1: JSON.stringify(SAMPLE_OUTCOME), 2: null });
});

for (const room of [0, 50]) {
  test(`on a disk with room for ${room} bytes new records are refused, the others stay, and all goes on once there is room`, async (t) => {
    const { auditLog, directory, journal } = openLog(t);
    await auditLog.begin(sampleIntent('1'));
    const before = readFileSync(journal);
    const refused = /ENOSPC|disk is full/;
    const emptyDisk = fillDisk(t, journal, room);
    await assert.rejects(async () => auditLog.begin(sampleIntent('2')), refused);
    await assert.rejects(async () => auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME), refused);
    await assert.rejects(auditLog.probe(), refused);
    assert.deepEqual(readFileSync(journal), before);
    emptyDisk();
    await auditLog.probe();
    assert.deepEqual(readFileSync(journal), before);
    await auditLog.begin(sampleIntent('3'));
    await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
    const found = await findRecords(openReader(t, directory));
    assert.deepEqual(
      found.map(({ requestId, outcome }) => [requestId, outcome?.durationMs]),
      [
        ['1', SAMPLE_OUTCOME.durationMs],
        ['3', undefined],
      ],
    );
  });
}

test('records stay in the journal while another process holds the write lock, and are moved afterwards', async (t) => {
  const { auditLog, directory, lines, move } = openLog(t);
  const other = new Libsql(join(directory, 'audit.sqlite'));
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  await auditLog.begin(sampleIntent('1'));
  await move();
  await move();
  await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
  await auditLog.probe();
  await assert.rejects(auditLog.removeBefore(1), /locked|busy/i);
  assert.deepEqual(await idsOf(openReader(t, directory)), ['1']);
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [[40, 'audit records wait in the journal for their database']],
    'said once',
  );
  other.exec('ROLLBACK');
  await move();
  assert.deepEqual(databaseRows(directory), { 1: JSON.stringify(SAMPLE_OUTCOME) });
});

test('a log that cannot be moved when it opens or closes loses nothing', async (t) => {
  const { auditLog, directory } = openLog(t);
  const other = new Libsql(join(directory, 'audit.sqlite'));
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  await auditLog.begin(sampleIntent('1'));
  await auditLog.close();
  const again = openLog(t, directory);
  await again.auditLog.begin(sampleIntent('2'));
  assert.deepEqual(await idsOf(again.auditLog), ['1', '2']);
  assert.deepEqual(databaseRows(directory), {});
  other.exec('ROLLBACK');
  await again.move();
  assert.deepEqual(databaseRows(directory), { 1: null, 2: null });
});

test('a journal that cannot be cleared takes further records, and is cleared when that is possible', async (t) => {
  const { auditLog, directory, journal, lines, move } = openLog(t);
  mkdirSync(`${journal}.new`);
  await auditLog.begin(sampleIntent('1'));
  await move();
  await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
  await auditLog.begin(sampleIntent('2'));
  await move();
  assert.deepEqual(await idsOf(auditLog), ['1', '2']);
  assert.deepEqual(databaseRows(directory), { 1: JSON.stringify(SAMPLE_OUTCOME), 2: null });
  assert(statSync(journal).size > 0);
  assert.equal(lines.length, 1);
  rmdirSync(`${journal}.new`);
  await move();
  assert.equal(statSync(journal).size, 0);
});

test('while ten thousand records wait the next one is refused, and none of them is lost, until they can be moved', async (t) => {
  const { auditLog, directory } = openLog(t);
  const other = new Libsql(join(directory, 'audit.sqlite'));
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  await Promise.all(Array.from({ length: 10_000 }, (_, index) => auditLog.begin(sampleIntent(String(index)))));
  await assert.rejects(
    async () => auditLog.begin(sampleIntent('one too many')),
    /10000 audit records are already waiting/,
  );
  await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
  await assert.rejects(auditLog.probe(), /locked|busy/i);
  other.exec('ROLLBACK');
  await auditLog.probe();
  await auditLog.begin(sampleIntent('later'));
  assert.equal((await findRecords(auditLog, { limit: 20_000 })).length, 10_001);
  assert.equal(Object.keys(databaseRows(directory)).length, 10_000);
});

test('the files of the log, and those that SQLite puts beside them, are for their owner only', async (t) => {
  const { auditLog, directory, move } = openLog(t);
  const modes = () => readdirSync(directory).map((name) => [name, statSync(join(directory, name)).mode & 0o777]);
  const names = ['audit.journal', 'audit.sqlite', 'audit.sqlite-shm', 'audit.sqlite-wal'];
  await auditLog.begin(sampleIntent('1'));
  assert.deepEqual(
    modes().sort(),
    names.map((name) => [name, 0o600]),
  );
  await move();
  assert.deepEqual(
    modes().sort(),
    names.map((name) => [name, 0o600]),
  );
});

test('after closing, the database alone has every record', async (t) => {
  const { auditLog, directory, journal } = openLog(t);
  await auditLog.begin(sampleIntent('1'));
  await auditLog.close();
  assert(!existsSync(journal));
  const backup = temporaryDirectory(t);
  copyFileSync(join(directory, 'audit.sqlite'), join(backup, 'audit.sqlite'));
  assert.deepEqual(await idsOf(openLog(t, backup).auditLog), ['1']);
});

test('closing ends a removal that is under way', async (t) => {
  const { auditLog } = openLog(t);
  await Promise.all(Array.from({ length: 5_000 }, (_, index) => auditLog.begin(sampleIntent(String(index)))));
  const removal = auditLog.removeBefore(Number.MAX_SAFE_INTEGER);
  await auditLog.close();
  await removal;
});

for (const name of ['audit.sqlite', 'audit.journal']) {
  test(`an ${name} that is another kind of file is refused with its name in the message, and left alone`, (t) => {
    const directory = temporaryDirectory(t);
    const file = join(directory, name);
    if (name === 'audit.journal') mkdirSync(file);
    else copyFileSync(fileURLToPath(import.meta.url), file);
    chmodSync(file, name === 'audit.journal' ? 0o700 : 0o600);
    const { log } = recordedLog();
    const open = () => openSqliteAuditLog({ directory, clock: new ManualClock(), log });
    assert.throws(open, { name: 'StartupError', message: new RegExp(name.replace('.', '\\.')) });
    assert.equal(existsSync(`${file}-wal`), false);
  });
}

test('a record that has left the journal keeps its place against another of the same id and time', async (t) => {
  const { auditLog, directory, move } = openLog(t);
  await auditLog.begin(sampleIntent('1'));
  await move();
  await assert.rejects(async () => auditLog.begin(sampleIntent('1', { operation: 'DeleteGame' })), /already.* 1$/);
  await auditLog.close();
  const { auditLog: again } = openLog(t, directory);
  await assert.rejects(async () => again.begin(sampleIntent('1', { operation: 'DeleteGame' })), /already.* 1$/);
  const { at } = sampleIntent('1');
  await again.begin(sampleIntent('1', { at: at + 1, operation: 'DeleteGame' }));
  const { records } = await again.find({ order: 'oldest_first', limit: 10 });
  assert.deepEqual(
    records.map(({ operation }) => operation),
    ['DisconnectPlayer', 'DeleteGame'],
  );
});
