import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rest } from '../../../test/support/gateway.ts';
import { Departures } from './departures.ts';
import { Entries } from './entries.ts';
import { PartitionKeys } from './keys.ts';

const ALICE = { stageId: 'stage-1', playerId: 'alice' };

test('while the directory is away, what it was never asked to list is gone at once, and what it may list is waited for', async () => {
  const entries = new Entries();
  const departures = new Departures({
    ...{ node: 'one', keys: new PartitionKeys('respark', 0), entries },
    findJoined: () => undefined,
    refused: () => assert.fail(),
  });
  for (let count = 0; count < 100; count += 1) await departures.unregister(ALICE, [`refused ${count}`], '');
  assert.equal(entries.size, 0);
  const entry = { connectionId: 'unknown', node: 'one', createdAt: 0, runtimeId: 'runtime-1' };
  entries.add({ key: ALICE, entry, state: 'unknown', sentIn: 'era', listedIn: undefined });
  let isGone = false;
  const gone = departures.unregister(ALICE, ['refused', 'unknown'], 'era').then(() => {
    isGone = true;
  });
  await rest();
  assert.deepEqual([isGone, entries.size], [false, 1]);
  const [leaving] = entries.leavings();
  if (leaving !== undefined) entries.left(leaving);
  await gone;
});
