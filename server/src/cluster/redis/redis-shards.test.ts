import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { ANYBODY, NO_BARS } from '../../../test/support/bars.ts';
import { until } from '../../../test/support/cluster.ts';
import { findRedisFault, RedisServer } from '../../../test/support/redis-server.ts';
import { RedisShards } from '../../../test/support/redis-shards.ts';
import { systemClock } from '../../clock.ts';
import type { PlayerKey } from '../../player-key.ts';
import { createSystemRandom } from '../../random.ts';
import { DirectoryUnavailable } from '../cluster.ts';
import { examineRedisServers } from './examine-server.ts';
import { partitionOf } from './keys.ts';
import { NodeRedisLink } from './node-redis.ts';
import { RedisCluster } from './redis-cluster.ts';
import type { RedisPlace } from './servers.ts';

const PARTITIONS = 4;
// Long enough for servers and nodes that share two busy processors with other tests.
const TIMEOUT_MS = 3_000;
const SYNC_AT_ONCE = ['--repl-diskless-sync-delay', '0'];

// Unlike the system clock's, these timers keep the process alive until the cluster's time limits have passed.
const clock = {
  ...systemClock,
  after(delayMs: number, task: () => void) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};

/** One player in each partition. */
const PLAYERS = Array.from({ length: PARTITIONS }, (_, partition) => {
  const keys = Array.from({ length: 100 }, (_, number) => ({ stageId: 'stage-1', playerId: `player-${number}` }));
  const found = keys.find((key) => partitionOf(key, PARTITIONS) === partition);
  assert(found !== undefined);
  return found;
});

describe('nodes that share a Redis Cluster', { skip: findRedisFault() ?? false }, () => {
  test('each partition is on the server that has its slot, and nowhere else', async (t) => {
    const { shards, one, other } = await open(t);
    for (const player of PLAYERS) await register(one, player);
    for (const [number, player] of PLAYERS.entries()) {
      const holders = shards.servers.filter((server) => server.command('KEYS', '*').includes(`:${player.playerId}`));
      assert.deepEqual(holders, [shards.ownerOf(`{d${number}}`)]);
      assert.deepEqual(await disconnect(other, one, player), ['a']);
    }
    const used = new Set(PLAYERS.map((_, number) => shards.ownerOf(`{d${number}}`)));
    assert.equal(used.size, 3);
  });

  test('while a shard is away, only the players that it lists are, until the lease ends', async (t) => {
    const { shards, one, other } = await open(t);
    const { lease } = one;
    for (const player of PLAYERS) await register(one, player);
    const lost = shards.ownerOf('{d0}');
    const isLost = (_: unknown, number: number) => shards.ownerOf(`{d${number}}`) === lost;
    const [away, there] = [PLAYERS.filter(isLost), PLAYERS.filter((player, number) => !isLost(player, number))];
    await lost.kill();
    for (const player of there) assert.deepEqual(await disconnect(other, one, player), ['a']);
    await until(async () => await fails(other, away[0]));
    for (const player of there) {
      await register(one, player, 'b');
      assert.deepEqual(await disconnect(other, one, player), ['b']);
    }
    assert.equal(one.isAvailable && lease.mayAct(), true, 'the node still serves the others');
    await assert.rejects(one.closeStage('another', TIMEOUT_MS), DirectoryUnavailable);
    // One lease covers all partitions: other nodes may have taken this one for dead in the one that is away.
    await until(() => !lease.mayAct());
    assert.equal(one.isAvailable, false);
    for (const player of PLAYERS) assert.equal(await fails(one, player), true);
    await lost.start();
    await until(async () => await isComplete(one, other));
    for (const player of PLAYERS) {
      assert.deepEqual(await listed(other, player), [], 'what ended with the lease is not listed');
      await register(one, player, 'c');
      assert.deepEqual(await disconnect(other, one, player), ['c']);
    }
  });

  test('a partition that moves to another server begins a new era there, with all its entries', async (t) => {
    const { shards, one, other } = await open(t);
    for (const player of PLAYERS) await register(one, player);
    const [moved, ...rest] = PLAYERS as [PlayerKey, ...PlayerKey[]];
    const eras = one.era().split(' ');
    const source = shards.ownerOf('{d0}');
    const target = shards.servers.find((server) => server !== source);
    assert(target !== undefined);
    shards.move('{d0}', target);
    await until(() => [one, other].every((node) => node.era().split(' ')[0] !== eras[0]));
    await until(async () => await isComplete(one, other));
    assert.deepEqual(one.era().split(' ').slice(1), eras.slice(1), 'the other partitions go on as they were');
    assert.match(target.command('KEYS', '*'), /\{d0\}.*:c:/);
    assert.equal(source.command('KEYS', '*{d0}*'), '');
    for (const player of [moved, ...rest]) {
      assert.deepEqual(await listed(other, player), ['a']);
      assert.deepEqual(await disconnect(other, one, player), ['a']);
    }
  });

  test('when a primary stops, its replica begins a new era, and players stay, also when it comes back', async (t) => {
    const shards = await RedisShards.start(t);
    const lost = shards.ownerOf('{d0}');
    const replica = await shards.addReplica(lost);
    const [one, other] = await join(t, replica, { leaseMs: 30_000 });
    const { lease } = one;
    for (const player of PLAYERS) {
      await register(one, player, 'z');
      assert.deepEqual(await disconnect(other, one, player), ['z'], 'a replica leads to its primary');
      await register(one, player);
    }
    const [former] = one.era().split(' ');
    lost.pause();
    await until(() => [one, other].every((node) => node.era().split(' ')[0] !== former));
    await until(async () => await isComplete(one, other));
    assert.equal(one.lease, lease);
    assert.match(replica.command('KEYS', '*'), /\{d0\}.*:c:/);
    for (const player of PLAYERS) {
      assert.deepEqual(await disconnect(other, one, player), ['a']);
      await register(one, player, 'b');
    }
    const eras = one.era();
    lost.resume();
    await until(() => lost.command('INFO', 'replication').includes('role:slave'));
    for (const player of PLAYERS) assert.deepEqual(await disconnect(other, one, player), ['b']);
    assert.equal(one.era(), eras);
  });

  test('each shard is looked at, and those without a partition are named', async (t) => {
    const shards = await RedisShards.start(t);
    const [second] = shards.servers as [RedisServer, RedisServer];
    const examine = async (partitions: number) =>
      (await examineRedisServers({ url: shards.url, prefix: 'respark', partitions, timeoutMs: TIMEOUT_MS, clock })).map(
        ({ state, detail }) => `${state} ${detail}`,
      );
    assert.deepEqual(
      (await examine(PARTITIONS)).map((text) => text.replace(/version .*/, 'version')).sort(),
      shards.servers
        .map(({ port }, index) => `ok 127.0.0.1:${port} (${[2, 1, 1][index]} of 4 partitions): version`)
        .sort(),
    );
    second.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const found = (await examine(1)).filter((text) => !text.startsWith('ok'));
    assert.match(found[0] ?? '', new RegExp(`^fail 127.0.0.1:${second.port} .*maxmemory-policy is allkeys-lru`));
    assert.equal(found[1], 'warn 2 of the 3 shards of the cluster have no partition');
    await second.kill();
    const texts = await examine(PARTITIONS);
    const [silent] = texts.filter((text) => text.startsWith(`fail 127.0.0.1:${second.port} `));
    assert.match(silent ?? '', /does not answer: .*ECONNREFUSED/);
    assert.equal(texts.length, 3);
  });
});

