import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { openMigrated, usePostgres, whyNoPostgres } from '../../../test/support/postgres.ts';
import { until } from '../../../test/support/server.ts';
import { ServiceError } from '../../errors.ts';
import { testPlayerData } from './player-data.contract.ts';
import type { PlayerData, PlayerDataLimits } from './player-data.ts';
import { openPostgresPlayerData } from './postgres.ts';
import { keepStageTotals, recountStages } from './stage-totals.ts';

const skip = whyNoPostgres;
const server = usePostgres();
const LIMITS = { maxKeysPerPlayer: 1_000, maxBytesPerPlayer: 3_000_000, maxBytesPerStage: 100_000_000 };
const ANNA = { stageId: 'dev', playerId: 'anna' };

async function open(t: TestContext, url: string, limits: PlayerDataLimits = LIMITS) {
  const { sessions } = await openMigrated(t, url);
  const data = openPostgresPlayerData({ sessions, limits });
  t.after(() => data.close());
  return data;
}

describe('[postgres] player data', { skip }, () => {
  const urls = new WeakMap<PlayerData, string>();
  testPlayerData({
    async open(t, limits) {
      const url = await server.migratedDatabase(t);
      const data = await open(t, url, limits);
      urls.set(data, url);
      return data;
    },
    openBeside: (t, first, limits) => open(t, String(urls.get(first)), limits),
  });
});

describe('[postgres] writes of player data', { skip }, () => {
  test('that come at once share a commit', async (t) => {
    const url = await server.migratedDatabase(t);
    const data = await open(t, url);
    const commits = async () => {
      const [row] = await server.execute(url, 'select count(distinct xmin::text) as count from players');
      return Number(row?.count);
    };
    await Promise.all(
      Array.from({ length: 500 }, (_, index) => data.set({ ...ANNA, playerId: `p${index}` }, new Map([['a', '1']]))),
    );
    assert.ok((await commits()) <= 2, `${await commits()} commits`);
  });

  test('that were acknowledged are there after a kill of the database, and each as a whole', async (t) => {
    const data = await open(t, await server.migratedDatabase(t));
    const acknowledged = new Map<string, number>();
    let isOver = false;
    const writers = Array.from({ length: 20 }, async (_, index) => {
      const player = { stageId: 'dev', playerId: `p${index}` };
      for (let number = 0; !isOver; number += 1) {
        const values = new Map(['a', 'b'].map((key) => [key, String(number)]));
        await data.set(player, values).then(
          () => acknowledged.set(player.playerId, number),
          (error: unknown) => {
            assert.ok(error instanceof ServiceError && error.retryAfterMs !== undefined, String(error));
          },
        );
      }
    });
    await until(() => acknowledged.size === 20);
    await server.kill();
    await server.restart();
    isOver = true;
    await Promise.all(writers);
    for (const [playerId, number] of acknowledged) {
      const { values } = await data.get({ stageId: 'dev', playerId });
      assert.equal(values.get('a'), values.get('b'));
      assert.ok(Number(values.get('a')) >= number, `${playerId}: ${values.get('a')} is older than ${number}`);
    }
  });

  test('keep keys of any length apart', async (t) => {
    const data = await open(t, await server.migratedDatabase(t));
    const keys = ['a', 'b'].map((letter) => letter.repeat(100_000));
    await data.set(ANNA, new Map(keys.map((key, index) => [key, String(index)])));
    await data.set(ANNA, new Map([[String(keys[0]), undefined]]));
    assert.deepEqual((await data.get(ANNA)).values, new Map([[keys[1], '1']]));
  });

  test('of several nodes, of many players in any order, do not end in a deadlock', async (t) => {
    const shared = await server.migratedDatabase(t);
    const nodes = await Promise.all([open(t, shared), open(t, shared), open(t, shared)]);
    const players = Array.from({ length: 60 }, (_, index) => ({ stageId: 'dev', playerId: `p${index}` }));
    for (let round = 0; round < 5; round += 1) {
      const writes = nodes.flatMap((node, index) =>
        (index % 2 === 0 ? players : players.toReversed()).map((player) =>
          round === 3 ? node.remove(player) : node.set(player, new Map([[`key ${index}`, String(round)]])),
        ),
      );
      await Promise.all(writes);
    }
    for (const player of players) assert.equal((await nodes[0].get(player)).values.size, 3);
  });
});

