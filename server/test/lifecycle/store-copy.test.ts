import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import {
  CreateGameCommand,
  CreateSnapshotCommand,
  DisconnectPlayerCommand,
  GetGameCommand,
  GetSnapshotCommand,
  ListGamesCommand,
} from '@aws-sdk/client-gamesparks';
import Libsql from 'libsql';
import { systemClock } from '../../src/clock.ts';
import { createLog } from '../../src/log.ts';
import { COPIED_TABLES } from '../../src/store/copied-tables.ts';
import { openPostgresPlayerData } from '../../src/store/player-data/postgres.ts';
import { openSqlitePlayerData } from '../../src/store/player-data/sqlite.ts';
import { openPostgresStageLogs } from '../../src/store/stage-logs/postgres.ts';
import { openSqliteStageLogs } from '../../src/store/stage-logs/sqlite.ts';
import type { NewLogLine } from '../../src/store/stage-logs/stage-logs.ts';
import { openMigrated, usePostgres, whyNoPostgres } from '../support/postgres.ts';
import { createWorkplace, type Workplace } from '../support/process.ts';

const skip = whyNoPostgres;
const server = usePostgres();
const log = createLog({ level: 'error', destination: { write: () => {} } });
const ANNA = { stageId: 'stage', playerId: 'anna' };
const DATA_LIMITS = { maxKeysPerPlayer: 100, maxBytesPerPlayer: 1_000_000, maxBytesPerStage: 100_000_000 };
const LOG_LIMITS = { maxLinesPerStage: 1_000, maxBytesPerStage: 1_000_000 };

const line = (text: string): NewLogLine => ({
  ...{ at: 5, level: 'warn', text, playerId: 'anna' },
  ...{ handler: undefined, requestId: undefined },
});

/** A data directory with something of everything, on which no server runs any more. */
async function filledDirectory(place: Workplace) {
  const node = await place.serve(['--demo']);
  const sdk = node.sdk();
  await sdk.send(new CreateGameCommand({ GameName: 'Zoo', Description: 'ünï "quoted" \\', Tags: { a: 'b' } }));
  const { Snapshot } = await sdk.send(new CreateSnapshotCommand({ GameName: 'Demo', Description: 'of the test' }));
  const player = await node.connect();
  const gone = { GameName: 'Demo', StageName: 'Dev', PlayerId: player.playerId };
  await sdk.send(new DisconnectPlayerCommand(gone));
  // What it leaves in its journal and its WALs is to be copied too.
  node.child.kill('SIGKILL');
  await node.ended();
  const { dataDir } = node;
  const files = { clock: systemClock, log };
  const data = await openSqlitePlayerData({ ...files, file: join(dataDir, 'player-data.sqlite'), limits: DATA_LIMITS });
  const values = new Map([
    ['level', '7'],
    ['k'.repeat(5_000), JSON.stringify('💥'.repeat(1_000))],
  ]);
  const version = await data.set(ANNA, values);
  for (let index = 0; index < 1_200; index += 1)
    await data.set({ ...ANNA, playerId: `p${index}` }, new Map([['a', '1']]));
  await data.close();
  const logs = await openSqliteStageLogs({ ...files, file: join(dataDir, 'stage-logs.sqlite'), limits: LOG_LIMITS });
  await logs.append(
    'stage',
    Array.from({ length: 1_300 }, (_, index) => line(`line ${index}`)),
  );
  const page = await logs.read('stage', { order: 'oldest_first', limit: 2_000 });
  await logs.close();
  return { node, dataDir, snapshotId: String(Snapshot?.Id), data: { version, values }, page };
}

/** A server on a database, whose secret key is that of the data directory. */
async function serveCopy(
  t: TestContext,
  {
    url,
    dataDir,
    credentials,
  }: { url: string; dataDir: string; credentials: { accessKeyId: string; secretAccessKey: string } },
) {
  const env = {
    RESPARK_DATABASE_URL: url,
    RESPARK_SECRET_KEY: readFileSync(join(dataDir, 'secret.key'), 'utf8').trim(),
  };
  const place = createWorkplace(t);
  const node = await place.serve([], { env });
  return { node, place, env, sdk: node.sdk({ credentials }) };
}

