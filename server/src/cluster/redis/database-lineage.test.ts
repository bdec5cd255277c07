import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_BARS } from '../../../test/support/bars.ts';
import { until } from '../../../test/support/cluster.ts';
import { recordedLog } from '../../../test/support/domain.ts';
import { findRedisFault, RedisServer } from '../../../test/support/redis-server.ts';
import { systemClock } from '../../clock.ts';
import { createSystemRandom } from '../../random.ts';
import type { LoadBars } from '../cluster.ts';
import { NodeRedisLink } from './node-redis.ts';
import { RedisCluster } from './redis-cluster.ts';
import { START } from './scripts.ts';

const KEYS = ['{d0}:era', '{d0}:former', '{d0}:database'];

test('a node that may not see all that tells databases apart does not take its own for another one', {
  skip: findRedisFault() ?? false,
}, async (t) => {
  const server = await RedisServer.start(t);
  /** Whether a start on a database of this lineage ends the era. */
  const endsEra = (lineage: string) => {
    server.command('SET', '{d0}:era', 'any');
    server.command('EVAL', START.lua, String(KEYS.length), ...KEYS, lineage);
    return server.command('EXISTS', '{d0}:era').trim() === '0';
  };
  for (const same of ['1 2 -', '- 2 3', '1 - -', '1 2 3', '- - -', '- 2 3']) assert.equal(endsEra(same), false, same);
  assert.equal(endsEra('- - 4'), true, 'what one node has seen is known to the others');
  assert.equal(endsEra('1 2 4'), false);
  assert.equal(endsEra('5 2 4'), true);
  assert.equal(endsEra('5 2 4'), false);
});

test('a node that is started on another database by mistake costs the others no bar', {
  skip: findRedisFault() ?? false,
}, async (t) => {
  const server = await RedisServer.start(t);
  const start = (database: string, loadBars: LoadBars) => {
    const clock = systemClock;
    const cluster = new RedisCluster({
      ...{ clock, random: createSystemRandom(), log: recordedLog().log, loadBars },
      ...{ facts: { database }, databaseLineage: `${database} 1 1` },
      link: new NodeRedisLink({ url: server.url, timeoutMs: 1_000, clock }),
      metrics: { directoryCalled() {}, linkLost() {}, eraChanged() {}, leaseEnded() {} },
      settings: {
        ...{ redisPrefix: 'respark', redisPartitions: 1, redisTimeoutMs: 1_000 },
        ...{ leaseMs: 60_000, leaseMarginMs: 300, renewMs: 50, recoveryMs: 100 },
      },
    });
    t.after(() => cluster.close());
    return cluster;
  };
  // More than are set in one step.
  const players = Array.from({ length: 250 }, (_, number) => ({ stageId: 'stage-1', playerId: `player-${number}` }));
  const bar = { version: 1, until: undefined, signedInBefore: undefined, note: '' };
  const bars = players.map((player) => ({ target: { name: player.playerId, player }, bar }));
  const cluster = start('ours', async () => ({ bars, next: undefined }));
  await until(() => cluster.isAvailable);
  const era = cluster.era();
  const other = start('theirs', NO_BARS);
  await until(() => other.isAvailable && cluster.isAvailable && cluster.era() === other.era());
  assert.notEqual(cluster.era(), era);
  for (const player of players) {
    const found = await cluster.findBar(player, { barNames: [player.playerId], at: 1, signedInAt: 1 });
    assert.equal(found?.barName, player.playerId);
  }
});
