import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import { createStore } from '../sql-store.ts';
import { openSqlite } from '../sqlite.ts';
import { sampleGame, sampleStage } from '../store-samples.ts';
import { temporaryDirectory } from '../test-store.ts';

test('a job of the version before keeps its players, and that version takes a newer job to mean nobody', async (t) => {
  const database = openSqlite({ file: join(temporaryDirectory(t), 'respark.db') });
  t.after(() => database.close());
  await database.migrate();
  const { games, stages, disconnectJobs } = createStore(database);
  const game = sampleGame('Zoo');
  const stage = sampleStage(game, 'Live');
  await games.insert(game);
  await stages.insert(stage);
  for (const id of ['J1', 'J2']) {
    await disconnectJobs.insert({
      ...{ id, stageId: stage.id, state: 'PENDING', request: '{}', playerIds: ['alice', 'bob'], actor: 'AKID' },
      ...{ requestId: 'request', connections: 2, players: 2, createdAt: 1, updatedAt: 1 },
    });
  }
  await database.transaction(async (query) => {
    await sql`delete from disconnect_job_players where job_id = 'J1'`.execute(query);
    await sql`update disconnect_jobs set player_ids = 'alice carol' where id = 'J1'`.execute(query);
  });
  assert.deepEqual(await disconnectJobs.playerIds('J1'), ['alice', 'carol']);
  const read = sql<{ player_ids: string }>`select player_ids from disconnect_jobs where id = 'J2'`;
  const [row] = (await read.execute(database.query)).rows;
  assert.equal(row?.player_ids, '', 'not null, which would mean everybody');
});
