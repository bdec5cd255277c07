import { after, describe, type TestContext } from 'node:test';
import { findRedisFault, RedisServer } from '../../../test/support/redis-server.ts';
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

for (const redisPartitions of [1, 3]) {
  describe(`over Redis, with ${redisPartitions} partitions`, { skip: fault ?? false }, () => {
    let server: Promise<RedisServer> | undefined;
    const closings: (() => Promise<void>)[] = [];
    after(async () => {
      for (const close of closings) await close();
    });

    testCluster(async (t: TestContext) => {
      server ??= RedisServer.start({ after: (close) => void closings.push(close as () => Promise<void>) });
      const random = createSystemRandom();
      const cluster = new RedisCluster({
        ...{ clock, random, facts: { version: '1' }, log: { debug() {}, info() {}, warn() {}, error() {} } },
        link: new NodeRedisLink({ url: (await server).url, timeoutMs: 1_000, clock }),
        metrics: { directoryCalled() {}, linkLost() {}, eraChanged() {}, leaseEnded() {} },
        settings: {
          ...{ redisPrefix: randomAlphanumeric(random, 10), redisPartitions },
          ...{ leaseMs: 1_000, leaseMarginMs: 200, renewMs: 20, recoveryMs: 50, redisTimeoutMs: 1_000 },
        },
      });
      t.after(() => cluster.close());
      while (!cluster.isAvailable) await new Promise((resolve) => setTimeout(resolve, 5));
      return cluster;
    });
  });
}
