import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import Libsql from 'libsql';
import { sampleGame } from './store-samples.ts';
import { openTestStore, temporaryDirectory } from './test-store.ts';

/** Puts enforced blocks of a game into the database, of two kilobytes each. */
function fill(
  connection: Libsql.Database,
  { from, count, gameId, until }: { from: number; count: number; gameId: string | undefined; until: string },
): void {
  connection.exec(`INSERT INTO bars (name, kind, game_id, until, ends_connections, reason, messages, evidence, actor, request_id,
      created_at, version, state, is_enforced)
    WITH RECURSIVE more (n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM more WHERE n < ${from + count - 1})
      SELECT 'bar ' || n, 'block', '${gameId}', ${until}, 1, '', '{}', printf('%*c', 2000, 'x'), '', '', 1, n, 'SET', 1 FROM more`);
}

test('bars that have ended are found and forgotten as fast among many that have not, or that are of other games', async (t) => {
  const file = join(temporaryDirectory(t), 'respark.db');
  const store = await openTestStore(t, file);
  const games = [sampleGame('Zoo'), sampleGame('Farm')];
  for (const game of games) await store.games.insert(game);
  const [zoo, farm] = games.map(({ id }) => id);
  const connection = new Libsql(file);
  t.after(() => connection.close());
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
  fill(connection, { from: 1, count: 500, gameId: zoo, until: '100' });
  const before = { find: await shortest(find()), forget: await shortest(forget) };
  fill(connection, { from: 100_000, count: 20_000, gameId: zoo, until: 'NULL' });
  fill(connection, { from: 200_000, count: 20_000, gameId: zoo, until: '5000' });
  fill(connection, { from: 300_000, count: 500, gameId: zoo, until: '100' });
  const after = { find: await shortest(find()), forget: await shortest(forget) };
  fill(connection, { from: 400_000, count: 20_000, gameId: farm, until: '50' });
  const ofGame = await shortest(find(zoo));
  const times = JSON.stringify({ before, after, ofGame });
  assert.ok(Math.max(after.find, ofGame) < before.find + 3 && after.forget < before.forget + 20, times);
});

test('the event loop goes on while many bars that have ended are forgotten', async (t) => {
  const file = join(temporaryDirectory(t), 'respark.db');
  const store = await openTestStore(t, file);
  const game = sampleGame('Zoo');
  await store.games.insert(game);
  const connection = new Libsql(file);
  t.after(() => connection.close());
  fill(connection, { from: 1, count: 1_000, gameId: game.id, until: '100' });
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  assert.equal(await store.bars.removeEnded(100, 500, game.id), 500);
  isOver = true;
  assert.ok(turns >= 4, `${turns} turns`);
  assert.equal(await store.bars.removeEnded(100, 600, game.id), 500);
});
