import { createClient } from '@redis/client';

/** What is wrong with a Redis server, or may be. `fail`: a cluster on it does not keep its promises. */
export interface ServerFinding {
  readonly state: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly advice?: string;
}

/** The oldest that is tested. */
const OLDEST_VERSION = 7;

/** Looks at a server's version, role and settings, and changes nothing. Rejects when it cannot be reached. */
export async function examineRedisServer({
  url,
  timeoutMs,
}: {
  url: string;
  timeoutMs: number;
}): Promise<ServerFinding[]> {
  const [one, other] = [await open({ url, timeoutMs }), await open({ url, timeoutMs })];
  try {
    const info = factsOf(await one.sendCommand(['INFO']));
    const again = factsOf(await other.sendCommand(['INFO', 'server']));
    const setting = async (name: string) => {
      const reply: unknown = await one.sendCommand(['CONFIG', 'GET', name]).catch(() => undefined);
      return Array.isArray(reply) ? String(reply[1]) : undefined;
    };
    return judge({
      info,
      isDirect: info.get('run_id') !== undefined && info.get('run_id') === again.get('run_id'),
      eviction: (await setting('maxmemory-policy')) ?? info.get('maxmemory_policy'),
      minReplicas: await setting('min-replicas-to-write'),
    });
  } finally {
    for (const client of [one, other]) if (client.isOpen) client.destroy();
  }
}

/** The findings about what a server says of itself. */
export function judge({
  info,
  isDirect,
  eviction,
  minReplicas,
}: {
  info: ReadonlyMap<string, string>;
  /** Whether two connections have reached the same process. */
  isDirect: boolean;
  eviction: string | undefined;
  minReplicas: string | undefined;
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
    add('warn', `version ${version} is older than what is tested`, `use version ${OLDEST_VERSION} or later`);
  }
  if (info.get('redis_mode') === 'cluster') {
    add('fail', 'it is a node of Redis Cluster', 'use a single primary, with replicas and Sentinel if you like');
  }
  if (info.get('role') !== undefined && info.get('role') !== 'master') {
    add('fail', 'it is a replica', 'connect to the primary');
  }
  if (eviction !== 'noeviction') {
    const detail = `maxmemory-policy is ${eviction ?? 'unknown'}: connections that are evicted would not be found`;
    add(eviction === undefined ? 'warn' : 'fail', detail, 'CONFIG SET maxmemory-policy noeviction');
  }
  if (Number(info.get('connected_slaves') ?? '0') > 0 && !(Number(minReplicas) >= 1)) {
    const detail = `it has replicas, and min-replicas-to-write is ${minReplicas ?? 'unknown'}: a primary that is cut off would go on`;
    add('warn', detail, 'CONFIG SET min-replicas-to-write 1');
  }
  if (findings.length > 0) return findings;
  return [{ state: 'ok', detail: `version ${version}, a primary that evicts nothing` }];
}

async function open({ url, timeoutMs }: { url: string; timeoutMs: number }) {
  const socket = { reconnectStrategy: false as const, connectTimeout: timeoutMs, socketTimeout: timeoutMs };
  const client = createClient({ url, RESP: 2, disableOfflineQueue: true, disableClientInfo: true, socket });
  // What fails rejects as well.
  client.on('error', () => {});
  await client.connect();
  return client;
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
