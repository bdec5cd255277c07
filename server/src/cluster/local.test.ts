import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { systemClock } from '../clock.ts';
import { createSystemRandom } from '../random.ts';
import { testCluster } from './cluster.contract.ts';
import { LocalCluster } from './local.ts';

testCluster(async (t) => {
  // Unlike the system clock's, these timers keep the process alive until the cluster's time limit has passed.
  const after = (delayMs: number, task: () => void) => {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  };
  const cluster = new LocalCluster({ clock: { ...systemClock, after }, random: createSystemRandom() });
  t.after(() => cluster.close());
  return cluster;
});

test('a closed stage is forgotten only when no handshake that found it open can still be under way', async () => {
  const clock = new ManualClock();
  const cluster = new LocalCluster({ clock, random: createSystemRandom() });
  cluster.answer('close_stage', async () => ({}));
  const register = (stageId: string) =>
    cluster.register(
      { stageId, playerId: 'alice' },
      { connectionId: stageId, node: cluster.node, createdAt: clock.now(), runtimeId: 'empty' },
      { era: cluster.era(), maxConnectionsPerPlayer: 1 },
    );
  await cluster.closeStage('first', 1_000);
  clock.advance(9 * 60_000);
  await cluster.closeStage('second', 1_000);
  assert.equal(await register('first'), 'stage_closed');
  clock.advance(2 * 60_000);
  await cluster.closeStage('third', 1_000);
  assert.equal(await register('first'), undefined);
  assert.equal(await register('second'), 'stage_closed');
});
