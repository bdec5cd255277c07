import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANYBODY, NO_BARS } from '../../../test/support/bars.ts';
import { until } from '../../../test/support/cluster.ts';
import { findRedisFault, RedisServer } from '../../../test/support/redis-server.ts';
import { systemClock } from '../../clock.ts';
import { createSystemRandom } from '../../random.ts';
import { NodeRedisLink } from './node-redis.ts';
import { RedisCluster } from './redis-cluster.ts';

const TIMEOUT_MS = 1_000;
const MINUTE_MS = 60_000;

test('what was announced of a stage is forgotten once nobody can need it', {
  skip: findRedisFault() ?? false,
}, async (t) => {
  const server = await RedisServer.start(t);
  let passedMs = 0;
  const clock = {
    now: () => systemClock.now() + passedMs,
    monotonic: () => systemClock.monotonic() + passedMs,
    after: systemClock.after,
  };
  const cluster = new RedisCluster({
    ...{ clock, random: createSystemRandom(), facts: {}, loadBars: NO_BARS },
    link: new NodeRedisLink({ url: server.url, timeoutMs: TIMEOUT_MS, clock: systemClock }),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    metrics: { directoryCalled() {}, linkLost() {}, eraChanged() {}, leaseEnded() {} },
    settings: {
      ...{ redisPrefix: 'respark', redisPartitions: 1, redisTimeoutMs: TIMEOUT_MS },
      ...{ leaseMs: 24 * 60 * MINUTE_MS, leaseMarginMs: 300, renewMs: 50, recoveryMs: 100 },
    },
  });
  t.after(() => cluster.close());
  await until(() => cluster.isAvailable);
  for (const kind of ['close_stage', 'runtime_deployed'] as const) cluster.answer(kind, () => ({}));
  const register = () =>
    cluster.register(
      { stageId: 'stage-1', playerId: 'alice' },
      { connectionId: 'a', node: cluster.node, createdAt: 1, runtimeId: 'empty' },
      { era: cluster.era(), maxConnectionsPerPlayer: 9, newcomer: ANYBODY },
    );
  const known = () => server.command('HKEYS', `respark:{d0}:${cluster.era()}:stages`).trim().split(/\s+/).sort();

  await cluster.closeStage('stage-1', TIMEOUT_MS);
  await cluster.announceRuntime('stage-2', '01-a', TIMEOUT_MS);
  passedMs += 29 * MINUTE_MS;
  await cluster.announceRuntime('stage-3', '01-a', TIMEOUT_MS);
  assert.deepEqual(known(), ['stage-1', 'stage-2', 'stage-3']);
  assert.equal(await register(), 'stage_closed');
  for (const runtimeId of ['01-b', '01-c', '01-d']) {
    passedMs += 31 * MINUTE_MS;
    await cluster.announceRuntime('stage-3', runtimeId, TIMEOUT_MS);
  }
  assert.deepEqual(known(), ['stage-3']);
});
