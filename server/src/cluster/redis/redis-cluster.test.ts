import { after, describe, type TestContext } from 'node:test';
import { NO_BARS } from '../../../test/support/bars.ts';
import { findRedisFault, RedisServer } from '../../../test/support/redis-server.ts';
import { RedisShards } from '../../../test/support/redis-shards.ts';
import { systemClock } from '../../clock.ts';
import { createSystemRandom, randomAlphanumeric } from '../../random.ts';
import { testCluster } from '../cluster.contract.ts';
import { NodeRedisLink } from './node-redis.ts';
import { RedisCluster } from './redis-cluster.ts';

const fault = findRedisFault();

// Unlike the system clock's, these timers keep the process alive until the cluster's time limits have passed.
const clock = {
  ...systemClock,
  after(delayMs: number, task: () => void) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};

for (const { name, redisPartitions, start } of [
  { name: 'a server of Redis', redisPartitions: 1, start: RedisServer.start },
  { name: 'a server of Redis', redisPartitions: 3, start: RedisServer.start },
  { name: 'a Redis Cluster', redisPartitions: 4, start: RedisShards.start },
]) {
  describe(`over ${name}, with ${redisPartitions} partitions`, { skip: fault ?? false }, () => {
    let server: Promise<{ readonly url: string }> | undefined;
    const closings: (() => Promise<void>)[] = [];
    after(async () => {
      for (const close of closings) await close();
    });

    testCluster(async (t: TestContext) => {
      server ??= start({ after: (close) => void closings.push(close as () => Promise<void>) });
      const random = createSystemRandom();
      const cluster = new RedisCluster({
        ...{ clock, random, facts: { version: '1' }, log: { debug() {}, info() {}, warn() {}, error() {} } },
        loadBars: NO_BARS,
        link: new NodeRedisLink({ url: (await server).url, timeoutMs: 1_000, clock }),
        metrics: { directoryCalled() {}, linkLost() {}, eraChanged() {}, leaseEnded() {} },
        settings: {
          ...{ redisPrefix: randomAlphanumeric(random, 10), redisPartitions },
          ...{ leaseMs: 1_000, leaseMarginMs: 200, renewMs: 20, recoveryMs: 50, redisTimeoutMs: 1_000 },
        },
      });
      t.after(() => cluster.close());
      while (!(await isComplete(cluster))) await new Promise((resolve) => setTimeout(resolve, 5));
      return cluster;
    });
  });
}

/** Whether every partition answers: players enough to be in each of them. */
async function isComplete(cluster: RedisCluster): Promise<boolean> {
  if (!cluster.isAvailable) return false;
  const names = Array.from({ length: 20 }, (_, number) => `player-${number}`);
  const looks = names.map((playerId) => cluster.list({ stageId: 'stage-1', playerId }));
  return (await Promise.allSettled(looks)).every(({ status }) => status === 'fulfilled');
}
