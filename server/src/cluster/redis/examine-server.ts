import { type Clock, withTimeout } from '../../clock.ts';
import { PartitionKeys } from './keys.ts';
import { connectTo, type RedisClient, type RedisPlace, RedisServers, siblingOf } from './servers.ts';
import { pairsOf } from './values.ts';

/** What is wrong with a Redis server, or may be. `fail`: a cluster on it does not keep its promises. */
export interface ServerFinding {
  readonly state: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly advice?: string;
}

/** The oldest version that has all that the nodes use. */
const OLDEST_VERSION = 7;

/** The share of its memory from which a server is nearly full. */
const FULL_PART = 0.9;

/** What `judge` reads of a server's settings. */
const SETTINGS = [
  ...['maxmemory-policy', 'min-replicas-to-write', 'min-replicas-max-lag'],
  ...['cluster-node-timeout', 'cluster-require-full-coverage'],
];

interface Examination extends RedisPlace {
  readonly prefix: string;
  readonly partitions: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * Looks at the version, role and settings of each server that has a part of the directory or could have one, and changes
 * nothing. Rejects when none of them can be reached.
 */
export async function examineRedisServers(parts: Examination): Promise<ServerFinding[]> {
  const { timeoutMs } = parts;
  const servers = new RedisServers(parts);
  const findings: ServerFinding[] = [];
  const shards = await findShards(servers, parts);
  for (const [url, partitions] of shards) {
    const isOnly = url === undefined;
    const connect = () => (isOnly ? servers.connectToAny() : connectTo(url, timeoutMs));
    const found = await examine(connect, parts).catch((error: unknown): ServerFinding[] => {
      if (isOnly) throw error;
      const detail = `it does not answer: ${error instanceof Error ? error.message : String(error)}`;
      return [{ state: 'fail', detail, advice: 'see that it runs, and that nodes of Respark reach it' }];
    });
    const where = isOnly ? '' : `${new URL(url).host} (${partitions} of ${parts.partitions} partitions): `;
    findings.push(...found.map((finding) => ({ ...finding, detail: `${where}${finding.detail}` })));
  }
  const idle = [...shards.values()].filter((partitions) => partitions === 0).length;
  if (idle > 0) {
    const detail = `${idle} of the ${shards.size} shards of the cluster have no partition`;
    findings.push({ state: 'warn', detail, advice: 'stop all nodes, and raise RESPARK_REDIS_PARTITIONS' });
  }
  return findings;
}

/** URL of each primary of a Redis Cluster → how many partitions it has. A single server has all, and no URL of its own. */
async function findShards(servers: RedisServers, examination: Examination): Promise<Map<string | undefined, number>> {
  const client = await servers.connectToAny();
  try {
    const ask = askOf(client, examination);
    const { partitions } = examination;
    if (factsOf(await ask('INFO', 'server')).get('redis_mode') !== 'cluster') return new Map([[undefined, partitions]]);
    const ranges = ((await ask('CLUSTER', 'SLOTS')) as [number, number, [string | null, number]][]).map(
      ([first, last, [host, port]]) => ({ first, last, url: siblingOf(client.url, host ?? '', String(port)).href }),
    );
    const keys = Array.from({ length: partitions }, (_, number) => keyOf(examination, number));
    const slots = (await Promise.all(keys.map((key) => ask('CLUSTER', 'KEYSLOT', key)))).map(Number);
    const shards = new Map<string, number>(ranges.map(({ url }) => [url, 0]));
    for (const { first, last, url } of ranges) {
      const own = slots.filter((slot) => slot >= first && slot <= last).length;
      shards.set(url, (shards.get(url) ?? 0) + own);
    }
    return shards;
  } finally {
    client.end();
  }
}

/** `connect` is called twice, to see whether it leads to the same process each time. */
async function examine(connect: () => Promise<RedisClient>, examination: Examination): Promise<ServerFinding[]> {
  const one = await connect();
  try {
    const ask = askOf(one, examination);
    const info = factsOf(await ask('INFO'));
    const other = await connect();
    const again = await askOf(other, examination)('INFO', 'server').finally(other.end);
    const runId = info.get('run_id');
    const told: unknown = await ask('CONFIG', 'GET', ...SETTINGS).catch(() => []);
    const settings = new Map(pairsOf((told as unknown[]).map(String)));
    const scriptFault = await ask('EVAL', 'return 1', '0').then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    return judge({
      scriptFault,
      info,
      isDirect: runId !== undefined && runId === factsOf(again).get('run_id'),
      settings: new Map([['maxmemory-policy', info.get('maxmemory_policy')], ...settings]),
    });
  } finally {
    one.end();
  }
}

function keyOf({ prefix }: Examination, partition: number): string {
  return new PartitionKeys(prefix, partition).era;
}

function askOf(client: RedisClient, { timeoutMs, clock }: Examination) {
  return (...words: string[]) => withTimeout(client.send(words), timeoutMs, clock);
}

/** Judges a server by what it says of itself. */
export function judge({
  info,
  isDirect,
  scriptFault,
  settings,
}: {
  info: ReadonlyMap<string, string>;
  /** Why the server refused to run a script; undefined if it ran it. */
  scriptFault?: string | undefined;
  /** Whether two connections have reached the same process. */
  isDirect: boolean;
  /** Those that the server has told. */
  settings: ReadonlyMap<string, string | undefined>;
}): ServerFinding[] {
  const version = info.get('valkey_version') ?? info.get('redis_version') ?? 'unknown';
  const findings: ServerFinding[] = [];
  const add = (state: ServerFinding['state'], detail: string, advice: string) =>
    findings.push({ state, detail, advice });
  if (!isDirect) {
    const detail = 'two connections reached servers with different run ids, or with none';
    add('fail', detail, 'connect to the primary itself, not to a proxy or to one of several servers');
  }
  if (Number.parseInt(version, 10) < OLDEST_VERSION) {
    add('fail', `version ${version} has no sharded channels`, `use version ${OLDEST_VERSION} or later`);
  }
  if (info.get('role') !== undefined && info.get('role') !== 'master') {
    add('fail', 'it is a replica', 'connect to the primary');
  }
  if (scriptFault !== undefined) {
    const advice = 'allow EVAL, EVALSHA and SCRIPT LOAD, and all that the scripts of nodes call';
    add('fail', `it runs no script: ${scriptFault}`, advice);
  }
  const [eviction, minReplicas, maxLag, nodeTimeout, fullCoverage] = SETTINGS.map((name) => settings.get(name));
  if (eviction?.startsWith('volatile')) {
    const detail = `maxmemory-policy is ${eviction}: what other programs keep there, and has a time to live, is evicted`;
    add('warn', detail, 'use a server that others do not fill, or CONFIG SET maxmemory-policy noeviction');
  } else if (eviction !== 'noeviction') {
    const detail = `maxmemory-policy is ${eviction ?? 'unknown'}: connections that are evicted would not be found`;
    add(eviction === undefined ? 'warn' : 'fail', detail, 'CONFIG SET maxmemory-policy noeviction');
  }
  const used = Number(info.get('used_memory') ?? '0');
  const most = Number(info.get('maxmemory') ?? '0');
  if (most > 0 && used >= most * FULL_PART) {
    const detail = `${used} of the ${most} bytes of its maxmemory are used: once all are, it takes no writes, and all players lose their connections`;
    add(used >= most ? 'fail' : 'warn', detail, 'CONFIG SET maxmemory to more');
  }
  const hasReplicas = Number(info.get('connected_slaves') ?? '0') > 0;
  if (hasReplicas && !(Number(minReplicas) >= 1)) {
    const detail = `it has replicas, and min-replicas-to-write is ${minReplicas ?? 'unknown'}: a primary that is cut off would go on`;
    add('warn', detail, 'CONFIG SET min-replicas-to-write 1');
  }
  if (info.get('redis_mode') === 'cluster') {
    if (fullCoverage !== 'no') {
      const detail = `cluster-require-full-coverage is ${fullCoverage ?? 'unknown'}: one shard that is away would take all others with it`;
      add('warn', detail, 'CONFIG SET cluster-require-full-coverage no');
    }
    if (hasReplicas && Number(maxLag) * 1_000 >= Number(nodeTimeout)) {
      const detail = `min-replicas-max-lag (${maxLag} s) is not below cluster-node-timeout (${nodeTimeout} ms): a primary that is cut off could go on beside its successor`;
      add('warn', detail, 'CONFIG SET cluster-node-timeout to more');
    }
  }
  if (findings.length > 0) return findings;
  return [{ state: 'ok', detail: `version ${version}, a primary that evicts nothing` }];
}

/** The lines `name:value` of an INFO. */
function factsOf(info: unknown): Map<string, string> {
  const lines = String(info).split('\r\n');
  return new Map(
    lines.flatMap((line) => {
      const colon = line.indexOf(':');
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)] as const] : [];
    }),
  );
}
