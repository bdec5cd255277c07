import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { ANYBODY, NO_BARS } from '../../../test/support/bars.ts';
import { until } from '../../../test/support/cluster.ts';
import { findRedisFault, RedisServer } from '../../../test/support/redis-server.ts';
import { systemClock } from '../../clock.ts';
import { createSystemRandom } from '../../random.ts';
import { DirectoryUnavailable, type Lease } from '../cluster.ts';
import { examineRedisServers } from './examine-server.ts';
import type { RedisLink, RedisSession } from './link.ts';
import { NodeRedisLink } from './node-redis.ts';
import { RedisCluster } from './redis-cluster.ts';

const ALICE = { stageId: 'stage-1', playerId: 'alice' };
const TIMEOUT_MS = 1_000;
const LASTING = { version: 1, until: undefined, signedInBefore: undefined, note: '' };

// Unlike the system clock's, these timers keep the process alive until the cluster's time limits have passed.
const clock = {
  ...systemClock,
  after(delayMs: number, task: () => void) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};

describe('nodes that share a Redis', { skip: findRedisFault() ?? false }, () => {
  test('a request reaches the node that it names, and its reply or its failure comes back', async (t) => {
    const { one, other } = await open(t);
    other.answer('disconnect', ({ connectionIds }) => ({ closedIds: connectionIds }));
    const request = { player: ALICE, connectionIds: ['a'], requestId: 'r' };
    assert.deepEqual(await one.request(other.node, 'disconnect', request, TIMEOUT_MS), { closedIds: ['a'] });
    other.answer('probe', () => {
      throw new Error('the handler failed');
    });
    const probe = { player: ALICE, connectionIds: ['a'] };
    await assert.rejects(async () => await one.request(other.node, 'probe', probe, TIMEOUT_MS), /the handler failed/);
    const startedAt = performance.now();
    await assert.rejects(async () => await one.request('nobody', 'probe', probe, 60_000), /not listening/);
    assert(performance.now() - startedAt < 10_000, 'nobody is listening: a failure at once');
  });

  test('what anybody else publishes on a node’s channel does no harm', async (t) => {
    const { one, other, server } = await open(t);
    for (const text of ['', '{', 'null', '7', '{"id":1}'])
      server.command('SPUBLISH', `respark:{d0}:node:${other.node}`, text);
    other.answer('disconnect', ({ connectionIds }) => ({ closedIds: connectionIds }));
    const request = { player: ALICE, connectionIds: ['a'], requestId: 'r' };
    assert.deepEqual(await one.request(other.node, 'disconnect', request, TIMEOUT_MS), { closedIds: ['a'] });
  });

  test('a user needs no more rights than those in the guide to deploying', async (t) => {
    const guide = readFileSync(new URL('../../../../../docs/deploying.md', import.meta.url), 'utf8');
    const [, rule = ''] = /^ACL SETUSER respark on >PASSWORD (.+)$/m.exec(guide) ?? [];
    const { server, one } = await open(t);
    server.command('ACL', 'SETUSER', 'respark', 'on', '>secret', ...rule.split(' '));
    const url = server.url.replace('redis://', 'redis://respark:secret@');
    const limited = await join(t, new NodeRedisLink({ url, timeoutMs: TIMEOUT_MS, clock }));
    limited.answer('disconnect', async ({ player, connectionIds }) => {
      await limited.unregister(player, connectionIds);
      return { closedIds: connectionIds };
    });
    await register(limited, 'a');
    assert.equal((await limited.listStage('stage-1', { limit: 9 })).players.length, 1);
    assert.equal((await limited.countStage('stage-1')).players, 1);
    const request = { player: ALICE, connectionIds: ['a'], requestId: 'r' };
    assert.deepEqual(await one.request(limited.node, 'disconnect', request, TIMEOUT_MS), { closedIds: ['a'] });
    const gone = await join(t, new NodeRedisLink({ url, timeoutMs: TIMEOUT_MS, clock }));
    await register(gone, 'b');
    await gone.close();
    await until(async () => (await listed(limited)).length === 0);
    const examination = { url, prefix: 'respark', partitions: 1, timeoutMs: TIMEOUT_MS, clock };
    assert.deepEqual(
      (await examineRedisServers(examination)).map(({ state }) => state),
      ['ok'],
    );
    assert.match(server.command('ACL', 'LOG'), /^$/);
  });

  test('a stage is closed at all nodes, and a new runtime is announced to all', async (t) => {
    const { one, other } = await open(t);
    const seen: string[] = [];
    for (const [name, cluster] of [['one', one] as const, ['other', other] as const]) {
      cluster.answer('close_stage', ({ stageId }) => {
        seen.push(`${name} closes ${stageId}`);
        return {};
      });
      cluster.answer('runtime_deployed', ({ runtimeId }) => {
        seen.push(`${name} hears of ${runtimeId}`);
        return {};
      });
    }
    await one.announceRuntime('stage-1', '01-a', TIMEOUT_MS);
    await other.closeStage('stage-2', TIMEOUT_MS);
    assert.deepEqual(seen.sort(), [
      ...['one closes stage-2', 'one hears of 01-a', 'other closes stage-2', 'other hears of 01-a'],
    ]);
    assert.equal(await register(one, 'a'), 'runtime_changed');
  });

  test('a node removes only its own entries, and an entry of a node that has left is not listed', async (t) => {
    const { one, other, server } = await open(t);
    await register(one, 'a');
    await register(other, 'b');
    await one.unregister(ALICE, ['a', 'b']);
    assert.deepEqual(await listed(one), ['b']);
    await other.close();
    await until(async () => (await listed(one)).length === 0);
    assert.equal(one.isProvenDead(other.node), true);
    assert.equal(await one.isAlive(other.node), false);
    await until(() => !server.command('KEYS', '*').includes('alice'));
  });

  test('connections of a player that go in the same turn are unlisted in one step', async (t) => {
    const server = await RedisServer.start(t);
    const real = new NodeRedisLink({ url: server.url, timeoutMs: TIMEOUT_MS, clock });
    const run: string[] = [];
    const link: RedisLink = {
      subscribe: (channel, events) => real.subscribe(channel, events),
      async connect(key, closed) {
        const session = await real.connect(key, closed);
        return {
          ...session,
          run(script, keys, parameters) {
            run.push(script.name);
            return session.run(script, keys, parameters);
          },
        };
      },
    };
    const one = await join(t, link);
    for (const id of ['a', 'b', 'c', 'd']) await register(one, id);
    await register(one, 'e', 'bob');
    const bob = { ...ALICE, playerId: 'bob' };
    await Promise.all([...['a', 'b', 'c'].map((id) => one.unregister(ALICE, [id])), one.unregister(bob, ['e'])]);
    assert.equal(run.filter((name) => name === 'unregister').length, 2, 'one for each player');
    assert.deepEqual(await listed(one), ['d']);
    assert.deepEqual((await one.list(bob)).entries, []);
  });

  test('a listing says which owners have ended, also when their entries are gone', async (t) => {
    const { one, other } = await open(t);
    await register(one, 'a');
    await register(other, 'b');
    const { node } = other;
    const owners = [node, one.node, 'nobody'];
    assert.deepEqual((await one.list(ALICE, owners)).endedOwners, []);
    await other.close();
    // The script knows at once what this node finds out at its next renewal.
    assert.deepEqual((await one.list(ALICE, owners)).endedOwners, [node]);
    await until(async () => (await listed(one)).length === 1);
    assert.deepEqual((await one.list(ALICE, owners)).endedOwners, [node]);
    assert.deepEqual((await one.list(ALICE)).endedOwners, []);
  });

  test('a node that is declared dead ends its lease, and goes on as another', async (t) => {
    const { one, other, server } = await open(t);
    await register(other, 'b');
    const ended: Lease[] = [];
    const { lease, node } = other;
    other.onLeaseEnd((over) => ended.push(over));
    const [links = ''] = server.command('--scan', '--pattern', '*:links').split('\n');
    server.command('HSET', links, node, 'dead');
    await until(() => ended.length > 0);
    assert.deepEqual(ended, [lease]);
    assert.equal(lease.mayAct(), false);
    await until(() => other.isAvailable);
    assert.notEqual(other.node, node);
    await until(async () => (await listed(one)).length === 0);
  });

  test('what an old connection still brings after a new one has joined is refused', async (t) => {
    const server = await RedisServer.start(t);
    const sessions: RedisSession[] = [];
    const real = new NodeRedisLink({ url: server.url, timeoutMs: TIMEOUT_MS, clock });
    // Connections that are given up stay open here, as when Redis has not heard of their end.
    const link: RedisLink = {
      subscribe: (channel, events) => real.subscribe(channel, events),
      async connect(key) {
        const session = await real.connect(key, () => {});
        sessions.push(session);
        return { ...session, close: () => {} };
      },
    };
    t.after(() => {
      for (const session of sessions) session.close();
    });
    const one = await join(t, link);
    await register(one, 'a');
    const scripts = await import('./scripts.ts');
    const [first] = sessions as [RedisSession];
    const base = `respark:{d0}:${one.era()}`;
    const unregister = () =>
      first.run(
        scripts.UNREGISTER,
        ['respark:{d0}:era', `${base}:links`, `${base}:c:stage-1:alice`, `${base}:i:${one.node}`],
        [one.era(), one.node, '1', 'stage-1:alice', 'a'],
      );
    server.command('HSET', `${base}:links`, one.node, '0');
    await until(() => sessions.length > 1 && one.isAvailable);
    assert.deepEqual(await unregister(), ['link_replaced']);
    assert.deepEqual(await listed(one), ['a']);
  });

  test('a stage lists and counts the players of all nodes, and those of a node that has left no longer', async (t) => {
    const { one, other, server } = await open(t);
    await register(one, 'a');
    await register(other, 'b');
    await register(other, 'c', 'bob');
    const idsIn = async () => {
      const { players } = await one.listStage('stage-1', { limit: 9 });
      return players.map(({ playerId, entries }) => [
        playerId,
        ...entries.map(({ connectionId }) => connectionId).sort(),
      ]);
    };
    assert.deepEqual(await idsIn(), [
      ['alice', 'a', 'b'],
      ['bob', 'c'],
    ]);
    const counts = await other.countStage('stage-1');
    const byNode = new Map(counts.groups.map(({ node, connections }) => [node, connections]));
    assert.equal(counts.players, 2);
    assert.deepEqual([byNode.size, byNode.get(one.node), byNode.get(other.node)], [2, 1, 2]);
    await other.close();
    await until(async () => (await one.countStage('stage-1')).players === 1);
    assert.deepEqual(await idsIn(), [['alice', 'a']]);
    const { groups } = await one.countStage('stage-1');
    assert.deepEqual(groups, [{ node: one.node, runtimeId: 'empty', connections: 1 }]);
    await one.unregister(ALICE, ['a']);
    assert.doesNotMatch(server.command('KEYS', '*'), /:[sn]:stage-1/);
  });

  test('a stage is neither listed nor counted while a node of an earlier version is there', async (t) => {
    const { one, server } = await open(t);
    const base = `respark:{d0}:${one.era()}`;
    // Such a node registers its players, and removes none from the list of the stage.
    server.command('HSET', `${base}:nodes`, 'old', '1');
    server.command('HSET', `${base}:links`, 'old', '1');
    server.command('ZADD', `${base}:s:stage-1`, '0', 'gone');
    await register(one, 'a');
    await assert.rejects(async () => await one.listStage('stage-1', { limit: 9 }), /earlier version/);
    await assert.rejects(async () => await one.countStage('stage-1'), /earlier version/);
    assert.deepEqual(await listed(one), ['a']);
    server.command('HDEL', `${base}:nodes`, 'old');
    const { players } = await one.listStage('stage-1', { limit: 9 });
    assert.deepEqual(
      players.map(({ playerId }) => playerId),
      ['alice'],
    );
    assert.equal((await one.countStage('stage-1')).players, 1);
  });

  test('nobody is left out of what goes to all nodes while the directory recovers', async (t) => {
    const server = await RedisServer.start(t);
    const real = () => new NodeRedisLink({ url: server.url, timeoutMs: TIMEOUT_MS, clock });
    let isCut = false;
    const link = real();
    // A node that has lost its way to Redis may act until its lease ends.
    const cut: RedisLink = {
      subscribe: (channel, events) => link.subscribe(channel, events),
      async connect(key, closed) {
        if (isCut) throw new Error('the network is down');
        return await link.connect(key, closed);
      },
    };
    const one = await join(t, real(), { recoveryMs: 2_500 });
    const other = await join(t, cut, { recoveryMs: 2_500 });
    const idsOf = async () => (await one.nodes()).map(({ node }) => node).sort();
    assert.deepEqual(await idsOf(), [one.node, other.node].sort());
    one.answer('close_stage', () => ({}));
    one.answer('runtimes_in_use', () => ({ runtimeIds: [] }));
    const [former, { lease }] = [one.era(), other];
    isCut = true;
    // As after a restart without memory.
    server.command('FLUSHALL');
    await until(() => one.era() !== former && one.lease.mayAct());
    assert.equal(lease.mayAct(), true);
    await assert.rejects(idsOf, DirectoryUnavailable);
    assert.deepEqual(
      (await one.joinedNodes()).map(({ node }) => node),
      [one.node],
    );
    await assert.rejects(one.requestAll('runtimes_in_use', { stageId: 'stage-1' }, TIMEOUT_MS), DirectoryUnavailable);
    await assert.rejects(one.closeStage('stage-1', TIMEOUT_MS), DirectoryUnavailable);
    assert.equal(await one.isAlive(lease.node), true);
    await until(() => one.isAvailable);
    assert.equal(lease.mayAct(), false);
    assert.deepEqual(await idsOf(), [one.node]);
    await one.closeStage('stage-1', TIMEOUT_MS);
  });

  test('a node whose clock is set forward by mistake has the directory forget no bar', async (t) => {
    const server = await RedisServer.start(t);
    let aheadMs = 0;
    const wrong = { ...clock, now: () => clock.now() + aheadMs };
    const link = new NodeRedisLink({ url: server.url, timeoutMs: TIMEOUT_MS, clock });
    const one = await join(t, link, { clock: wrong });
    const until = clock.now() + 600_000;
    const set = async (name: string) => {
      const standing = { era: one.era(), node: one.node };
      await one.setBar({ name, player: ALICE }, { version: 1, until, signedInBefore: undefined, note: '' }, standing);
    };
    await set('block');
    aheadMs = 86_400_000;
    for (const name of ['another', 'third']) await set(name);
    aheadMs = 0;
    const newcomer = { barNames: ['block'], at: clock.now(), signedInAt: 0 };
    assert.equal((await one.findBar(ALICE, newcomer))?.barName, 'block');
  });

  test('the keys of a former era are removed', async (t) => {
    const { one, server } = await open(t);
    await register(one, 'a');
    const former = one.era();
    // As after a restart from a snapshot, which brings the keys of an era back.
    server.command('SADD', 'respark:{d0}:former', former);
    server.command('SET', 'respark:{d0}:era', 'another-era');
    await until(() => one.era() !== former && one.isAvailable);
    assert.deepEqual(await listed(one), ['a']);
    assert.equal((await one.listStage('stage-1', { limit: 9 })).players.length, 1);
    assert.equal((await one.countStage('stage-1')).players, 1);
    await until(() => !server.command('KEYS', '*').includes(former));
    assert(!server.command('SMEMBERS', 'respark:{d0}:former').includes(former));
  });
});

