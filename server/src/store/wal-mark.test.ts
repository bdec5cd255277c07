import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Libsql from 'libsql';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { sampleIntent } from './audit/audit-log.contract.ts';
import { openSqliteAuditLog } from './audit/sqlite.ts';
import { copyDatabase, examineDatabase, findOutdated, STORE_FORM } from './database-copy.ts';
import { createStore } from './sql-store.ts';
import { openSqlite } from './sqlite.ts';
import { temporaryDirectory } from './test-store.ts';
import { closeWhole } from './wal-mark.ts';

const FILE = 'respark.sqlite';

async function open(t: TestContext, directory = temporaryDirectory(t)) {
  const database = openSqlite({ file: join(directory, FILE) });
  t.after(() => database.close());
  await database.migrate();
  const { meta } = createStore(database);
  return { directory, database, meta };
}

/** A copy of some files, as a person makes it, in a directory of its own. */
function copyOf(t: TestContext, directory: string, ...names: string[]): string {
  const copy = temporaryDirectory(t);
  for (const name of names) copyFileSync(join(directory, name), join(copy, name));
  return copy;
}

const opened = (directory: string) => () => void openSqlite({ file: join(directory, FILE) }).close();

test('a copy of the database file alone is refused while the server has committed anything that is in the WAL only', async (t) => {
  const { directory, meta } = await open(t);
  for (let number = 1; number <= 50; number += 1) {
    await meta.set('number', String(number));
    const copy = copyOf(t, directory, FILE);
    const before = readFileSync(join(copy, FILE));
    assert.throws(opened(copy), {
      name: 'StartupError',
      message:
        /^cannot use the database \S+: its newest changes are in respark\.sqlite-wal, which is missing.*"respark backup"/,
    });
    assert.deepEqual(readFileSync(join(copy, FILE)), before);
    assert(!existsSync(join(copy, `${FILE}-wal`)), 'nothing was made that hides the loss next time');
  }
});

test('the same holds after SQLite has moved the WAL into the file by itself, again and again', async (t) => {
  const { directory, meta } = await open(t);
  const sizes = new Set<number>();
  for (let number = 1; number <= 60; number += 1) {
    await meta.set(`number ${number}`, 'x'.repeat(200_000));
    sizes.add(statSync(join(directory, FILE)).size);
    assert.throws(opened(copyOf(t, directory, FILE)), /respark\.sqlite-wal, which is missing/);
  }
  assert(sizes.size >= 3, 'there were several checkpoints');
});

test('a copy with the WAL, one of a closed database, and one of an older version are opened', async (t) => {
  const { directory, database, meta } = await open(t);
  await meta.set('fact', 'kept');
  const whole = await open(t, copyOf(t, directory, FILE, `${FILE}-wal`));
  assert.equal(await whole.meta.get('fact'), 'kept');
  await database.close();
  const closed = await open(t, copyOf(t, directory, FILE));
  assert.equal(await closed.meta.get('fact'), 'kept');
  await closed.database.close();

  const old = new Libsql(join(closed.directory, FILE));
  old.exec('PRAGMA user_version = 0; PRAGMA wal_checkpoint(TRUNCATE)');
  const copy = copyOf(t, closed.directory, FILE);
  old.close();
  assert.equal(await (await open(t, copy)).meta.get('fact'), 'kept');
});

test('a copy that is made while the mark changes is opened', async (t) => {
  const { directory, meta } = await open(t);
  await meta.set('fact', 'kept');
  const server = new Libsql(join(directory, FILE));
  const [{ mark }] = server.prepare('SELECT user_version AS mark FROM pragma_user_version').all() as [{ mark: number }];
  assert.equal(mark % 2, 1);
  server.exec(`PRAGMA user_version = ${mark + 1}`);
  const backup = temporaryDirectory(t);
  const to = join(backup, FILE);
  copyDatabase({ form: STORE_FORM, from: join(directory, FILE), to });
  server.close();
  assert.throws(opened(copyOf(t, backup, FILE)), /respark\.sqlite-wal, which is missing/);
  examineDatabase({ form: STORE_FORM, file: to });
  assert.deepEqual(readdirSync(backup), [FILE]);
  const copy = await open(t, backup);
  assert.equal(await copy.meta.get('fact'), 'kept');
});

test('a database of a killed server is opened after any other program has moved its WAL and removed it', async (t) => {
  const { directory, meta } = await open(t);
  await meta.set('fact', 'kept');
  const killed = copyOf(t, directory, FILE, `${FILE}-wal`);
  const other = new Libsql(join(killed, FILE));
  other.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  rmSync(join(killed, `${FILE}-wal`));
  const copy = copyOf(t, killed, FILE);
  other.close();
  assert.equal(await (await open(t, copy)).meta.get('fact'), 'kept');
});

