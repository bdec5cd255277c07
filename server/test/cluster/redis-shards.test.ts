import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOSE_CODES } from '@respark/protocol';
import { startNodes, until, whyNoCluster } from '../support/cluster.ts';
import { usePostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/process.ts';
import { RedisShards } from '../support/redis-shards.ts';
import type { TestPlayer } from '../support/server.ts';

const postgres = usePostgres();

/** Longer than a server of a Redis Cluster needs to be taken for up again. */
const LEASE_MS = 12_000;

test('servers on a Redis Cluster: a shard that is away costs the calls about its own players, and no player', {
  skip: whyNoCluster,
}, async (t) => {
  const shards = await RedisShards.start(t);
  const { nodes, disconnect, status, isReady, untilReady } = await startNodes(t, postgres, 2, {
    RESPARK_REDIS_URL: shards.url,
    RESPARK_REDIS_PARTITIONS: '6',
    RESPARK_LEASE_MS: String(LEASE_MS),
    RESPARK_RECOVERY_MS: String(LEASE_MS),
  });
  const [one, other] = nodes as [RunningServer, RunningServer];
  await untilReady();
  const lost = shards.ownerOf('{d0}');
  const [away, there]: [TestPlayer[], TestPlayer[]] = [[], []];
  while (away.length < 2 || there.length < 2) {
    const player = await one.connect();
    (lost.command('KEYS', '*').includes(player.playerId) ? away : there).push(player);
  }
  await until(async () => {
    const looks = await Promise.allSettled([...away, ...there].map(({ playerId }) => status(other, playerId)));
    return looks.every((look) => look.status === 'fulfilled');
  });

  await lost.kill();
  for (const { playerId, connectionId, closed } of there) {
    assert.deepEqual(await disconnect(other, playerId), { successes: [connectionId], failures: [] });
    assert.equal((await closed).code, CLOSE_CODES.disconnected.code);
  }
  for (const { playerId } of away) {
    await assert.rejects(disconnect(other, playerId), { name: 'InternalServerException' });
  }
  assert.deepEqual(await Promise.all(nodes.map(isReady)), [true, true], 'load balancers go on sending them the others');

  await lost.start();
  for (const { playerId, connectionId, closed, ws } of away) {
    await until(async () => (await status(other, playerId).catch(() => [])).length > 0);
    assert.equal(ws.readyState, ws.OPEN, 'the player has stayed');
    assert.deepEqual(await disconnect(other, playerId), { successes: [connectionId], failures: [] });
    assert.equal((await closed).code, CLOSE_CODES.disconnected.code);
  }
});