describe('a Redis that knows what another database says', { skip: findRedisFault() ?? false }, () => {
  test('forgets it when a node starts on the other one, and lists again who is connected', async (t) => {
    const { server, one, other } = await open(t);
    const start = (databaseLineage: string) =>
      join(t, new NodeRedisLink({ url: server.url, timeoutMs: TIMEOUT_MS, clock }), { databaseLineage });
    await register(one, 'a');
    await other.close();
    const first = await start('1 2 3');
    for (const node of [one, first]) {
      for (const kind of ['close_stage', 'runtime_deployed'] as const) node.answer(kind, () => ({}));
    }
    await first.announceRuntime('stage-1', '01-a', TIMEOUT_MS);
    await first.closeStage('stage-2', TIMEOUT_MS);
    await first.setBar({ name: 'b' }, LASTING, { era: first.era(), node: first.node });
    const again = await start('1 2 3');
    assert.equal(again.era(), first.era(), 'the same database');
    assert.equal(await register(again, 'b'), 'runtime_changed');

    const former = again.era();
    const restored = await start('1 2 4');
    assert.notEqual(restored.era(), former);
    await until(() => [one, first, again].every((node) => node.isAvailable && node.era() === restored.era()));
    assert.equal(await register(restored, 'c'), undefined);
    assert.equal(await restored.findBar(ALICE, { ...ANYBODY, barNames: ['b'] }), undefined);
    assert.deepEqual((await listed(restored)).sort(), ['a', 'c']);
    const current = first.era();
    server.command('CLIENT', 'KILL', 'TYPE', 'normal');
    await until(() => first.isAvailable && restored.isAvailable);
    assert.equal(first.era(), current, 'a node that has only lost its connection ends no era');
  });
});

