import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRedisFault, RedisServer } from '../../../test/support/redis-server.ts';
import { systemClock } from '../../clock.ts';
import { examineRedisServers, judge } from './examine-server.ts';

const GOOD = {
  info: new Map([
    ['redis_version', '7.0.15'],
    ['role', 'master'],
  ]),
  isDirect: true,
  settings: new Map([
    ['maxmemory-policy', 'noeviction'],
    ['min-replicas-to-write', '0'],
    ['min-replicas-max-lag', '10'],
    ['cluster-node-timeout', '15000'],
    ['cluster-require-full-coverage', 'no'],
  ]),
};

const CLUSTERED = new Map([...GOOD.info, ['redis_mode', 'cluster']]);
const setting = (name: string, value: string) => new Map([...GOOD.settings, [name, value]]);

test('a primary that evicts nothing is fine, and one of a Redis Cluster', () => {
  assert.deepEqual(judge(GOOD), [{ state: 'ok', detail: 'version 7.0.15, a primary that evicts nothing' }]);
  assert.deepEqual(
    judge({ ...GOOD, info: CLUSTERED }).map(({ state }) => state),
    ['ok'],
  );
});

for (const [name, change, state, pattern] of [
  ['a proxy', { isDirect: false }, 'fail', /run ids/],
  ['an old version', { info: new Map([['redis_version', '6.0.16']]) }, 'fail', /6\.0\.16/],
  ['a replica', { info: new Map([...GOOD.info, ['role', 'slave']]) }, 'fail', /replica/],
  ['a server that evicts', { settings: setting('maxmemory-policy', 'allkeys-lru') }, 'fail', /allkeys-lru/],
  [
    'a server that evicts what expires',
    { settings: setting('maxmemory-policy', 'volatile-ttl') },
    'warn',
    /volatile-ttl/,
  ],
  [
    'a server that is full',
    { info: new Map([...GOOD.info, ['used_memory', '100'], ['maxmemory', '100']]) },
    'fail',
    /100 of the 100 bytes/,
  ],
  [
    'a server that is nearly full',
    { info: new Map([...GOOD.info, ['used_memory', '95'], ['maxmemory', '100']]) },
    'warn',
    /95 of the 100 bytes/,
  ],
  ['a server that does not say', { settings: new Map() }, 'warn', /unknown/],
  [
    'replicas that are not waited for',
    { info: new Map([...GOOD.info, ['connected_slaves', '1']]) },
    'warn',
    /min-replicas/,
  ],
  [
    'a Redis Cluster that ends with each of its shards',
    { info: CLUSTERED, settings: setting('cluster-require-full-coverage', 'yes') },
    'warn',
    /full-coverage is yes/,
  ],
  [
    'a fail-over before the old primary has stopped',
    {
      info: new Map([...CLUSTERED, ['connected_slaves', '1']]),
      settings: new Map([...setting('cluster-node-timeout', '10000'), ['min-replicas-to-write', '1']]),
    },
    'warn',
    /min-replicas-max-lag \(10 s\) is not below cluster-node-timeout \(10000 ms\)/,
  ],
] as const) {
  test(`${name} is found`, () => {
    const [finding, ...rest] = judge({ ...GOOD, ...change });
    assert.deepEqual([finding?.state, rest.length], [state, 0]);
    assert.match(finding?.detail ?? '', pattern);
    assert.notEqual(finding?.advice, undefined);
  });
}

test('a real server is looked at, and one that is not there is a rejection', {
  skip: findRedisFault() ?? false,
}, async (t) => {
  const server = await RedisServer.start(t);
  const examination = { url: server.url, prefix: 'respark', partitions: 2, timeoutMs: 2_000, clock: systemClock };
  assert.deepEqual(
    (await examineRedisServers(examination)).map(({ state }) => state),
    ['ok'],
  );
  server.command('ACL', 'SETUSER', 'default', '-eval');
  const [refused] = await examineRedisServers(examination);
  assert.equal(refused?.state, 'fail');
  assert.match(refused.detail, /^it runs no script: NOPERM/);
  server.command('ACL', 'SETUSER', 'default', '+eval');
  server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  assert.match((await examineRedisServers(examination))[0]?.detail ?? '', /^maxmemory-policy is allkeys-lru/);
  await server.kill();
  await assert.rejects(examineRedisServers(examination), /ECONNREFUSED/);
});
