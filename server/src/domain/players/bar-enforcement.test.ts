import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { sampleGame } from '../../store/store-samples.ts';
import { openTestStore } from '../../store/test-store.ts';
import { createBarEnforcement } from './bar-enforcement.ts';

const NOW = 1_700_000_000_000;
const ZOO = sampleGame('Zoo');
const ENDED = 1_250;

test('bars that have ended are removed as fast as one key may set them, with turns for others in between', async (t) => {
  const clock = new ManualClock(NOW);
  const store = await openTestStore(t);
  await store.games.insert(ZOO);
  for (let index = 0; index < ENDED; index += 1) {
    const name = `block ${index}`;
    const { version } = await store.bars.set({
      ...{ name, kind: 'block', gameId: ZOO.id, stageId: undefined, playerId: name, until: NOW + 1 },
      ...{ signedInBefore: undefined, endsConnections: true, reason: '', messages: {}, evidence: '', actor: 'a' },
      ...{ requestId: name, createdAt: NOW },
    });
    await store.bars.markEnforced(name, version);
  }
  const enforcement = createBarEnforcement({
    ...{ store, clock, log: recordedLog().log, settings: { disconnectDeadlineMs: 1_000 } },
    cluster: { era: () => undefined, node: 'a' } as unknown as Cluster,
    disconnect: () => assert.fail('nobody is to be disconnected'),
  });
  clock.advance(2 * 3_600_000);
  enforcement.start();
  const left = () => store.bars.count({ kind: 'block', gameId: ZOO.id });
  assert.equal(await left(), ENDED);
  clock.advance(10_000);
  let steps = 0;
  for (; (await left()) > 0 && steps < 100; steps += 1) clock.advance(20);
  assert.equal(await left(), 0);
  assert.ok(steps > 10, 'not all at once');
  await enforcement.close();
});
