import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { NO_METRICS } from '../../test/support/metrics.ts';
import { systemClock } from '../clock.ts';
import { loadSettings, type Settings } from '../config/config.ts';
import { backUp } from '../data-directory/backup.ts';
import { lockDataDirectory } from '../data-directory/data-directory.ts';
import type { RecordLocally } from '../domain/local-changes.ts';
import { createSystemRandom } from '../random.ts';
import { temporaryDirectory } from '../store/test-store.ts';
import { type Backends, openBackends, openBackendsAlone } from './backends.ts';
import { restoreBackup, writeBackup } from './backups.ts';
import { Closers } from './closers.ts';
import { rotateSecretKey } from './secret-rotation.ts';
import { LIVE_FILES } from './sqlite-files.ts';

const [clock, random] = [systemClock, createSystemRandom()];
const { log } = recordedLog();
const record: RecordLocally = (_, rule) => rule();
const secretOf = (byte: number) => Buffer.alloc(32, byte).toString('base64');

type Alone = Awaited<ReturnType<typeof openBackendsAlone>>;

/** Starts a server, and stops it when the work is done. */
async function withBackends<T>(settings: Settings, work: (backends: Backends) => Promise<T>): Promise<T> {
  const closers = new Closers();
  try {
    return await work(await openBackends({ metrics: NO_METRICS, settings, log, clock, random, closers }));
  } finally {
    await closers.close({ clock, log });
  }
}

/** Starts and stops a server, and gives the id of the secret key that its store is sealed with. */
const start = (settings: Settings) => withBackends(settings, async ({ keyring }) => keyring.keyId);

async function rotate(settings: Settings, change = (backends: Alone) => backends): Promise<void> {
  const closers = new Closers();
  try {
    await rotateSecretKey({
      ...change(await openBackendsAlone({ settings, closers, log: recordedLog().log, clock: systemClock })),
      record,
      settings,
    });
  } finally {
    await closers.close({ clock, log });
  }
}

async function prepare(t: TestContext, secrets: Partial<Settings> = {}) {
  const directory = temporaryDirectory(t);
  const settings = { ...loadSettings({ env: {}, flags: { dataDir: join(directory, 'data') } }), ...secrets };
  const keyId = await start(settings);
  const file = join(directory, 'backup');
  const restored = { ...settings, dataDir: join(directory, 'restored') };
  const parts = { clock, file, progress() {}, signal: new AbortController().signal };
  return {
    ...{ settings, keyId, file, restored },
    write: () => writeBackup({ ...parts, settings, hasSecretKey: true }),
    restore: (into = restored, isForced = false) => restoreBackup({ ...parts, settings: into, log, random, isForced }),
  };
}

const died = () => {
  throw new Error('the process has died');
};

for (const [place, change] of [
  ['before', (backends: Alone) => ({ ...backends, store: { ...backends.store, transaction: died } })],
  ['after', (backends: Alone) => ({ ...backends, directory: { ...backends.directory, adoptNextKeyring: died } })],
] as const) {
  test(`a backup of a rotation that was interrupted ${place} its commit is restored with the right key`, async (t) => {
    const { settings, keyId, write, restore, restored } = await prepare(t);
    await assert.rejects(rotate(settings, change), /the process has died/);
    const { parts } = await write();
    const names = parts.map(({ name }) => name).filter((name) => name.startsWith('secret'));
    assert.deepEqual(names, ['secret.key', 'secret.key.next']);
    await restore();
    for (const name of ['secret.key', 'secret.key.next']) {
      assert.equal(statSync(join(restored.dataDir, name)).mode & 0o777, 0o600);
    }
    assert.equal((await start(restored)) === keyId, place === 'before');
    assert.equal(existsSync(join(restored.dataDir, 'secret.key.next')), place === 'before');
  });
}

test('a restore sets aside all that the replaced server has kept, also the events on their way to the database', async (t) => {
  const { write, restore, restored } = await prepare(t);
  const { parts } = await write();
  await restore();
  for (const name of LIVE_FILES.names) writeFileSync(join(restored.dataDir, name), 'replaced');
  await restore(restored, true);
  const left = LIVE_FILES.names.filter((name) => existsSync(join(restored.dataDir, name)));
  assert.deepEqual(
    left.filter((name) => !parts.some((part) => part.name === name)),
    [],
  );
});