describe('[postgres] the bytes of stages', { skip }, () => {
  const totals = (url: string) =>
    server.execute(url, 'select stage_id, sum(bytes)::int as bytes from player_stage_bytes group by 1 order by 1');

  test('are counted from what was there before they were', async (t) => {
    const url = await server.migratedDatabase(t);
    await server.execute(
      url,
      `drop table player_stage_bytes;
       delete from beside_version where version > 5;
       insert into players values ('dev', 'anna', 1, 2, 4), ('dev', 'bert', 2, 1, 3), ('live', 'anna', 3, 1, 2);
       insert into player_entries values ('dev', 'anna', '=a', 2, 'a', '1'), ('dev', 'anna', '=b', 2, 'b', '2'),
         ('dev', 'bert', '=a', 3, 'a', '10'), ('live', 'anna', '=a', 2, 'a', '1')`,
    );
    const { database, sessions } = await openMigrated(t, url);
    await database.migrate();
    await recountStages(sessions);
    assert.deepEqual(await totals(url), [
      { stage_id: 'dev', bytes: 7 + 3 * 128 },
      { stage_id: 'live', bytes: 2 + 128 },
    ]);
    const data = await open(t, url, { ...LIMITS, maxBytesPerStage: 7 + 3 * 128 + 200 });
    const set = (length: number) => data.set(ANNA, new Map([['c', 'x'.repeat(length)]]));
    await assert.rejects(set(72), (error) => error instanceof ServiceError && error.code === 'quota_exceeded');
    await set(71);
    await data.removeStage('dev');
    await data.remove({ ...ANNA, stageId: 'live' });
    await data.removeStage('live');
    assert.deepEqual(await totals(url), []);
  });

  test('are corrected by the next recount after a node of the version before has written players', async (t) => {
    const url = await server.migratedDatabase(t);
    const data = await open(t, url);
    for (const playerId of ['p1', 'p2']) await data.set({ ...ANNA, playerId }, new Map([['a', '1']]));
    await data.set({ stageId: 'live', playerId: 'p1' }, new Map([['a', '1']]));
    await server.execute(
      url,
      `insert into players values ('dev', 'p3', 99, 2, 10); update players set bytes = 5 where player_id = 'p2';
       delete from players where stage_id = 'live'`,
    );
    const { sessions } = await openMigrated(t, url);
    await Promise.all([recountStages(sessions), recountStages(sessions), recountStages(sessions)]);
    await recountStages(sessions);
    assert.deepEqual(await totals(url), [
      { stage_id: 'dev', bytes: 2 + 5 + 10 + 4 * 128 },
      { stage_id: 'live', bytes: 0 },
    ]);
  });

  test('are counted page by page, and at once and every hour by a node', async (t) => {
    const url = await server.migratedDatabase(t);
    const insert = (stageId: string, from: number, to: number) =>
      server.execute(
        url,
        `insert into players select '${stageId}', 'p' || n, n, 1, 2 from generate_series(${from}, ${to}) n`,
      );
    await insert('dev', 1, 25_000);
    await insert('live', 1, 30_000);
    const { sessions } = await openMigrated(t, url);
    const clock = new ManualClock();
    const kept = keepStageTotals({ sessions, clock, log: recordedLog().log });
    const counted = async (dev: number) => {
      while ((await totals(url))[0]?.bytes !== dev * 130) await setImmediate();
    };
    await counted(25_000);
    assert.deepEqual(await totals(url), [
      { stage_id: 'dev', bytes: 25_000 * 130 },
      { stage_id: 'live', bytes: 30_000 * 130 },
    ]);
    await insert('dev', 25_001, 25_010);
    // The recount may not have set its clock yet.
    const ticking = setInterval(() => clock.advance(3_600_000), 20);
    await counted(25_010);
    clearInterval(ticking);
    await kept.close();
  });

  test('are exact while nodes in one slot and in others write and they are counted anew', async (t) => {
    const url = await server.migratedDatabase(t);
    const { sessions } = await openMigrated(t, url);
    const nodes = [0, 0, 3].map((slot) => openPostgresPlayerData({ sessions, limits: LIMITS, slot }));
    for (const node of nodes) t.after(() => node.close());
    const stages = ['live', 'dev', 'B', 'a'];
    for (let round = 0; round < 6; round += 1) {
      await Promise.all([
        recountStages(sessions),
        ...nodes.flatMap((node, index) =>
          Array.from({ length: 80 }, (_, number) => {
            const player = { stageId: String(stages[(number + index) % 4]), playerId: `p${(number * 7 + round) % 50}` };
            if ((number + round) % 9 === 0) return node.remove(player);
            return node.set(player, new Map([[`key ${number % 3}`, 'x'.repeat((number * 13 + round * 31) % 200)]]));
          }),
        ),
        ...(round === 4 ? [nodes[0]?.removeStage('a'), nodes[2]?.removeStage('dev')] : []),
      ]);
      const players = await server.execute(
        url,
        'select stage_id, sum(bytes + 128 * keys)::int as bytes from players group by 1 order by 1',
      );
      assert.deepEqual(
        (await totals(url)).filter(({ bytes }) => bytes !== 0),
        players,
      );
    }
    for (const stageId of stages) await nodes[1]?.removeStage(stageId);
    assert.deepEqual(await totals(url), []);
  });
});