describe('nodes whose Redis fails over', { skip: findRedisFault() ?? false }, () => {
  test('they ask Sentinel for the primary, and players stay when it names another', async (t) => {
    const primary = await RedisServer.start(t, SYNC_AT_ONCE);
    const replica = await RedisServer.start(t, ['--replicaof', '127.0.0.1', String(primary.port)]);
    await until(() => replica.command('INFO', 'replication').includes('master_link_status:up'));
    const sentinel = await RedisServer.startSentinel(t, { name: 'directory', primary });
    await until(() => sentinel.command('SENTINEL', 'REPLICAS', 'directory').includes(String(replica.port)));
    const gone = await RedisServer.start(t);
    await gone.kill();
    const place = { url: 'redis://directory', sentinelUrl: `${gone.url},${sentinel.url}` };
    const [one, other] = await join(t, place, { leaseMs: 30_000 });
    const { lease } = one;
    for (const player of PLAYERS) await register(one, player);
    await primary.kill();
    await until(async () => await fails(other, PLAYERS[0]));
    await until(async () => await isComplete(one, other));
    assert.equal(one.lease, lease);
    for (const player of PLAYERS) assert.deepEqual(await disconnect(other, one, player), ['a']);
    assert.match(replica.command('INFO', 'replication'), /role:master/);
  });

  test('a primary that was a replica meanwhile begins a new era, though it never ended', async (t) => {
    const server = await RedisServer.start(t, SYNC_AT_ONCE);
    const replica = await RedisServer.start(t, ['--replicaof', '127.0.0.1', String(server.port), ...SYNC_AT_ONCE]);
    const [one, other] = await join(t, server, { leaseMs: 30_000 });
    const [player] = PLAYERS as [PlayerKey];
    const synced = () => replica.command('INFO', 'replication').includes('master_link_status:up');
    await until(synced);
    replica.command('REPLICAOF', 'NO', 'ONE');
    // The primary's successor never hears of this entry.
    await register(one, player);
    const era = one.era();
    server.command('REPLICAOF', '127.0.0.1', String(replica.port));
    await until(() => server.command('INFO', 'replication').includes('master_link_status:up'));
    assert.doesNotMatch(server.command('KEYS', '*'), new RegExp(player.playerId));
    // Both nodes have noticed that the server refuses what they ask.
    await until(async () => (await fails(one, player)) && (await fails(other, player)));
    server.command('REPLICAOF', 'NO', 'ONE');
    await until(async () => await isComplete(one, other));
    assert.notEqual(one.era(), era);
    assert.deepEqual(await disconnect(other, one, player), ['a']);
  });
});

