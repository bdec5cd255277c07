import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JOBS_HERE, recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { DEV, openZoo, SNAPSHOT, sampleSnapshot, ZOO } from '../../store/store-samples.ts';
import { openTestStore } from '../../store/test-store.ts';
import { createPrograms } from './programs.ts';

const WIDE = sampleSnapshot(ZOO, 'a wide snapshot', {
  sections: JSON.stringify({
    'GameSparks.Core.Model': {
      Wide: {
        Structure: {
          Fields: Object.fromEntries(
            Array.from({ length: 18_000 }, (_, index) => [`F${index}`, { Shape: 'String', Cardinality: 'Optional' }]),
          ),
        },
      },
    },
  }),
});

test('programs are kept within a bound of memory, to which shapes count as scripts do', async (t) => {
  const store = await openZoo(openTestStore, t);
  const ids = Array.from({ length: 40 }, (_, index) => `runtime ${index}`);
  await store.transaction(async ({ snapshots, runtimes }) => {
    await snapshots.insert(WIDE);
    const record = { stageId: DEV.id, snapshotId: WIDE.id, createdAt: 1 };
    for (const id of ids) await runtimes.insert({ ...record, id });
    await runtimes.insert({ id: 'small', stageId: DEV.id, snapshotId: SNAPSHOT.id, createdAt: 1 });
  });
  const { log } = recordedLog();
  const longWork = { run: <T>(_: unknown, work: (jobs: typeof JOBS_HERE) => Promise<T>) => work(JOBS_HERE) };
  const programs = createPrograms({ store, longWork, clock: new ManualClock(), log });
  const load = (id: string) => programs.load(DEV.id, id);

  const small = load('small');
  const first = load(ids[0] ?? '');
  await Promise.all([small, first]);
  assert.equal(load('small'), small);
  for (const id of ids.slice(1)) await load(id);
  const last = load(ids.at(-1) ?? '');
  assert.equal(load(ids.at(-1) ?? ''), last);
  // The least recently used has made room, and is read again.
  assert.notEqual(load(ids[0] ?? ''), first);
  assert.equal((await load('small')).requests.size, 0);
});