const noPipes = process.platform === 'win32' ? 'Windows has no such pipes' : false;
test('a restore from a pipe keeps no server from the directory before somebody writes to it', {
  skip: noPipes,
}, async (t) => {
  const { file, write, restore, restored, keyId } = await prepare(t);
  await write();
  const backup = readFileSync(file);
  rmSync(file);
  execFileSync('mkfifo', [file]);
  const restoring = restore();
  lockDataDirectory(restored.dataDir).release();
  await writeFile(file, backup);
  await restoring;
  assert.equal(await start(restored), keyId);
});

test('a backup is not written when the secret key is replaced meanwhile, whose store was copied before', async (t) => {
  const { settings, file } = await prepare(t);
  const { dataDir } = settings;
  const live: typeof LIVE_FILES = {
    ...LIVE_FILES,
    copy(...args) {
      LIVE_FILES.copy(...args);
      writeFileSync(join(dataDir, 'secret.key'), secretOf(9));
    },
  };
  await assert.rejects(backUp({ dataDir, file, hasSecretKey: true, live, version: '1.2.3', now: () => clock.now() }), {
    name: 'StartupError',
    message: `the secret key in ${dataDir} was replaced during the backup: make it again`,
  });
  assert.ok(!existsSync(file));
});

test('a backup removes what earlier ones that were killed have left beside it, and nothing of one that is being made', async (t) => {
  const { file, write } = await prepare(t);
  const id = (digit: string) => `${digit.repeat(8)}-1111-4111-8111-111111111111`;
  const hoursAgo = (hours: number) => Date.now() / 1_000 - hours * 3_600;
  const entries = [
    { name: `yesterday.tar.gz.${id('a')}.partial`, directoryHours: 13, fileHours: 13, isLeft: true },
    { name: `large.tar.gz.${id('b')}.partial`, directoryHours: 13, fileHours: 1, isLeft: false },
    { name: `now.tar.gz.${id('c')}.partial`, directoryHours: 1, fileHours: 13, isLeft: false },
    { name: 'mine.partial', directoryHours: 99, fileHours: 99, isLeft: false },
  ];
  for (const { name, directoryHours, fileHours } of entries) {
    const path = join(dirname(file), name);
    mkdirSync(path);
    writeFileSync(join(path, 'secret.key'), 'a secret');
    utimesSync(join(path, 'secret.key'), hoursAgo(fileHours), hoursAgo(fileHours));
    utimesSync(path, hoursAgo(directoryHours), hoursAgo(directoryHours));
  }
  await write();
  assert.deepEqual(
    readdirSync(dirname(file)).filter((name) => name.endsWith('.partial')),
    entries
      .filter(({ isLeft }) => !isLeft)
      .map(({ name }) => name)
      .sort(),
  );
});

const isSuperuser = process.getuid?.() === 0;

test('a backup removes nothing that another user has made beside it', {
  skip: isSuperuser ? false : 'only the superuser may remove what others have made',
}, async (t) => {
  const { file, write } = await prepare(t);
  const path = join(dirname(file), 'a.tar.gz.aaaaaaaa-1111-4111-8111-111111111111.partial');
  mkdirSync(path);
  writeFileSync(join(path, 'part'), 'anything');
  for (const each of [join(path, 'part'), path]) {
    utimesSync(each, 1, 1);
    chownSync(each, 65_534, 65_534);
  }
  await write();
  assert.ok(existsSync(join(path, 'part')));
});

test('a backup of a store whose key in the settings was replaced is restored while the settings have both', async (t) => {
  const { settings, write, restore, restored } = await prepare(t, { secretKey: secretOf(1) });
  const both = { nextSecretKey: secretOf(2) };
  await rotate({ ...settings, ...both });
  await write();
  await assert.rejects(restore(), { name: 'StartupError', message: /^the secret key is not the one/ });
  await restore({ ...restored, ...both });
  assert.equal(await start({ ...restored, ...both }), await start({ ...restored, secretKey: secretOf(2) }));
});

