import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRedisFault, RedisServer } from '../../../test/support/redis-server.ts';
import { examineRedisServer, judge } from './examine-server.ts';

const GOOD = {
  info: new Map([
    ['redis_version', '7.0.15'],
    ['role', 'master'],
  ]),
  isDirect: true,
  eviction: 'noeviction',
  minReplicas: '0',
};

test('a primary that evicts nothing is fine', () => {
  assert.deepEqual(judge(GOOD), [{ state: 'ok', detail: 'version 7.0.15, a primary that evicts nothing' }]);
});

for (const [name, change, state, pattern] of [
  ['a proxy', { isDirect: false }, 'fail', /run ids/],
  ['an old version', { info: new Map([['redis_version', '6.0.16']]) }, 'warn', /6\.0\.16/],
  ['Redis Cluster', { info: new Map([...GOOD.info, ['redis_mode', 'cluster']]) }, 'fail', /Redis Cluster/],
  ['a replica', { info: new Map([...GOOD.info, ['role', 'slave']]) }, 'fail', /replica/],
  ['a server that evicts', { eviction: 'allkeys-lru' }, 'fail', /allkeys-lru/],
  ['a server that does not say', { eviction: undefined }, 'warn', /unknown/],
  [
    'replicas that are not waited for',
    { info: new Map([...GOOD.info, ['connected_slaves', '1']]) },
    'warn',
    /min-replicas/,
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
  const [finding] = await examineRedisServer({ url: server.url, timeoutMs: 2_000 });
  assert.equal(finding?.state, 'ok');
  await server.kill();
  await assert.rejects(examineRedisServer({ url: server.url, timeoutMs: 2_000 }), /ECONNREFUSED/);
});
