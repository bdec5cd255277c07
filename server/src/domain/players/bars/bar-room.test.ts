import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../../test/support/manual-clock.ts';
import { ServiceError } from '../../../errors.ts';
import { sampleGame } from '../../../store/store-samples.ts';
import { openTestStore } from '../../../store/test-store.ts';
import { createBarRoom } from './bar-room.ts';

const NOW = 1_700_000_000_000;
const ZOO = sampleGame('Zoo');
const isFull = (error: unknown) => error instanceof ServiceError && error.code === 'quota_exceeded';

test('of 3,000 blocks at once as many are set as a game may have, which is counted a few times', async (t) => {
  const max = 500;
  const clock = new ManualClock(NOW);
  const store = await openTestStore(t);
  await store.games.insert(ZOO);
  let counted = 0;
  const bars = {
    ...store.bars,
    async count(scope: Parameters<typeof store.bars.count>[0]) {
      counted += 1;
      return await store.bars.count(scope);
    },
  };
  const room = createBarRoom({ store: { bars }, clock, settings: { maxBlocksPerGame: max } });
  const block = async (name: string) => {
    const isSet = await room.take({ kind: 'block', name, gameId: ZOO.id });
    const { version } = await store.bars
      .set({
        ...{ name, kind: 'block', gameId: ZOO.id, stageId: undefined, playerId: name, until: NOW + 5_000 },
        ...{ signedInBefore: undefined, endsConnections: true, reason: '', messages: {}, evidence: '', actor: 'a' },
        ...{ requestId: name, createdAt: NOW },
      })
      .finally(isSet);
    await store.bars.markEnforced(name, version);
  };
  const names = Array.from({ length: 3_000 }, (_, index) => `player ${index}`);
  const done = await Promise.allSettled(names.map(block));
  const refused = done.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  assert.ok(refused.length > 0 && refused.every(isFull));
  const kept = await store.bars.count({ kind: 'block', gameId: ZOO.id });
  assert.ok(kept <= max && kept > 0.95 * max, `${kept} of ${max}`);
  assert.ok(counted < 300, `counted ${counted} times`);

  for (clock.advance(1_000); (await store.bars.count({ kind: 'block', gameId: ZOO.id })) < max; ) {
    await block(`late ${counted}`);
  }
  await assert.rejects(block('another'), isFull);
  const before = counted;
  for (let round = 0; round < 50; round += 1) await assert.rejects(block('another'), isFull);
  assert.equal(counted, before, 'what is full is not counted again at once');
  await block('player 0');
  await room.take({ kind: 'revocation', name: 'revoked', gameId: ZOO.id });
  clock.advance(6_000);
  await block('when the others have ended');
});
