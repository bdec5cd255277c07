import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { LocalCluster } from '../cluster/local.ts';
import type { ServerFinding } from '../cluster/redis/examine-server.ts';
import type { Settings } from '../config/config.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RandomBytes } from '../random.ts';
import { factsOf } from './node-facts.ts';

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
  const facts = { ...factsOf(settings) };
  return new RedisCluster({ settings, log, clock, random, link, facts, metrics: metrics.cluster });
}

/** What is wrong with the server that holds the directory; nothing for a single node. Rejects when it is away. */
export async function examineDirectory({
  redisUrl: url,
  redisTimeoutMs: timeoutMs,
}: Pick<Settings, 'redisUrl' | 'redisTimeoutMs'>): Promise<readonly ServerFinding[]> {
  if (url === undefined) return [];
  const { examineRedisServer } = await import('../cluster/redis/examine-server.ts');
  return await examineRedisServer({ url, timeoutMs });
}
