import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANYBODY } from '../../test/support/bars.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { systemClock } from '../clock.ts';
import { createSystemRandom } from '../random.ts';
import { testCluster } from './cluster.contract.ts';
import { LocalCluster } from './local.ts';
import { LocalBars } from './local-bars.ts';

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
      { era: cluster.era(), maxConnectionsPerPlayer: 1, newcomer: ANYBODY },
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

test('bars are loaded page by page, and what has ended is forgotten as others come', async () => {
  const clock = new ManualClock();
  const bars = new LocalBars({ clock });
  const cluster = new LocalCluster({ clock, random: createSystemRandom() });
  const holding = { version: 1, until: undefined, signedInBefore: undefined, note: '' };
  const pages: (string | undefined)[] = [];
  await cluster.loadBars(async (after) => {
    pages.push(after);
    return {
      bars: [{ target: { name: after ?? 'first' }, bar: holding }],
      next: after === undefined ? 'last' : undefined,
    };
  });
  assert.deepEqual(pages, [undefined, 'last']);
  for (const name of ['first', 'last']) {
    const player = { stageId: 's', playerId: 'p' };
    assert.equal(cluster.findBar(player, { ...ANYBODY, barNames: [name] })?.barName, name);
  }
  for (let number = 0; number < 1_000; number += 1) {
    bars.set(`bar ${number}`, { ...holding, until: clock.now() + 1_000 });
    bars.lift(`lifted ${number}`, 1);
    clock.advance(60_000);
  }
  assert(bars.size < 200, `${bars.size} are left`);
});

test('a bar is there again when a clock that was set forward by mistake is set back', () => {
  const clock = new ManualClock();
  let aheadMs = 0;
  const { after } = clock;
  const bars = new LocalBars({
    clock: { now: () => clock.now() + aheadMs, monotonic: () => clock.monotonic(), after },
  });
  const bar = { version: 1, until: clock.now() + 600_000, signedInBefore: undefined, note: '' };
  bars.set('block', bar);
  aheadMs = 24 * 3_600_000;
  for (let number = 0; number < 10; number += 1) {
    bars.set(`other ${number}`, { ...bar, until: undefined });
    clock.advance(1_000);
  }
  aheadMs = 0;
  assert.equal(bars.find({ ...ANYBODY, barNames: ['block'], at: clock.now() })?.barName, 'block');
});
