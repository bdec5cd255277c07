import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../test/support/manual-clock.ts';
import { createActivityRing, quantileMs } from './activity.ts';
import { createMetrics } from './metrics.ts';

const STAGE = { stageId: 's', gameName: 'Demo', stageName: 'Dev' };

test('each step counts what happened in it, and an hour of them is kept', (t) => {
  const clock = new ManualClock();
  const metrics = createMetrics();
  t.after(() => metrics.close());
  const ring = createActivityRing({ read: () => metrics.totals(), clock });
  const stage = metrics.ofStage(STAGE);
  for (let n = 0; n < 20; n += 1) stage.opened();
  stage.stopped();
  for (let n = 0; n < 10; n += 1) stage.handled('Greet', n === 0 ? 'timeout' : 'ok', 2);
  metrics.disconnected({ durationMs: 1, successes: 3, failures: 1 });
  clock.advance(10_000);
  clock.advance(10_000);
  const [busy, idle] = ring.after(0);
  const { at, p50Ms = 0, p95Ms = 0, ...counts } = busy ?? {};
  assert.deepEqual(counts, { ms: 10_000, connections: 19, opened: 20, messages: 10, failed: 1, disconnected: 3 });
  assert(p50Ms > 1 && p50Ms <= 2.5 && p95Ms > p50Ms && p95Ms <= 2.5, `${p50Ms} ${p95Ms}`);
  assert.deepEqual(idle, {
    ...{ at: (at ?? 0) + 10_000, ms: 10_000, connections: 19, opened: 0, messages: 0, failed: 0, disconnected: 0 },
  });
  assert.deepEqual(ring.after(at ?? 0), [idle]);

  for (let n = 0; n < 500; n += 1) clock.advance(10_000);
  assert.equal(ring.after(0).length, 360);

  // However much a stage that is deleted had counted, what others have done meanwhile is seen.
  metrics.forgetStage(STAGE.stageId);
  metrics.ofStage({ ...STAGE, stageId: 'other' }).handled('Greet', 'internal', 3);
  clock.advance(10_000);
  const { at: _, p50Ms: half, p95Ms: most, ...last } = ring.after(0).at(-1) ?? {};
  assert.deepEqual(last, { ms: 10_000, connections: 0, opened: 0, messages: 1, failed: 1, disconnected: 0 });
  assert.ok(half !== undefined && most !== undefined);
  ring.close();
  clock.advance(20_000);
  assert.equal(ring.after(0).length, 360);
});

test('a quantile is read off the buckets', () => {
  assert.equal(quantileMs([0, 0], 0.5, [1]), undefined);
  assert.equal(quantileMs([10, 0], 0.5, [1]), 500);
  assert.equal(quantileMs([5, 5, 0], 0.95, [1, 2]), 1_900);
  assert.equal(quantileMs([0, 0, 7], 0.5, [1, 2]), 2_000, 'what is beyond all bounds counts as the highest');
});