test('a file and a WAL that were copied at different times are refused, whichever is the older', async (t) => {
  const { directory, meta } = await open(t);
  await meta.set('fact', 'x'.repeat(100_000));
  const before = copyOf(t, directory, FILE, `${FILE}-wal`);
  for (let number = 1; number <= 45; number += 1) await meta.set(`number ${number}`, 'x'.repeat(200_000));
  const after = copyOf(t, directory, FILE, `${FILE}-wal`);
  for (const [file, wal] of [
    [before, after],
    [after, before],
  ] as const) {
    const mixed = copyOf(t, file, FILE);
    copyFileSync(join(wal, `${FILE}-wal`), join(mixed, `${FILE}-wal`));
    assert.throws(opened(mixed), /respark\.sqlite and respark\.sqlite-wal are not of the same time/);
  }
});

test('a reader that holds a checkpoint up costs no commit, and the copy is refused again when it has gone', async (t) => {
  const { directory, meta } = await open(t);
  const reader = new Libsql(join(directory, FILE));
  t.after(() => reader.close());
  await meta.set('fact', 'before');
  reader.exec('BEGIN; SELECT count(*) FROM meta');
  for (let number = 1; number <= 30; number += 1) await meta.set(`number ${number}`, 'x'.repeat(200_000));
  reader.exec('COMMIT');
  for (let number = 1; number <= 100; number += 1) await meta.set('fact', String(number));
  assert.throws(opened(copyOf(t, directory, FILE)), /respark\.sqlite-wal, which is missing/);
  const whole = await open(t, copyOf(t, directory, FILE, `${FILE}-wal`));
  assert.equal(await whole.meta.get('fact'), '100');
});

/** The files of a server that a loss of power has stopped between the two marks: the file has the even one, and a WAL. */
async function crashedBetweenMarks(t: TestContext): Promise<string> {
  const { directory, meta } = await open(t);
  await meta.set('fact', 'kept');
  const server = new Libsql(join(directory, FILE));
  const [{ mark }] = server.prepare('SELECT user_version AS mark FROM pragma_user_version').all() as [{ mark: number }];
  server.exec(`PRAGMA user_version = ${mark + 1}; PRAGMA wal_checkpoint(PASSIVE)`);
  const crashed = copyOf(t, directory, FILE, `${FILE}-wal`);
  server.close();
  return crashed;
}

