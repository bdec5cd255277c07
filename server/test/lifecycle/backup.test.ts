import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CreateGameCommand, ListGamesCommand, paginateListGames } from '@aws-sdk/client-gamesparks';
import { sql } from 'kysely';
import Libsql from 'libsql';
import { LIVE_FILES } from '../../src/app/sqlite-files.ts';
import { loadSettings } from '../../src/config/config.ts';
import { backUp } from '../../src/data-directory/backup.ts';
import { openDataDirectory } from '../../src/data-directory/data-directory.ts';
import { createLog } from '../../src/log.ts';
import * as main from '../../src/main.ts';
import { createGamesAndKeys } from '../../src/store/migrations/0001-games-and-keys.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { readAudit } from '../support/administration.ts';
import { createWorkplace } from '../support/process.ts';
import { rawCall } from '../support/raw-call.ts';
import { serveHere } from '../support/serve-here.ts';
import { ROOT, until } from '../support/server.ts';
import { createTestWorld } from '../support/world.ts';

const BACKUPS = 20;
const WRITERS = 8;
/** Does what the command does, but in this process; gives what it printed. */
async function run(...args: string[]): Promise<{ exitCode: number; out: string; err: string }> {
  const world = createTestWorld({ main });
  const exitCode = await world.run(...args);
  return { exitCode, out: world.out(), err: world.err() };
}

/** Waits while the parent, which is backing up, does not read. */
async function print(line: string): Promise<void> {
  for (;;) {
    try {
      writeSync(1, line);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      await setTimeout(1);
    }
  }
}

/**
 * This file is also the server that is backed up while it is written: it serves, calls itself, and prints the name of
 * each game when the call that made it has been answered. It ends with its parent.
 */
async function serveAndWrite(dataDir: string): Promise<never> {
  const limits = { writeCallsPerSecond: 1_000_000, writeCallsBurst: 1_000_000, maxGames: 100_000 };
  const settings = {
    ...loadSettings({ env: {}, flags: { port: '0', dataDir } }),
    ...{ ...limits, rootAccessKeyId: ROOT.accessKeyId, rootSecretAccessKey: ROOT.secretAccessKey },
  };
  const server = await main.startServer({ settings, log: createLog({ level: 'error' }) });
  const agent = new Agent({ keepAlive: true });
  const write = async (writer: number) => {
    for (let number = 0; ; number += 1) {
      const GameName = `w${writer}-${number}`;
      const { status } = await rawCall(server, 'POST', '/game', { body: { GameName }, agent });
      assert.equal(status, 200);
      await print(`${GameName}\n`);
    }
  };
  process.stdin.resume().on('end', () => process.exit());
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  throw new Error('the writers never end');
}

function inDatabase<Row>(file: string, query: string): Row[] {
  const database = new Libsql(file);
  try {
    return database.prepare(query).all() as Row[];
  } finally {
    database.close();
  }
}

