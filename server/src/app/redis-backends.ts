import { type Clock, systemClock } from '../clock.ts';
import type { Cluster, LoadBars, NodeRecord } from '../cluster/cluster.ts';
import { examineRedisServers, type ServerFinding } from '../cluster/redis/examine-server.ts';
import { adviceAgainst } from '../cluster/redis/fault-advice.ts';
import { NodeRedisLink } from '../cluster/redis/node-redis.ts';
import { RedisCluster } from '../cluster/redis/redis-cluster.ts';
import type { Settings } from '../config/config.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RandomBytes } from '../random.ts';

/** Joins the cluster. What `backends.ts` loads only where the settings name a Redis server, because others need none of it. */
export function openRedisCluster({
  settings,
  log,
  clock,
  random,
  metrics,
  facts,
  databaseLineage,
  loadBars,
}: {
  readonly settings: Settings & { readonly redisUrl: string };
  readonly log: Log;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly metrics: Pick<Metrics, 'cluster'>;
  readonly facts: NodeRecord['facts'];
  readonly databaseLineage: string | undefined;
  readonly loadBars: LoadBars;
}): Cluster {
  const { redisUrl: url, redisSentinelUrl: sentinelUrl, redisTimeoutMs: timeoutMs } = settings;
  const link = new NodeRedisLink({ url, sentinelUrl, timeoutMs, clock });
  const parts = { settings, log, clock, random, link, facts, databaseLineage, loadBars };
  return new RedisCluster({ ...parts, metrics: metrics.cluster });
}

export interface RedisSettings
  extends Pick<Settings, 'redisSentinelUrl' | 'redisPrefix' | 'redisPartitions' | 'redisTimeoutMs'> {
  readonly redisUrl: string;
}

/** What is wrong with the servers that hold the directory, or may be. */
export async function examineRedis({
  redisUrl: url,
  redisSentinelUrl: sentinelUrl,
  redisPrefix: prefix,
  redisPartitions: partitions,
  redisTimeoutMs: timeoutMs,
}: RedisSettings): Promise<readonly ServerFinding[]> {
  try {
    return await examineRedisServers({ url, sentinelUrl, prefix, partitions, timeoutMs, clock: systemClock });
  } catch (error) {
    const detail = `it does not answer: ${error instanceof Error ? error.message : String(error)}`;
    return [{ state: 'fail', detail, advice: adviceAgainst(error) }];
  }
}
