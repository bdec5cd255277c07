import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import { createStore } from '../sql-store.ts';
import { openSqlite } from '../sqlite.ts';
import { sampleGame, sampleStage } from '../store-samples.ts';
import { temporaryDirectory } from '../test-store.ts';
import { createGamesAndKeys } from './0001-games-and-keys.ts';
import { createSnapshotsAndDeployments } from './0002-snapshots-and-deployments.ts';

test('stages keep the runtimes of deployments that are known, and unfinished work is there for any node', async (t) => {
  const database = openSqlite({ file: join(temporaryDirectory(t), 'respark.db') });
  t.after(() => database.close());
  const game = sampleGame('Zoo');
  const stages = { known: sampleStage(game, 'Known'), forgotten: sampleStage(game, 'Forgotten') };
  await database.transaction(async (query) => {
    await createGamesAndKeys(query);
    await createSnapshotsAndDeployments(query);
    await sql`create table schema_version (version integer primary key)`.execute(query);
    await sql`insert into schema_version values (1), (2)`.execute(query);
    await sql`insert into games values (${game.id}, 'Zoo', '', 'ACTIVE', 0, '{}', 1, 1)`.execute(query);
    for (const [runtimeId, stage] of [
      ['D1', stages.known],
      ['D0', stages.forgotten],
    ] as const) {
      await sql`insert into stages values (${stage.id}, ${game.id}, ${stage.name}, '', ${stage.role}, ${stage.gameKey},
        ${stage.logGroup}, 'ACTIVE', '{}', 1, 1, ${runtimeId})`.execute(query);
    }
    await sql`insert into deployments values ('D1', ${stages.known.id}, 'S1', 'DEPLOY', 'COMPLETED', 'SUCCESS', '', 2, 3)`.execute(
      query,
    );
    await sql`insert into deployments values ('D2', ${stages.known.id}, 'S2', 'DEPLOY', 'IN_PROGRESS', null, null, 4, 5)`.execute(
      query,
    );
  });

  await database.migrate();
  const store = createStore(database);
  assert.equal((await store.stages.find('Zoo', 'Known'))?.runtimeId, 'D1');
  const runtime = { id: 'D1', stageId: stages.known.id, snapshotId: 'S1', createdAt: 3 };
  assert.deepEqual(await store.runtimes.list(stages.known.id), [runtime]);
  assert.equal((await store.stages.find('Zoo', 'Forgotten'))?.runtimeId, undefined);
  assert.deepEqual(await store.runtimes.list(stages.forgotten.id), []);
  const [left] = await store.deployments.listUnfinished();
  assert.deepEqual([left?.id, left?.claimedBy], ['D2', undefined]);
  assert.equal(await store.deployments.claim('D2', 'node', 6), true);
});