async function backUpWhileWriting(t: TestContext): Promise<void> {
  const place = createWorkplace(t);
  const dataDir = join(place.directory, 'respark-data');
  const server = place.start([process.execPath, fileURLToPath(import.meta.url), 'serve-and-write', dataDir]);
  const answered = () => server.out().split('\n').slice(0, -1);
  await server.printed(/\n/);
  const startedAt = performance.now();
  const backups: { file: string; before: readonly string[] }[] = [];
  for (let number = 0; number < BACKUPS; number += 1) {
    const { length } = answered();
    await until(() => {
      assert.equal(server.child.exitCode, null, server.err());
      return answered().length > length;
    });
    const before = answered();
    const file = join(place.directory, `${number}.tar.gz`);
    const { exitCode, err } = await run('backup', file, '--data-dir', dataDir);
    assert.equal(exitCode, 0, err);
    backups.push({ file, before });
  }
  t.diagnostic(`${Math.round(answered().length / ((performance.now() - startedAt) / 1000))} changes a second`);
  server.child.kill('SIGKILL');
  await server.ended();

  for (const { file, before } of backups) {
    const restored = `${file}.restored`;
    const { exitCode, err } = await run('restore', file, '--data-dir', restored);
    assert.equal(exitCode, 0, err);
    const database = join(restored, 'respark.sqlite');
    assert.deepEqual(inDatabase(database, 'PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
    const games = new Set(inDatabase<{ name: string }>(database, 'SELECT name FROM games').map(({ name }) => name));
    for (const name of before) assert(games.has(name), `${name} was answered before ${file} was begun`);
    const resources = inDatabase<{ resource: string }>(
      join(restored, 'audit.sqlite'),
      "SELECT resource FROM audit WHERE operation = 'CreateGame'",
    );
    const recorded = new Set(resources.map(({ resource }) => resource.replace(/^.*game\//, '')));
    for (const name of games) assert(recorded.has(name), `${name} is in ${file} without its record`);
  }
}

function testCommands(): void {
  test(
    `${BACKUPS} backups of a server that is written all the time have every change that was answered, and its record`,
    backUpWhileWriting,
  );

  test('a backup brings back keys, games and records, on another machine, and the restore is on record', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    const player = await server.connect();
    const token = await player.token();
    const wrote = await place.respark(['backup', 'all.tar.gz']);
    assert.equal(wrote.exitCode, 0, wrote.stderr);
    assert.match(wrote.stderr, /It contains the secret key/);
    const file = join(place.directory, 'all.tar.gz');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await server.sdk().send(new CreateGameCommand({ GameName: 'Later' }));
    server.child.kill('SIGKILL');
    await server.ended();

    const restored = await place.respark(['restore', 'all.tar.gz', '--data-dir', 'other']);
    assert.deepEqual([restored.exitCode, restored.stderr], [0, '']);
    for (const name of readdirSync(join(place.directory, 'other'))) {
      assert.equal(statSync(join(place.directory, 'other', name)).mode & 0o777, 0o600, name);
    }
    const other = await place.serve(['--data-dir', 'other']);
    assert.deepEqual(other.credentials, server.credentials);
    const names: (string | undefined)[] = [];
    for await (const { Games = [] } of paginateListGames({ client: other.sdk() }, {})) {
      names.push(...Games.map(({ Name }) => Name));
    }
    assert.deepEqual(names, ['Demo']);
    const { playerId } = await other.connect({ gameKey: server.gameKey, token });
    assert.equal(playerId, player.playerId);
    const records = await readAudit({ dataDir: other.dataDir }, { operation: 'RestoreBackup', isLocal: true });
    assert.deepEqual(
      records.map(({ outcome }) => outcome?.error),
      [undefined],
    );
    assert.equal(records.length, 1);
    assert.notEqual(records[0]?.actor, '');
  });

  test('a directory with data is restored into only by force, which loses nothing, and never under a server', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    // In a process of its own, whose connections to the databases end with it.
    const backedUp = await place.respark(['backup', join(place.directory, 'b'), '--data-dir', server.dataDir]);
    assert.equal(backedUp.exitCode, 0, backedUp.stderr);
    await server.sdk().send(new CreateGameCommand({ GameName: 'Later' }));
    const restore = (...args: string[]) =>
      run('restore', join(place.directory, 'b'), '--data-dir', server.dataDir, ...args);
    assert.match((await restore('--force')).err, /^a server is using the data directory \S+: stop it/);
    server.child.kill('SIGTERM');
    await server.ended();
    const before = readdirSync(server.dataDir);
    const refused = await restore();
    assert.deepEqual([refused.exitCode, refused.out], [1, '']);
    assert.match(refused.err, /^the data directory \S+ holds data already: .*--force/);
    assert.deepEqual(readdirSync(server.dataDir), before);

    const forced = await restore('--force');
    assert.equal(forced.exitCode, 0, forced.err);
    const [, setAside = ''] = /^What was there before is in (\S+):/.exec(forced.err) ?? [];
    const games = async (dataDir: string) => {
      const again = await place.serve(['--data-dir', dataDir]);
      const { Games = [] } = await again.sdk().send(new ListGamesCommand({}));
      again.child.kill('SIGTERM');
      await again.ended();
      return Games.map(({ Name }) => Name);
    };
    assert.deepEqual(await games(server.dataDir), ['Demo']);
    assert.deepEqual(await games(setAside), ['Demo', 'Later']);
  });

  test('a backup without secrets needs the secret key of its server, and no other', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve();
    const file = join(place.directory, 'b');
    const wrote = await run('backup', file, '--without-secrets', '--data-dir', server.dataDir);
    assert.match(wrote.err, /^It does not contain the secret key \(secret\.key\): keep that too/);
    const key = readFileSync(join(server.dataDir, 'secret.key'));
    const list = spawnSync('tar', ['-tzf', file], { encoding: 'utf8' });
    assert(list.error !== undefined || !list.stdout.includes('secret.key'), list.stdout);

    const dataDir = join(place.directory, 'other');
    const refused = await run('restore', file, '--data-dir', dataDir);
    assert.match(
      refused.err,
      /^the backup was made without its secret key: put secret\.key into \S+other, or set RESPARK_SECRET_KEY/,
    );
    writeFileSync(join(dataDir, 'secret.key'), Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 });
    const wrong = await run('restore', file, '--data-dir', dataDir);
    assert.match(wrong.err, /^the secret key is not the one that this database is sealed with/);
    assert.deepEqual(readdirSync(dataDir).sort(), ['lock', 'secret.key']);
    writeFileSync(join(dataDir, 'secret.key'), key);
    assert.equal((await run('restore', file, '--data-dir', dataDir)).exitCode, 0);
    rmSync(join(server.dataDir, 'running.json'));
    assert.deepEqual((await place.serve(['--data-dir', dataDir])).credentials, server.credentials);
  });

  test('a copy of respark.sqlite alone is refused with the cure, by the server and by a backup', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    const copy = join(place.directory, 'copy');
    spawnSync('mkdir', ['-m', '700', copy]);
    const names = ['respark.sqlite', 'audit.sqlite', 'audit.journal', 'secret.key', 'root-credentials'];
    spawnSync('cp', ['-p', ...names.map((name) => join(server.dataDir, name)), copy]);
    const line =
      /^cannot (?:use|copy) the database \S+: its newest changes are in respark\.sqlite-wal, which is missing, .*"respark backup" and "respark restore" \(docs\/deploying\.md\)\n$/;
    for (const args of [
      ['serve', '--port', '0'],
      ['backup', join(place.directory, 'b')],
      ['keys', 'list'],
    ]) {
      const { exitCode, err } = await run(...args, '--data-dir', copy);
      assert.equal(exitCode, 1);
      assert.match(err, line);
    }
    assert.deepEqual(readdirSync(place.directory).sort(), ['copy', 'respark-data'], 'no part of a backup was left');
  });

  test('before an upgrade of the database the server makes a backup of the old one', async (t) => {
    const place = createWorkplace(t);
    const path = join(place.directory, 'respark-data');
    const directory = openDataDirectory({ path });
    const database = openSqlite({ file: directory.file('respark.sqlite') });
    await database.transaction(async (query) => {
      await createGamesAndKeys(query);
      await sql`create table schema_version (version integer primary key)`.execute(query);
      await sql`insert into schema_version values (1)`.execute(query);
      await sql`insert into games values ('1', 'Zoo', '', 'ACTIVE', 0, '{}', 1, 1)`.execute(query);
    });
    await database.close();
    directory.close();

    // As kills in earlier attempts have left it.
    const left = ['before-upgrade-1-same-same-same-same.tar.gz.0b6f.partial', 'restore.partial'];
    for (const name of left) {
      mkdirSync(join(path, name));
      writeFileSync(join(path, name, 'secret.key'), '');
    }

    const versions = (dataDir: string) =>
      inDatabase<{ version: number }>(join(dataDir, 'respark.sqlite'), 'SELECT version FROM schema_version').length;
    const upgraded = await serveHere(place.directory, ['--port', '0']);
    assert.equal(upgraded.exitCode, 0, upgraded.stderr);
    assert(versions(path) > 1);
    assert.deepEqual(
      readdirSync(path).filter((name) => name.endsWith('.partial')),
      [],
    );
    const file = join(path, 'before-upgrade-1-same-same-same-same.tar.gz');
    assert.match(upgraded.stderr, /"msg":"a backup was made before the databases are brought up to this version"/);
    const again = await serveHere(place.directory, ['--port', '0']);
    assert.doesNotMatch(again.stderr, /before the databases/);

    const restored = join(place.directory, 'restored');
    assert.equal((await run('restore', file, '--data-dir', restored)).exitCode, 0);
    assert.equal(versions(restored), 1);
    assert.deepEqual(inDatabase(join(restored, 'respark.sqlite'), 'SELECT name FROM games'), [{ name: 'Zoo' }]);
  });

  test('a backup that is stopped, or whose database is damaged, leaves nothing behind', async (t) => {
    const place = createWorkplace(t);
    assert.equal((await serveHere(place.directory, ['--port', '0'])).exitCode, 0);
    const dataDir = join(place.directory, 'respark-data');
    const file = join(place.directory, 'b');
    const options = { dataDir, file, hasSecretKey: true, live: LIVE_FILES, version: '1.0.0', now: () => 0 };
    const stopped = new Error('stopped by SIGINT');
    await assert.rejects(backUp({ ...options, signal: AbortSignal.abort(stopped) }), stopped);
    const controller = new AbortController();
    const progress = () => controller.abort(stopped);
    await assert.rejects(backUp({ ...options, signal: controller.signal, progress }), stopped);
    assert.deepEqual(readdirSync(place.directory), ['respark-data']);

    const database = join(dataDir, 'respark.sqlite');
    const bytes = readFileSync(database);
    writeFileSync(database, bytes.fill(0x5a, 8_192, 16_384));
    assert.match((await run('backup', file, '--data-dir', dataDir)).err, /malformed|damaged/);
    assert.deepEqual(readdirSync(place.directory), ['respark-data']);
  });

  test('a backup of a newer version is refused, and leaves nothing behind', async (t) => {
    const place = createWorkplace(t);
    assert.equal((await serveHere(place.directory, ['--port', '0'])).exitCode, 0);
    const path = join(place.directory, 'respark-data');
    const newer = new Libsql(join(path, 'audit.sqlite'));
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    const file = join(place.directory, 'b');
    const live = { ...LIVE_FILES, examine: () => {} };
    await backUp({ dataDir: path, file, hasSecretKey: true, live, version: '9.0.0', now: () => 0 });
    const restored = join(place.directory, 'restored');
    const { exitCode, err } = await run('restore', file, '--data-dir', restored);
    assert.equal(exitCode, 1);
    assert.match(
      err,
      /audit\.sqlite: it has version 99, but this program only knows versions up to \d+: use a newer respark$/m,
    );
    assert.deepEqual(readdirSync(restored), ['lock']);
    assert.match((await run('backup', `${file}2`, '--data-dir', path)).err, /it has version 99/);
  });

  test('a backup replaces nothing, not even a link that leads nowhere', async (t) => {
    const place = createWorkplace(t);
    assert.equal((await serveHere(place.directory, ['--port', '0'])).exitCode, 0);
    const path = join(place.directory, 'respark-data');
    const file = join(place.directory, 'b');
    symlinkSync(join(place.directory, 'nowhere'), file);
    const { exitCode, err } = await run('backup', file, '--data-dir', path);
    assert.equal(exitCode, 1);
    assert.match(err, /^there is already a file \S+: remove it, or give another name$/m);
    assert.equal(readlinkSync(file), join(place.directory, 'nowhere'));
  });

  test('a restore that was cut off while files were put in their places is not served, but restored again', async (t) => {
    const place = createWorkplace(t);
    assert.equal((await serveHere(place.directory, ['--port', '0'])).exitCode, 0);
    const path = join(place.directory, 'respark-data');
    const file = join(place.directory, 'b');
    assert.equal((await run('backup', file, '--data-dir', path)).exitCode, 0);
    const ready = join(path, 'restore.ready');
    const line = /^a restore into the data directory \S+ was interrupted: run "respark restore" again, with --force$/m;
    // The second restore is cut off, too, before and after it has put its own files in the place of those of the first.
    const left = join(path, 'restore.left');
    for (const there of [[ready], [left], [ready, left]]) {
      for (const directory of there) {
        mkdirSync(directory);
        writeFileSync(join(directory, 'secret.key'), '');
      }
      assert.match((await serveHere(place.directory, ['--port', '0'])).stderr, line);
      assert.match((await run('keys', 'list', '--data-dir', path)).err, line);
      assert.equal((await run('restore', file, '--force', '--data-dir', path)).exitCode, 0);
      assert.deepEqual(
        readdirSync(path).filter((name) => name.startsWith('restore')),
        [],
      );
      assert.equal((await serveHere(place.directory, ['--port', '0'])).exitCode, 0);
    }
  });
}

const [, , mode, dataDir = ''] = process.argv;
if (mode === 'serve-and-write') await serveAndWrite(dataDir);
else testCommands();