describe('[postgres] respark store copy', { skip }, () => {
  test('brings everything of a data directory into an empty database, on which a server goes on', async (t) => {
    const place = createWorkplace(t);
    const { node, dataDir, snapshotId, data, page } = await filledDirectory(place);
    const url = await server.emptyDatabase(t);
    const copied = await place.respark(['store', 'copy', '--to', url, '--data-dir', dataDir]);
    assert.equal(copied.exitCode, 0, copied.stderr);
    assert.match(copied.stdout, /^games: 2\nstages: 1\n.*^players with data: 1201\n.*^lines of logs: 1000$/ms);
    assert.match(copied.stderr, /Set RESPARK_SECRET_KEY of every server on the database to what is in .*secret\.key/);

    const copy = await serveCopy(t, { url, dataDir, credentials: node.credentials });
    const { Games = [] } = await copy.sdk.send(new ListGamesCommand({}));
    assert.deepEqual(
      Games.map(({ Name }) => Name),
      ['Demo', 'Zoo'],
    );
    const { Game } = await copy.sdk.send(new GetGameCommand({ GameName: 'Zoo' }));
    assert.equal(Game?.Description, 'ünï "quoted" \\');
    const { Snapshot } = await copy.sdk.send(new GetSnapshotCommand({ GameName: 'Demo', SnapshotId: snapshotId }));
    assert.equal(Snapshot?.Description, 'of the test');
    const player = await copy.node.connect({ gameKey: node.gameKey });
    assert.ok(player.connectionId);

    const { sessions } = await openMigrated(t, url);
    const players = openPostgresPlayerData({ sessions, limits: DATA_LIMITS });
    assert.deepEqual(await players.get(ANNA), data);
    assert.ok((await players.set(ANNA, new Map([['level', '8']]))) > data.version + 1_200, 'no version comes back');
    const logs = openPostgresStageLogs({ sessions, limits: LOG_LIMITS });
    assert.deepEqual(await logs.read('stage', { order: 'oldest_first', limit: 2_000 }), page);
    await logs.append('stage', [line('after')]);
    const [last] = (await logs.read('stage', { order: 'newest_first', limit: 1 })).lines;
    assert.deepEqual([last?.position, last?.text], [1_301, 'after']);

    const audit = await copy.place.respark(['audit'], { env: copy.env });
    for (const operation of ['CreateGame', 'CreateSnapshot', 'DisconnectPlayer', 'CreateRootAccessKey']) {
      assert.match(audit.stdout, new RegExp(`${operation} .*(?:done|closed)`), audit.stderr);
    }
    assert.match(audit.stdout, /CopyStore .* done/);
    const source = await place.respark(['audit', '--operation', 'CopyStore', '--data-dir', dataDir]);
    assert.match(source.stdout, /CopyStore .* done/);
    assert.match(
      String((await place.serve([], { env: { RESPARK_DATA_DIR: dataDir } })).url),
      /^http/,
      'as it was before',
    );
  });

  test('refuses a database that has something, a server that runs, and what cannot be reached, and changes nothing', async (t) => {
    const place = createWorkplace(t);
    const { dataDir, node } = await filledDirectory(place);
    const url = await server.migratedDatabase(t);
    const copy = (to: string) => place.respark(['store', 'copy', '--to', to, '--data-dir', dataDir]);
    await server.execute(url, `insert into meta values ('something', 'is here')`);
    const refused = await copy(url);
    assert.equal(refused.exitCode, 1);
    assert.match(
      refused.stderr,
      /the database has meta already, and a copy would mix with them: name an empty database/,
    );
    assert.deepEqual(await server.execute(url, 'select count(*)::int as games from games'), [{ games: 0 }]);
    assert.match((await copy('postgres://me@127.0.0.1:1/d')).stderr, /ECONNREFUSED/);
    const wrong = await copy('postgres://me@127.0.0.1');
    assert.deepEqual([wrong.exitCode, /names no database/.test(wrong.stderr)], [2, true]);
    const missing = await place.respark(['store', 'copy', '--data-dir', dataDir]);
    assert.deepEqual([missing.exitCode, /name the database to copy to/.test(missing.stderr)], [2, true]);

    await server.execute(url, 'delete from meta');
    const running = await place.serve([], { env: { RESPARK_DATA_DIR: dataDir } });
    assert.match((await copy(url)).stderr, /a server is using the data directory/);
    running.child.kill('SIGTERM');
    await running.ended();
    const file = join(dataDir, 'stage-logs.sqlite');
    rmSync(file);
    assert.match(
      (await copy(url)).stderr,
      /stage-logs\.sqlite is missing, or of an older version: run "respark migrate"/,
    );
    const migrated = await place.respark(['migrate', '--data-dir', dataDir]);
    assert.match(migrated.stdout, /respark\.sqlite: is at version \d+\n.*stage-logs\.sqlite: from version 0 to 1\n/s);
    assert.equal((await copy(url)).exitCode, 0);
    assert.ok(node.dataDir);
  });

  test('copies nothing of a directory of which a file has lost its newest changes', async (t) => {
    const place = createWorkplace(t);
    const { dataDir } = await filledDirectory(place);
    const file = join(dataDir, 'player-data.sqlite');
    const data = await openSqlitePlayerData({ clock: systemClock, log, file, limits: DATA_LIMITS });
    await data.set(ANNA, new Map([['level', '99']]));
    const alone = readFileSync(file);
    await data.close();
    writeFileSync(file, alone);
    rmSync(`${file}-wal`, { force: true });
    const url = await server.migratedDatabase(t);
    const refused = await place.respark(['store', 'copy', '--to', url, '--data-dir', dataDir]);
    assert.equal(refused.exitCode, 1, refused.stdout);
    assert.match(
      refused.stderr,
      /player-data\.sqlite: its newest changes are in player-data\.sqlite-wal, which is missing/,
    );
    assert.deepEqual(await server.execute(url, 'select count(*)::int as games from games'), [{ games: 0 }]);
    assert.deepEqual(readFileSync(file), alone);
  });

  test('copies nothing, and writes no file, because a database says so', async (t) => {
    const place = createWorkplace(t);
    const { dataDir } = await filledDirectory(place);
    const written = join(dataDir, 'written');
    const database = new Libsql(join(dataDir, 'player-data.sqlite'));
    database.exec(`
      CREATE VIRTUAL TABLE evil USING fts4(a, compress=lower, uncompress=sha3_query);
      INSERT INTO evil_content VALUES (1, 'SELECT writefile(''${written}'', ''evil'')');
      ALTER TABLE players RENAME TO others;
      CREATE VIEW players AS SELECT 'stage' AS stage_id, hex(a) AS player_id, 1 AS version, 1 AS keys, 1 AS bytes FROM evil`);
    database.close();
    const url = await server.migratedDatabase(t);
    const refused = await place.respark(['store', 'copy', '--to', url, '--data-dir', dataDir]);
    assert.deepEqual([refused.exitCode, existsSync(written)], [1, false], refused.stderr);
    assert.match(refused.stderr, /player-data\.sqlite: it has "evil", which is no plain table or index/);
    assert.deepEqual(await server.execute(url, 'select count(*)::int as games from games'), [{ games: 0 }]);
  });
});

