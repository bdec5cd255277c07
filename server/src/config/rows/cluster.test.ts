import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from '../../../test/support/faults-of.ts';
import { loadSettings } from '../config.ts';

const CLUSTER = {
  RESPARK_REDIS_URL: 'rediss://respark:password@redis.example:6380',
  RESPARK_DATABASE_URL: 'postgres://respark:password@db.example/respark',
  RESPARK_SECRET_KEY: Buffer.alloc(32, 'respark').toString('base64'),
  RESPARK_PUBLIC_URL: 'https://respark.example',
};

test('a cluster is chosen by the URL of its Redis, which is never shown', () => {
  assert.equal(loadSettings({ env: {} }).redisUrl, undefined);
  assert.equal(loadSettings({ env: CLUSTER }).redisUrl, CLUSTER.RESPARK_REDIS_URL);
  const faults = faultsOf({ ...CLUSTER, RESPARK_REDIS_URL: 'http://:password@redis' });
  assert.match(faults.join(), /RESPARK_REDIS_URL must be a URL such as redis:/);
  assert.doesNotMatch(faults.join(), /:password@redis/);
});

for (const [name, env, pattern] of [
  [
    'a database that all nodes share',
    { RESPARK_DATABASE_URL: '' },
    /RESPARK_REDIS_URL is set without RESPARK_DATABASE_URL, so each node would keep games, keys and players of its own/,
  ],
  ['a key that all nodes have', { RESPARK_SECRET_KEY: '' }, /without RESPARK_SECRET_KEY/],
  ['a public URL', { RESPARK_PUBLIC_URL: '' }, /without RESPARK_PUBLIC_URL/],
  [
    'time to list all connections again',
    { RESPARK_RECOVERY_MS: '29999' },
    /RESPARK_LEASE_MS \(30000\) must be at most/,
  ],
  ['room for two renewals that fail', { RESPARK_RENEW_MS: '10001' }, /RESPARK_RENEW_MS \(10001\) must be at most 1\/3/],
  ['room for a Redis that is slow', { RESPARK_REDIS_TIMEOUT_MS: '10001' }, /RESPARK_REDIS_TIMEOUT_MS \(10001\)/],
  ['a lease that is longer than its margin', { RESPARK_LEASE_MARGIN_MS: '7501' }, /RESPARK_LEASE_MARGIN_MS \(7501\)/],
] as const) {
  test(`a cluster needs ${name}`, () => {
    assert.match(faultsOf({ ...CLUSTER, ...env }).join(), pattern);
  });
}

for (const env of [
  { RESPARK_NODE_ROLE: 'gateway' },
  { RESPARK_LEASE_MS: '40000', RESPARK_RECOVERY_MS: '40000' },
  { RESPARK_REDIS_PARTITIONS: '2' },
  { RESPARK_REDIS_PREFIX: 'other' },
]) {
  test(`a single node is not given ${Object.keys(env).join(' and ')}`, () => {
    assert.deepEqual(
      faultsOf(env),
      Object.entries(env).map(
        ([name, value]) =>
          `${name} is ${value} without RESPARK_REDIS_URL, and means nothing there; set RESPARK_REDIS_URL, or leave ${name} out`,
      ),
    );
    assert.deepEqual(faultsOf({ ...CLUSTER, ...env }), []);
  });
}

test('Sentinels are named beside the name of the primary, and several servers are separated by commas', () => {
  const sentinels = 'redis://s1:26379,redis://:pass,word@s2:26379';
  const env = { ...CLUSTER, RESPARK_REDIS_URL: 'redis://primary', RESPARK_REDIS_SENTINEL_URL: sentinels };
  assert.equal(loadSettings({ env }).redisSentinelUrl, sentinels);
  assert.match(
    faultsOf({ RESPARK_REDIS_SENTINEL_URL: sentinels }).join(),
    /RESPARK_REDIS_SENTINEL_URL is set without RESPARK_REDIS_URL/,
  );
});