async function register(cluster: RedisCluster, player: PlayerKey, connectionId = 'a'): Promise<void> {
  const entry = { connectionId, node: cluster.node, createdAt: 1, runtimeId: 'empty' };
  const fault = await cluster.register(player, entry, {
    era: cluster.era(),
    maxConnectionsPerPlayer: 9,
    newcomer: ANYBODY,
  });
  assert.equal(fault, undefined);
}

async function listed(cluster: RedisCluster, player: PlayerKey): Promise<string[]> {
  return (await cluster.list(player)).entries.map(({ connectionId }) => connectionId);
}

/** Disconnects, at one node, a player of another: returns the ids that the owner has unregistered. */
async function disconnect(at: RedisCluster, owner: RedisCluster, player: PlayerKey): Promise<readonly string[]> {
  const { entries } = await at.list(player);
  const connectionIds = entries.map(({ connectionId }) => connectionId);
  const request = { player, connectionIds, requestId: 'r' };
  const { closedIds } = await at.request(owner.node, 'disconnect', request, TIMEOUT_MS);
  assert.deepEqual(await listed(at, player), []);
  return closedIds;
}

async function fails(cluster: RedisCluster, player: PlayerKey | undefined): Promise<boolean> {
  assert(player !== undefined);
  return await cluster.list(player).then(
    () => false,
    (error: unknown) => {
      assert(error instanceof DirectoryUnavailable);
      return true;
    },
  );
}

/** Whether each node finds every player, and reaches the others by every channel. */
async function isComplete(...nodes: readonly RedisCluster[]): Promise<boolean> {
  const failing = nodes.flatMap((node) => PLAYERS.map((player) => fails(node, player)));
  if ((await Promise.all(failing)).includes(true) || !nodes.every(({ isAvailable }) => isAvailable)) return false;
  const asking = nodes.flatMap((from) =>
    nodes.flatMap(({ node }) =>
      PLAYERS.map(async (player) => await from.request(node, 'probe', { player, connectionIds: [] }, TIMEOUT_MS)),
    ),
  );
  return (await Promise.allSettled(asking)).every(({ status }) => status === 'fulfilled');
}

async function open(t: TestContext) {
  const shards = await RedisShards.start(t);
  const [one, other] = await join(t, shards, { leaseMs: 12_000 });
  return { shards, one, other };
}

async function join(t: TestContext, place: RedisPlace, { leaseMs }: { leaseMs: number }) {
  const { url, sentinelUrl } = place;
  const nodes = [0, 1].map(() => {
    const cluster = new RedisCluster({
      ...{ clock, random: createSystemRandom(), facts: {}, loadBars: NO_BARS },
      link: new NodeRedisLink({ url, sentinelUrl, timeoutMs: TIMEOUT_MS, clock }),
      log: { debug() {}, info() {}, warn() {}, error() {} },
      metrics: { directoryCalled() {}, linkLost() {}, eraChanged() {}, leaseEnded() {} },
      settings: {
        ...{ redisPrefix: 'respark', redisPartitions: PARTITIONS, redisTimeoutMs: TIMEOUT_MS },
        ...{ leaseMs, leaseMarginMs: 300, renewMs: 50, recoveryMs: 500 },
      },
    });
    t.after(() => cluster.close());
    cluster.answer('disconnect', async ({ player, connectionIds }) => {
      await cluster.unregister(player, connectionIds);
      return { closedIds: connectionIds };
    });
    cluster.answer('close_stage', () => ({}));
    cluster.answer('probe', () => ({ aliveIds: [], closedIds: [] }));
    return cluster;
  });
  const [one, other] = nodes as [RedisCluster, RedisCluster];
  await until(async () => await isComplete(one, other));
  return [one, other] as const;
}