/** Has the binding close the connections whose statements nobody uses any more. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 5; round += 1) {
    collect();
    await setTimeout(10);
  }
}

for (const [what, look] of [
  ['a start looks whether it is outdated', (file: string) => void findOutdated({ form: STORE_FORM, file })],
  ['it is backed up', (file: string) => copyDatabase({ form: STORE_FORM, from: file, to: `${file}.copy` })],
] as const) {
  test(`a database that a loss of power has stopped between two marks is opened after ${what}`, async (t) => {
    const directory = await crashedBetweenMarks(t);
    look(join(directory, FILE));
    await collectGarbage();
    const { meta } = await open(t, directory);
    assert.equal(await meta.get('fact'), 'kept');
  });
}

test('a database that a loss of power has stopped between two marks is opened after it was opened and closed unused', async (t) => {
  const directory = await crashedBetweenMarks(t);
  await (async () => await openSqlite({ file: join(directory, FILE) }).close())();
  await collectGarbage();
  const { meta } = await open(t, directory);
  assert.equal(await meta.get('fact'), 'kept');
});

test('it keeps its WAL when it is closed on a disk on which it cannot say that the file is whole', async (t) => {
  const directory = await crashedBetweenMarks(t);
  const { exec } = Libsql.prototype;
  // A mock would keep the connection, which then is not collected.
  Libsql.prototype.exec = function (sql) {
    if (/PRAGMA user_version = /.test(sql)) throw new Libsql.SqliteError('database or disk is full', 'SQLITE_FULL', 13);
    return exec.call(this, sql);
  };
  const mend = () => {
    Libsql.prototype.exec = exec;
  };
  t.after(mend);
  await (async () => {
    const database = openSqlite({ file: join(directory, FILE) });
    assert.equal(await createStore(database).meta.get('fact'), 'kept');
    await database.close();
  })();
  await collectGarbage();
  mend();
  const { meta } = await open(t, directory);
  assert.equal(await meta.get('fact'), 'kept');
});

test('a database is opened after it was closed while another process was killed between two marks', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, FILE);
  await (async () => {
    const database = openSqlite({ file });
    await database.migrate();
    const { meta } = createStore(database);
    await meta.set('fact', 'kept');
    const program = `const { default: Libsql } = await import(process.argv[1]);
      const other = new Libsql(process.argv[2]);
      const [{ mark }] = other.prepare('SELECT user_version AS mark FROM pragma_user_version').all();
      other.exec(\`PRAGMA user_version = \${mark + 1}; PRAGMA wal_checkpoint(PASSIVE)\`);
      process.kill(process.pid, 'SIGKILL');`;
    const { signal } = spawnSync(process.execPath, [
      '--input-type=module',
      '-e',
      program,
      import.meta.resolve('libsql'),
      file,
    ]);
    assert.equal(signal, 'SIGKILL');
    await meta.set('other fact', 'kept too');
    await database.close();
  })();
  await collectGarbage();
  const { meta } = await open(t, directory);
  assert.deepEqual([await meta.get('fact'), await meta.get('other fact')], ['kept', 'kept too']);
});

test('files that are not of the same time are left as they are by whoever has refused them', async (t) => {
  const { directory, meta } = await open(t);
  await meta.set('fact', 'x'.repeat(100_000));
  const before = copyOf(t, directory, `${FILE}-wal`);
  for (let number = 1; number <= 45; number += 1) await meta.set(`number ${number}`, 'x'.repeat(200_000));
  const mixed = copyOf(t, directory, FILE);
  copyFileSync(join(before, `${FILE}-wal`), join(mixed, `${FILE}-wal`));
  const bytes = () => [FILE, `${FILE}-wal`].map((name) => readFileSync(join(mixed, name)));
  const found = bytes();
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    findOutdated({ form: STORE_FORM, file: join(mixed, FILE) });
    await collectGarbage();
    assert.deepEqual(bytes(), found);
    assert.throws(opened(mixed), /respark\.sqlite and respark\.sqlite-wal are not of the same time/);
    await collectGarbage();
    assert.deepEqual(bytes(), found);
  }
});

test('a connection that cannot say that the file is whole keeps nobody from writing', (t) => {
  const file = join(temporaryDirectory(t), FILE);
  const writer = new Libsql(file);
  t.after(() => writer.close());
  writer.exec('PRAGMA journal_mode = WAL; PRAGMA user_version = 2; CREATE TABLE facts (fact)');
  const connection = new Libsql(file);
  const exec = connection.exec.bind(connection);
  connection.exec = (sql) => {
    if (sql === 'COMMIT') throw new Error('database or disk is full');
    return exec(sql);
  };
  closeWhole(connection, 'user_version');
  writer.exec('INSERT INTO facts VALUES (1)');
  const marks = writer.prepare('SELECT user_version AS mark FROM pragma_user_version').all();
  assert.deepEqual(marks, [{ mark: 2 }]);
});

/** Another process that closes the database as the last one removes its WAL. The statements of `exec` leave nothing open. */
function closeElsewhere(file: string): void {
  const program =
    "import(process.argv[1]).then(({ default: Libsql }) => { const other = new Libsql(process.argv[2]); other.exec('SELECT count(*) FROM meta'); other.close(); })";
  execFileSync(process.execPath, ['-e', program, import.meta.resolve('libsql'), file]);
}

test('no other process takes itself for the last one while the database is open, whatever was open here before', async (t) => {
  const { directory, database } = await open(t);
  await database.close();
  const file = join(directory, FILE);
  assert.equal(findOutdated({ form: STORE_FORM, file }), undefined);
  const { meta } = await open(t, directory);
  const { ino } = statSync(`${file}-wal`);
  closeElsewhere(file);
  assert.equal(statSync(`${file}-wal`, { throwIfNoEntry: false })?.ino, ino, 'the WAL is still there');
  await meta.set('fact', 'kept');
  const whole = await open(t, copyOf(t, directory, FILE, `${FILE}-wal`));
  assert.equal(await whole.meta.get('fact'), 'kept');
});

test('an audit log that has lost its WAL is refused too', async (t) => {
  const directory = temporaryDirectory(t);
  const clock = new ManualClock();
  const { log } = recordedLog();
  const auditLog = openSqliteAuditLog({ directory, clock, log });
  t.after(() => auditLog.close());
  for (let number = 0; number < 300; number += 1) await auditLog.begin(sampleIntent(String(number)));
  await auditLog.removeBefore(0);
  const copy = copyOf(t, directory, 'audit.sqlite');
  assert.throws(() => openSqliteAuditLog({ directory: copy, clock, log }), {
    name: 'StartupError',
    message: /^cannot use the audit log \S+: its newest changes are in audit\.sqlite-wal, which is missing/,
  });
  await auditLog.close();
  await openSqliteAuditLog({ directory: copyOf(t, directory, 'audit.sqlite'), clock, log }).close();
});
