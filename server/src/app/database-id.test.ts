import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSystemRandom } from '../random.ts';
import { openTestStore } from '../store/test-store.ts';
import { identifyDatabase } from './database-id.ts';

test('a database keeps its name, whoever asks, and each has its own', async (t) => {
  const random = createSystemRandom();
  const [store, other] = [await openTestStore(t), await openTestStore(t)];
  const [first, ...rest] = await Promise.all([1, 2, 3].map(() => identifyDatabase({ store, random })));
  assert.deepEqual([...new Set(rest)], [first]);
  assert.equal(await identifyDatabase({ store, random }), first);
  assert.notEqual(await identifyDatabase({ store: other, random }), first);
});
