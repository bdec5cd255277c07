import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { LocalCluster } from '../cluster/local.ts';
import type { Settings } from '../config/config.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RandomBytes } from '../random.ts';
import { readVersion } from './server-info.ts';
import { digestOf } from './settings-digest.ts';

/** Joins the cluster that the settings name. The client of Redis is loaded only where it is used. */
export async function openCluster({
  settings,
  log,
  clock,
  random,
  metrics,
}: {
  readonly settings: Settings;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly metrics: Pick<Metrics, 'cluster'>;
}): Promise<Cluster> {
  const { redisUrl: url, redisTimeoutMs: timeoutMs } = settings;
  if (url === undefined) return new LocalCluster({ clock, random });
  const { NodeRedisLink } = await import('../cluster/redis/node-redis.ts');
  const { RedisCluster } = await import('../cluster/redis/redis-cluster.ts');
  const link = new NodeRedisLink({ url, timeoutMs, clock });
  const facts = { version: readVersion(), settings: digestOf(settings) };
  return new RedisCluster({ settings, log, clock, random, link, facts, metrics: metrics.cluster });
}
