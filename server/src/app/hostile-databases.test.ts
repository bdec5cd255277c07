import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import Libsql from 'libsql';
import { recordedLog } from '../../test/support/domain.ts';
import { NO_METRICS } from '../../test/support/metrics.ts';
import { systemClock } from '../clock.ts';
import { loadSettings, type Settings } from '../config/config.ts';
import { writeArchive } from '../data-directory/archive.ts';
import { createSystemRandom } from '../random.ts';
import { temporaryDirectory } from '../store/test-store.ts';
import { openBackends } from './backends.ts';
import { restoreBackup, writeBackup } from './backups.ts';
import { Closers } from './closers.ts';
import { LIVE_FILES } from './sqlite-files.ts';

const [clock, random] = [systemClock, createSystemRandom()];
const { log } = recordedLog();
const STRANGE = /it has "\w+", which is no plain table or index and which no server makes/;

/** Starts and stops a server. */
async function start(settings: Settings): Promise<void> {
  const closers = new Closers();
  try {
    await openBackends({ metrics: NO_METRICS, settings, log, clock, random, closers });
  } finally {
    await closers.close({ clock, log });
  }
}

/** A data directory, and what a database in it would write if it were let. */
async function prepare(t: TestContext) {
  const directory = temporaryDirectory(t);
  const settings = loadSettings({ env: {}, flags: { dataDir: join(directory, 'data') } });
  await start(settings);
  const [written, file] = [join(directory, 'written'), join(directory, 'of-somebody')];
  const parts = { clock, file: join(directory, 'backup'), progress() {}, signal: new AbortController().signal };
  return {
    ...{ directory, settings, written, file },
    add(name: string, statements: string) {
      const database = new Libsql(join(settings.dataDir, name));
      database.exec(`${statements.replaceAll('WRITTEN', written)}; PRAGMA wal_checkpoint(TRUNCATE)`);
      database.close();
    },
    backUp: () => writeBackup({ ...parts, settings, hasSecretKey: true }),
    async restore() {
      // As somebody would who has no server, and need not follow its rules.
      const names = readdirSync(settings.dataDir).filter((name) => /\.(sqlite|journal|key)$/.test(name));
      const whole = { directory: settings.dataDir, names, version: '1.0.0', madeAt: '2026-01-01T00:00:00Z' };
      await writeArchive({ ...whole, file, progress() {} });
      const restored = { ...settings, dataDir: join(directory, 'restored') };
      mkdirSync(restored.dataDir);
      await restoreBackup({ settings: restored, log, clock, random, file, isForced: false, progress() {} });
    },
  };
}

/** A full-text table calls this function, which calls another, for each row that is read: also when SQLite looks for damage. */
const WRITES_A_FILE = `
  CREATE VIRTUAL TABLE evil USING fts4(a, compress=lower, uncompress=sha3_query);
  INSERT INTO evil_content VALUES (1, 'SELECT writefile(''WRITTEN'', ''evil'')')`;

const DATABASES = LIVE_FILES.names.filter((name) => name.endsWith('.sqlite'));

for (const name of DATABASES) {
  test(`no file is written because ${name} says so: it is neither restored, nor served, nor backed up`, async (t) => {
    const { settings, add, written, backUp, restore } = await prepare(t);
    add(name, WRITES_A_FILE);
    for (const use of [restore, () => start(settings), backUp])
      await assert.rejects(use, { name: 'StartupError', message: STRANGE });
    assert.equal(existsSync(written), false);
  });
}

test('views, triggers and vector indexes are no part of a database either', async (t) => {
  for (const statements of [
    'CREATE VIEW evil AS SELECT 1',
    'CREATE TRIGGER evil AFTER INSERT ON games BEGIN SELECT 1; END',
    'CREATE TABLE plain (v F32_BLOB(2)); CREATE INDEX evil ON plain (libsql_vector_idx(v))',
  ]) {
    const { settings, add, restore } = await prepare(t);
    add('respark.sqlite', statements);
    await assert.rejects(restore, { message: STRANGE });
    await assert.rejects(() => start(settings), { message: STRANGE });
  }
});

test('a name in a damaged database does nothing to the terminal that shows it', async (t) => {
  const { add, restore } = await prepare(t);
  add(
    'respark.sqlite',
    `CREATE TABLE plain (a); INSERT INTO plain VALUES (1), (2); CREATE INDEX "\u001b[2J" ON plain (a) WHERE a > 1;
     PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'a > 1', 'a > 0') WHERE tbl_name = 'plain'`,
  );
  await assert.rejects(restore, ({ message }: Error) => {
    assert.match(message, /it is damaged: .*\\u\{1b\}\[2J/);
    return true;
  });
});
