import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import Libsql from 'libsql';
import AsyncLibsql from 'libsql/promise';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { mountSmallDisk, whyNoSmallDisk } from '../../../test/support/small-disk.ts';
import { commitsInWal } from '../../../test/support/wal-commits.ts';
import { type Clock, systemClock } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import { temporaryDirectory } from '../test-store.ts';
import { testPlayerData } from './player-data.contract.ts';
import type { PlayerData } from './player-data.ts';
import { openSqlitePlayerData } from './sqlite.ts';

const LIMITS = { maxKeysPerPlayer: 1_000, maxBytesPerPlayer: 3_000_000, maxBytesPerStage: 100_000_000 };
const ANNA = { stageId: 'dev', playerId: 'anna' };

const playersOf = (stageId: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ stageId, playerId: `p${index}` }));

const temporaryFile = (t: TestContext) => join(temporaryDirectory(t), 'player-data.sqlite');

interface Options {
  readonly limits?: typeof LIMITS;
  readonly isShort?: () => boolean;
  readonly clock?: Clock;
}

async function open(t: TestContext, file = temporaryFile(t), { limits = LIMITS, ...options }: Options = {}) {
  const { log, lines } = recordedLog();
  const data = await openSqlitePlayerData({ file, limits, clock: systemClock, log, ...options });
  t.after(() => data.close());
  return { file, data, lines };
}

describe('player data in SQLite', () => {
  const files = new WeakMap<PlayerData, string>();
  testPlayerData({
    async open(t, limits) {
      const { file, data } = await open(t, temporaryFile(t), { limits });
      files.set(data, file);
      return data;
    },
    openBeside: async (t, first, limits) => (await open(t, files.get(first), { limits })).data,
  });
});

test('every file of the player data is readable by its owner only, whatever the umask', async (t) => {
  const umask = process.umask(0);
  t.after(() => process.umask(umask));
  const { file, data } = await open(t);
  await data.set(ANNA, new Map([['a', '1']]));
  const modes = readdirSync(join(file, '..')).map((name) => {
    const { mode } = statSync(join(file, '..', name));
    return `${name} ${(mode & 0o777).toString(8)}`;
  });
  const names = ['player-data.sqlite', 'player-data.sqlite-shm', 'player-data.sqlite-wal'];
  assert.deepEqual(
    modes.sort(),
    names.map((name) => `${name} 600`),
  );
});

test('the writes of many players share a commit', async (t) => {
  // Without a clock that stands still, a commit would end after some milliseconds, however few writes it has by then.
  const { file, data } = await open(t, temporaryFile(t), { clock: new ManualClock() });
  await data.set(ANNA, new Map([['a', '1']]));
  const before = commitsInWal(file);
  const versions = await Promise.all(playersOf('dev', 200).map((player) => data.set(player, new Map([['a', '1']]))));
  assert.equal(new Set(versions).size, 200);
  assert.equal(commitsInWal(file) - before, 1);
});

test('a conflict or a write beyond the limits refuses none of those that share its commit', async (t) => {
  const { data } = await open(t, temporaryFile(t), { limits: { ...LIMITS, maxKeysPerPlayer: 2 } });
  const set = (playerId: string, keys: readonly string[], version?: number) =>
    data.set({ stageId: 'dev', playerId }, new Map(keys.map((key) => [key, '1'])), version);
  const results = await Promise.allSettled([
    set('anna', ['a']),
    set('bert', ['a'], 7),
    set('carl', ['a', 'b', 'c']),
    set('anna', ['b'], 0),
    set('dora', ['a', 'b'], 0),
  ]);
  assert.deepEqual(
    results.map((result) => (result.status === 'rejected' ? result.reason.code : result.status)),
    ['fulfilled', 'conflict', 'quota_exceeded', 'conflict', 'fulfilled'],
  );
  for (const playerId of ['bert', 'carl']) assert.equal((await data.get({ stageId: 'dev', playerId })).version, 0);
  assert.deepEqual((await data.get({ stageId: 'dev', playerId: 'anna' })).values, new Map([['a', '1']]));
});

test('while the data of a stage is being removed, other players are written', async (t) => {
  const { data } = await open(t);
  await Promise.all(playersOf('dev', 3_000).map((player) => data.set(player, new Map([['a', '1']]))));
  let isRemoved = false;
  const removal = data.removeStage('dev').then(() => {
    isRemoved = true;
  });
  let writes = 0;
  while (!isRemoved) {
    await data.set({ stageId: 'live', playerId: 'anna' }, new Map([['a', String(writes)]]));
    writes += 1;
  }
  await removal;
  assert.ok(writes >= 5, `${writes} writes`);
});

