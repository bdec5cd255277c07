import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import Libsql from 'libsql';
import { sampleGame } from './store-samples.ts';
import { openTestStore, temporaryDirectory } from './test-store.ts';

test('bars that have ended are found and forgotten as fast among many that have not, or that are of other games', async (t) => {
  const file = join(temporaryDirectory(t), 'respark.db');
  const store = await openTestStore(t, file);
  const games = [sampleGame('Zoo'), sampleGame('Farm')];
  for (const game of games) await store.games.insert(game);
  const [zoo, farm] = games.map(({ id }) => id);
  const connection = new Libsql(file);
  t.after(() => connection.close());
  const fill = (from: number, count: number, gameId: string | undefined, until: string) =>
    connection.exec(`INSERT INTO bars (name, kind, game_id, until, ends_connections, reason, messages, evidence, actor, request_id,
        created_at, version, state, is_enforced)
      WITH RECURSIVE more (n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM more WHERE n < ${from + count - 1})
        SELECT 'bar ' || n, 'block', '${gameId}', ${until}, 1, '', '{}', printf('%*c', 2000, 'x'), '', '', 1, n, 'SET', 1 FROM more`);
  const shortest = async (work: () => Promise<unknown>) => {
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const from = performance.now();
      await work();
      times.push(performance.now() - from);
    }
    return Math.min(...times);
  };
  const find = (gameId?: string) => async () => assert.equal(await store.bars.removeEnded(99, 100, gameId), 0);
  const forget = async () => assert.equal(await store.bars.removeEnded(100, 100), 100);
  fill(1, 500, zoo, '100');
  const before = { find: await shortest(find()), forget: await shortest(forget) };
  fill(100_000, 20_000, zoo, 'NULL');
  fill(200_000, 20_000, zoo, '5000');
  fill(300_000, 500, zoo, '100');
  const after = { find: await shortest(find()), forget: await shortest(forget) };
  fill(400_000, 20_000, farm, '50');
  const ofGame = await shortest(find(zoo));
  const times = JSON.stringify({ before, after, ofGame });
  assert.ok(Math.max(after.find, ofGame) < before.find + 3 && after.forget < before.forget + 20, times);
});
