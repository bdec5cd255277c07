import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { openMigrated, usePostgres, whyNoPostgres } from '../../../test/support/postgres.ts';
import { until } from '../../../test/support/server.ts';
import { ServiceError } from '../../errors.ts';
import { testPlayerData } from './player-data.contract.ts';
import type { PlayerData, PlayerDataLimits } from './player-data.ts';
import { openPostgresPlayerData } from './postgres.ts';

const skip = whyNoPostgres;
const server = usePostgres();
const LIMITS = { maxKeysPerPlayer: 1_000, maxBytesPerPlayer: 3_000_000 };
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