test('[postgres] the tables that are copied are all that there are, with every column', { skip }, async (t) => {
  const url = await server.migratedDatabase(t);
  // How far a journal of events has been moved, and who watches now, says nothing elsewhere.
  const own = "'schema_version', 'beside_version', 'event_journals', 'event_watches'";
  const columns = await server.execute(
    url,
    `select table_name, column_name, data_type from information_schema.columns where table_schema = 'public'
     and table_name not in (${own}) order by table_name, column_name`,
  );
  const known = COPIED_TABLES.flatMap(({ table, columns }) =>
    Object.entries(columns).map(([column_name, data_type]) => ({ table_name: table, column_name, data_type })),
  );
  const order = (list: readonly object[]) => list.map((entry) => JSON.stringify(Object.values(entry))).sort();
  assert.deepEqual(order(known), order(columns));
});

test('[postgres] respark migrate says from which version to which', { skip }, async (t) => {
  const place = createWorkplace(t);
  const env = {
    RESPARK_DATABASE_URL: await server.emptyDatabase(t),
    RESPARK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  };
  const first = await place.respark(['migrate'], { env });
  assert.match(
    first.stdout,
    /^the store: from version 0 to \d+\nplayer data, logs and audit records: from version 0 to \d+\n$/,
  );
  assert.match(
    (await place.respark(['migrate'], { env })).stdout,
    /^the store: is at version \d+\n.*: is at version \d+\n$/,
  );
  const none = await place.respark(['migrate', '--data-dir', 'nowhere']);
  assert.deepEqual([none.exitCode, /there is no data directory/.test(none.stderr)], [1, true]);
});
