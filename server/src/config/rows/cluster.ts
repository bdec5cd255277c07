import { atMost, needs, pointless } from '../checks.ts';
import { choice, integer, secret, text } from '../setting.ts';

/** One URL or several: the commas between them are those in front of a scheme. */
const REDIS_URLS = /^rediss?:\/\/\S+$/;

const rows = {
  redisUrl: secret({
    rule: 'a URL such as redis://user:password@host:6379, or rediss:// for TLS',
    pattern: REDIS_URLS,
    help: 'Redis or Valkey server that nodes share: it knows which player is connected to which node, and carries messages between nodes. If not set, this server is the only node. Of a Redis Cluster, name any node, or several, separated by commas, of which one must answer. The certificate of a rediss:// server is checked; NODE_EXTRA_CA_CERTS adds authorities.',
  }),
  redisSentinelUrl: secret({
    rule: 'URLs such as redis://sentinel-1:26379,redis://sentinel-2:26379',
    pattern: REDIS_URLS,
    help: 'Redis Sentinels, separated by commas, that say which server is the primary at the moment. RESPARK_REDIS_URL then has, in place of the host, the name by which they know it, such as redis://user:password@mymaster.',
  }),
  redisPrefix: text({
    default: 'respark',
    rule: '1-64 letters, digits, dots, hyphens or underscores',
    pattern: /^[\w.-]{1,64}$/,
    help: 'Begins the names of all keys and channels in Redis. Clusters that share a server need different ones.',
  }),
  redisPartitions: integer({
    default: 1,
    min: 1,
    max: 1_024,
    help: 'Parts of the directory in Redis, by player: they are spread over the shards of a Redis Cluster. Each node has two connections to Redis for each. All nodes must have the same number: stop all of them to change it.',
  }),
  nodeRole: choice({
    default: 'both',
    choices: ['both', 'gateway', 'management'],
    help: 'What this node does. gateway: only players connect to it, and it does no background work. management: it takes only calls. Its pages, such as /readyz, are there in any case.',
  }),
  drainConnectionsPerSecond: integer({
    default: 0,
    min: 0,
    max: 1_000_000,
    help: 'How many players a stopping node sends away per second, so that the other nodes are not flooded; 0 sends all of them away at once. RESPARK_DRAIN_TIMEOUT_MS ends it in any case.',
  }),
  redisTimeoutMs: integer({
    default: 3_000,
    min: 50,
    max: 60_000,
    help: 'After this time without a reply a connection to Redis is given up and another is made.',
  }),
  renewMs: integer({
    default: 5_000,
    min: 10,
    max: 60_000,
    help: 'How often a node renews its lease, and looks which other nodes have not renewed theirs.',
  }),
  leaseMs: integer({
    default: 30_000,
    min: 100,
    max: 600_000,
    help: 'After this time without a renewal a node is taken for dead. Make it longer than a fail-over of Redis takes: players stay connected through an outage that is shorter. All nodes must have the same: stop all of them to change it.',
  }),
  leaseMarginMs: integer({
    default: 3_000,
    min: 10,
    max: 60_000,
    help: 'A node that cannot renew its lease stops this much before others take it for dead, and closes its players with 4003. It covers clocks that run at different rates.',
  }),
  recoveryMs: integer({
    default: 30_000,
    min: 100,
    max: 600_000,
    help: 'When Redis has come back without its data, or with older data, player operations answer a retryable 500 for this time, while nodes list their connections again. The first node of a cluster waits as long.',
  }),
};

/** A single node would go by none of these, so an operator who sets them means a cluster. */
const ONLY_IN_A_CLUSTER = [
  ...['redisPrefix', 'redisPartitions', 'nodeRole', 'redisTimeoutMs'],
  ...['renewMs', 'leaseMs', 'leaseMarginMs', 'recoveryMs'],
] as const satisfies (keyof typeof rows)[];

export const cluster = {
  title: 'A cluster of nodes',
  rows,
  checks: [
    // A database needs a secret key, so no node makes one of its own.
    needs('redisUrl', 'databaseUrl', 'each node would keep games, keys and players of its own, which the others lack'),
    needs('redisSentinelUrl', 'redisUrl', 'nobody knows by which name the Sentinels know the primary'),
    ...ONLY_IN_A_CLUSTER.map((key) => pointless(key, rows[key].default, 'redisUrl')),
    needs('redisUrl', 'publicUrl', 'downloads would lead to one of the nodes'),
    // A node that was cut off when the directory lost its memory has stopped by then.
    atMost('leaseMs', 'recoveryMs'),
    // Two renewals may fail.
    atMost('renewMs', 'leaseMs', { times: 3 }),
    atMost('redisTimeoutMs', 'leaseMs', { times: 3 }),
    atMost('leaseMarginMs', 'leaseMs', { times: 4 }),
  ],
};