function register(cluster: RedisCluster, connectionId: string, playerId = ALICE.playerId) {
  const entry = { connectionId, node: cluster.node, createdAt: 1, runtimeId: 'empty' };
  return cluster.register({ ...ALICE, playerId }, entry, {
    era: cluster.era(),
    maxConnectionsPerPlayer: 9,
    newcomer: ANYBODY,
  });
}

async function listed(cluster: RedisCluster): Promise<string[]> {
  return (await cluster.list(ALICE)).entries.map(({ connectionId }) => connectionId);
}

async function open(t: TestContext) {
  const server = await RedisServer.start(t);
  const link = () => new NodeRedisLink({ url: server.url, timeoutMs: TIMEOUT_MS, clock });
  return { server, one: await join(t, link()), other: await join(t, link()) };
}

async function join(
  t: TestContext,
  link: RedisLink,
  { recoveryMs = 100, clock: ownClock = clock, databaseLineage = '' } = {},
): Promise<RedisCluster> {
  const cluster = new RedisCluster({
    ...{ clock: ownClock, random: createSystemRandom(), facts: {}, link, loadBars: NO_BARS },
    ...(databaseLineage !== '' && { databaseLineage }),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    metrics: { directoryCalled() {}, linkLost() {}, eraChanged() {}, leaseEnded() {} },
    settings: {
      ...{ redisPrefix: 'respark', redisPartitions: 1, redisTimeoutMs: TIMEOUT_MS },
      ...{ leaseMs: 2_000, leaseMarginMs: 300, renewMs: 50, recoveryMs },
    },
  });
  t.after(() => cluster.close());
  await until(() => cluster.isAvailable);
  return cluster;
}