test('what removes much in one go leaves nothing, however many keys a player has', async (t) => {
  const { file, data } = await open(t);
  const keys = Array.from({ length: 1_000 }, (_, index) => `key ${index}`);
  const players = playersOf('dev', 3);
  for (const player of players) await data.set(player, new Map(keys.map((key) => [key, 'x'.repeat(1_000)])));
  await data.remove({ stageId: 'dev', playerId: 'p0' });
  await data.set({ stageId: 'dev', playerId: 'p1' }, new Map(keys.map((key) => [key, undefined])));
  await data.removeStage('dev');
  const rows = new Libsql(file).prepare('SELECT count(*) AS rows FROM entries').all();
  assert.deepEqual(rows, [{ rows: 0 }]);
});

test('queries find their rows by an index, and sort none', async (t) => {
  const mocks = [t.mock.method(Libsql.prototype, 'prepare'), t.mock.method(AsyncLibsql.prototype, 'prepare')];
  const { file } = await open(t);
  const texts = mocks
    .flatMap(({ mock }) => mock.calls.map(({ arguments: [text] }) => String(text)))
    .filter((text) => /(?:FROM|INTO|UPDATE) (?:players|entries|stage_bytes)/.test(text));
  assert.ok(texts.length >= 9, `${texts.length} queries`);
  const database = new Libsql(file);
  t.after(() => database.close());
  for (const text of texts) {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${text.replaceAll(/\?\d?/g, "''")}`).all() as {
      detail: string;
    }[];
    for (const { detail } of plan) assert.doesNotMatch(detail, /^SCAN (?!json_each)|TEMP B-TREE/, `${text}: ${detail}`);
  }
});

test('while the disk is short of room nothing is set, but all is read and removed', async (t) => {
  let isShort = false;
  const { data } = await open(t, temporaryFile(t), { isShort: () => isShort });
  await data.set(ANNA, new Map([['a', '1']]));
  isShort = true;
  const refused = data.set(ANNA, new Map([['b', '1']]));
  await assert.rejects(refused, (error) => error instanceof ServiceError && error.code === 'internal');
  assert.deepEqual((await data.get(ANNA)).values, new Map([['a', '1']]));
  assert.equal(await data.set(ANNA, new Map([['a', undefined]])), 0);
  await data.remove(ANNA);
  await data.removeStage('dev');
});

test('a full disk refuses writes and loses nothing, and all goes on when there is room again', {
  skip: whyNoSmallDisk(),
}, async (t) => {
  const disk = mountSmallDisk(t, 4);
  const { data, lines } = await open(t, join(disk.path, 'player-data.sqlite'));
  const value = JSON.stringify('x'.repeat(100_000));
  const write = (key: string) => data.set(ANNA, new Map([[key, value]]));
  await write('before');
  disk.fill();
  const kept = ['before'];
  let refusal: unknown;
  for (let number = 0; refusal === undefined; number += 1) {
    await write(`key ${number}`).then(
      () => kept.push(`key ${number}`),
      (error: unknown) => {
        refusal = error;
      },
    );
    assert.ok(number < 100, 'the disk is full by now');
  }
  assert.ok(refusal instanceof ServiceError && refusal.code === 'internal');
  assert.match(
    refusal.message,
    /^cannot write the player data, because the disk is full \(\w+\): make room on it, and/,
  );
  assert.deepEqual([...(await data.get(ANNA)).values.keys()].sort(), kept.toSorted());
  assert.equal(lines.length, 1);
  disk.empty();
  await write('after');
  assert.deepEqual([...(await data.get(ANNA)).values.keys()].sort(), [...kept, 'after'].sort());
});

test('the bytes of stages are counted from what was there before they were, and have a row while there are any', async (t) => {
  const file = temporaryFile(t);
  const before = new Libsql(file);
  before.exec(`PRAGMA journal_mode = WAL;
    CREATE TABLE players (stage_id TEXT NOT NULL, player_id TEXT NOT NULL, id INTEGER NOT NULL, version INTEGER NOT NULL,
      keys INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (stage_id, player_id)) STRICT, WITHOUT ROWID;
    CREATE TABLE entries (player INTEGER NOT NULL, key TEXT NOT NULL, bytes INTEGER NOT NULL, value TEXT NOT NULL,
      PRIMARY KEY (player, key)) STRICT, WITHOUT ROWID;
    CREATE TABLE last_version (version INTEGER NOT NULL) STRICT;
    INSERT INTO last_version VALUES (3);
    INSERT INTO players VALUES ('dev', 'anna', 1, 1, 2, 4), ('dev', 'bert', 2, 2, 1, 3), ('live', 'anna', 3, 3, 1, 2);
    INSERT INTO entries VALUES (1, 'a', 2, '1'), (1, 'b', 2, '2'), (2, 'a', 3, '10'), (3, 'a', 2, '1');
    PRAGMA user_version = 1`);
  before.close();
  const beside = new Libsql(file);
  const totals = () => beside.prepare('SELECT stage_id, bytes FROM stage_bytes').all();
  const room = 200;
  const { data } = await open(t, file, { limits: { ...LIMITS, maxBytesPerStage: 7 + 3 * 128 + room } });
  assert.deepEqual(totals(), [
    { stage_id: 'dev', bytes: 7 + 3 * 128 },
    { stage_id: 'live', bytes: 2 + 128 },
  ]);
  const set = (length: number) => data.set(ANNA, new Map([['c', 'x'.repeat(length)]]));
  await assert.rejects(set(room - 128), (error) => error instanceof ServiceError && error.code === 'quota_exceeded');
  await set(room - 128 - 1);
  await data.removeStage('dev');
  await data.remove({ ...ANNA, stageId: 'live' });
  assert.deepEqual(totals(), []);
  await assert.rejects(data.set(ANNA, new Map([['c', 'x'.repeat(1_000)]])), {
    message:
      'the data of all players of the stage would have 1129 bytes, of which a stage may have 591: remove data that no player needs, or raise RESPARK_PLAYER_DATA_MAX_BYTES_PER_STAGE',
  });
  beside.close();
});

test('many writes of one commit read and write the total of their stage once', async (t) => {
  const { file, data } = await open(t, temporaryFile(t), { clock: new ManualClock() });
  const [beside, trail] = [new Libsql(file), new Libsql(file)];
  t.after(() => beside.close());
  t.after(() => trail.close());
  trail.exec(`CREATE TABLE trail (bytes INTEGER);
    CREATE TRIGGER of_inserts AFTER INSERT ON stage_bytes BEGIN INSERT INTO trail VALUES (new.bytes); END;
    CREATE TRIGGER of_updates AFTER UPDATE ON stage_bytes BEGIN INSERT INTO trail VALUES (new.bytes); END`);
  for (const value of ['1', '22']) {
    await Promise.all(playersOf('dev', 100).map((player) => data.set(player, new Map([['a', value]]))));
  }
  assert.deepEqual(beside.prepare('SELECT bytes FROM trail').all(), [{ bytes: 100 * 130 }, { bytes: 100 * 131 }]);
});

test('a page behind thousands of long keys that begin alike walks along them once', async (t) => {
  const count = 5_000;
  const limits = { ...LIMITS, maxKeysPerPlayer: count, maxBytesPerPlayer: 16_000_000 };
  const { file, data } = await open(t, temporaryFile(t), { limits });
  const keys = Array.from({ length: count }, (_, index) => `${'k'.repeat(1_500)}${10_000 + index}`);
  await data.set(ANNA, new Map(keys.map((key) => [key, '1'])));
  const beside = new Libsql(file);
  t.after(() => beside.close());
  const walk = beside.prepare('SELECT key FROM entries WHERE player = 1 AND key >= ? ORDER BY key LIMIT 1 OFFSET ?');
  const start = { from: 'k'.repeat(128), skip: count - 100 };
  const [walks, pages]: [number[], number[]] = [[], []];
  for (let round = 0; round < 20; round += 1) {
    const begunAt = performance.now();
    const [walkedTo] = walk.all(start.from, start.skip) as { key: string }[];
    const walkedAt = performance.now();
    const { values, next } = await data.page(ANNA, { start, maxBytes: 65_536 });
    pages.push(performance.now() - walkedAt);
    walks.push(walkedAt - begunAt);
    assert.ok(walkedTo?.key === keys[start.skip] && [...values.keys()][0] === walkedTo?.key);
    assert.equal(next?.skip, start.skip + values.size);
  }
  const [page, once] = [Math.min(...pages), Math.min(...walks)];
  assert.ok(page < 2.5 * once, `a page took ${page} ms, and to walk along the keys once ${once} ms`);
});