test('what cloud code has kept is in a backup of a running server, and comes back private', async (t) => {
  const { settings, write, restore, restored } = await prepare(t);
  const anna = { stageId: 'dev', playerId: 'anna' };
  const facts = { playerId: 'anna', handler: undefined, requestId: undefined };
  await withBackends(settings, async ({ playerData, stageLogs }) => {
    await playerData.set(anna, new Map([['level', '7']]));
    await stageLogs.append('dev', [{ at: 1, level: 'info', text: 'a line', ...facts }]);
    const { parts } = await write();
    const names = parts.map(({ name }) => name);
    assert.ok(names.includes('player-data.sqlite') && names.includes('stage-logs.sqlite'), names.join(', '));
    await playerData.remove(anna);
    await stageLogs.remove('dev');
  });
  await restore();
  for (const name of ['player-data.sqlite', 'stage-logs.sqlite']) {
    assert.equal(statSync(join(restored.dataDir, name)).mode & 0o777, 0o600);
  }
  await withBackends(restored, async ({ playerData, stageLogs }) => {
    assert.deepEqual((await playerData.get(anna)).values, new Map([['level', '7']]));
    const { lines } = await stageLogs.read('dev', { order: 'oldest_first', limit: 10 });
    assert.deepEqual(
      lines.map(({ text }) => text),
      ['a line'],
    );
  });
});

test('a backup copies what stages keep before the stages, which may be deleted meanwhile, and records last', async (t) => {
  const { settings, file } = await prepare(t);
  const copied: string[] = [];
  const live: typeof LIVE_FILES = {
    ...LIVE_FILES,
    copy(name, ...places) {
      copied.push(name);
      LIVE_FILES.copy(name, ...places);
    },
  };
  await withBackends(settings, async () => {
    const options = { dataDir: settings.dataDir, file, hasSecretKey: true, live, version: '1.2.3' };
    await backUp({ ...options, now: () => clock.now() });
  });
  assert.deepEqual(copied, [
    ...['player-data.sqlite', 'stage-logs.sqlite', 'events.journal', 'events.sqlite', 'respark.sqlite'],
    ...['audit.journal', 'audit.sqlite'],
  ]);
});

test('a backup from before there was player data is restored', async (t) => {
  const { settings, write, restore, restored } = await prepare(t);
  for (const name of ['player-data.sqlite', 'stage-logs.sqlite']) rmSync(join(settings.dataDir, name));
  await write();
  await restore();
  await withBackends(restored, async ({ playerData }) => {
    assert.equal((await playerData.get({ stageId: 'dev', playerId: 'anna' })).version, 0);
  });
});

test('a start says which databases are missing that others of the directory lack', async (t) => {
  const settings = loadSettings({ env: {}, flags: { dataDir: join(temporaryDirectory(t), 'data') } });
  const warningsOfStart = async () => {
    const closers = new Closers();
    const { log, lines } = recordedLog();
    await openBackends({ metrics: NO_METRICS, settings, log, clock, random, closers });
    await closers.close({ clock, log });
    return lines.filter(({ msg }) => msg.startsWith('databases are missing')).map(({ missing }) => missing);
  };
  const remove = (...names: string[]) => {
    for (const name of names) rmSync(join(settings.dataDir, name));
  };
  assert.deepEqual(await warningsOfStart(), [], 'a new directory');
  assert.deepEqual(await warningsOfStart(), []);
  remove('player-data.sqlite', 'audit.sqlite');
  assert.deepEqual(await warningsOfStart(), [['audit.sqlite', 'player-data.sqlite']]);
  assert.deepEqual(await warningsOfStart(), []);
  remove('respark.sqlite');
  assert.deepEqual(await warningsOfStart(), [['respark.sqlite']]);
  assert.deepEqual(await warningsOfStart(), []);
  for (const end of ['', '-wal', '-shm']) rmSync(join(settings.dataDir, `player-data.sqlite${end}`), { force: true });
  writeFileSync(join(settings.dataDir, 'player-data.sqlite'), '', { mode: 0o600 });
  assert.deepEqual(await warningsOfStart(), [['player-data.sqlite']], 'a file without a byte');
});
