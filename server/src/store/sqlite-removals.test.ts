import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleGame, sampleJob, sampleSnapshot } from './store-samples.ts';
import { openTestStore } from './test-store.ts';

test('snapshots and generated code of a game are removed a few at a time: each may have a megabyte', async (t) => {
  const store = await openTestStore(t);
  const game = sampleGame('Zoo');
  await store.games.insert(game);
  const samples = Array.from({ length: 12 }, (_, number) => sampleSnapshot(game, `S${number}`));
  for (const snapshot of samples) {
    await store.snapshots.insert(snapshot);
    for (const name of ['a', 'b', 'c']) await store.generatedCodeJobs.insert(sampleJob(snapshot, snapshot.id + name));
  }
  const count = async () => {
    const jobs = samples.map(async ({ id }) => await store.generatedCodeJobs.list(game.id, id, { limit: 100 }));
    return (await Promise.all(jobs)).flat().length + (await store.snapshots.count(game.id));
  };
  let isDone = false;
  const removal = store.snapshots.removeAll(game.id).finally(() => {
    isDone = true;
  });
  const left = [48];
  while (!isDone) {
    await new Promise(setImmediate);
    left.push(await count());
  }
  await removal;
  const removed = left.map((each, index) => (left[index - 1] ?? each) - each);
  assert.deepEqual([left.at(-1), Math.max(...removed) <= 5], [0, true], `${removed} were removed in each turn`);
});
