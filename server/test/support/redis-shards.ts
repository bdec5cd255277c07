import type { TestContext } from 'node:test';
import { until } from './cluster.ts';
import { freePort } from './free-port.ts';
import { RedisServer } from './redis-server.ts';

const SLOTS = 16_384;
const SHARDS = 3;

/** A private Redis Cluster of three primaries. One that is away leaves the others as they are. */
export class RedisShards {
  readonly servers: RedisServer[] = [];
  readonly #t: Pick<TestContext, 'after'>;

  private constructor(t: Pick<TestContext, 'after'>) {
    this.#t = t;
  }

  static async start(t: Pick<TestContext, 'after'>): Promise<RedisShards> {
    const shards = new RedisShards(t);
    for (let number = 0; number < SHARDS; number += 1) {
      const server = await shards.#join();
      const [first, end] = [number, number + 1].map((part) => Math.floor((part * SLOTS) / SHARDS)) as [number, number];
      server.command('CLUSTER', 'ADDSLOTSRANGE', String(first), String(end - 1));
    }
    await until(() => shards.servers.every((server) => isComplete(server, SHARDS)));
    return shards;
  }

  /** That of any node will do. */
  get url(): string {
    return this.servers.map(({ url }) => url).join(',');
  }

  /** The primary that has the key, as the other nodes of the cluster see it. */
  ownerOf(key: string): RedisServer {
    for (const server of this.servers) {
      const reply = server.command('EXISTS', key);
      if (/^[01]$/.test(reply)) return server;
      const port = /^MOVED \d+ .*:(\d+)$/.exec(reply)?.[1];
      const owner = this.servers.find((other) => other.port === Number(port));
      if (owner !== undefined) return owner;
    }
    throw new Error(`no server has ${key}`);
  }

  /** Moves all keys with the same hash tag to the server, as `redis-cli --cluster reshard` does. */
  move(key: string, target: RedisServer): void {
    const source = this.ownerOf(key);
    const slot = source.command('CLUSTER', 'KEYSLOT', key);
    const [from, to] = [source, target].map((server) => server.command('CLUSTER', 'MYID')) as [string, string];
    target.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from);
    source.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to);
    const keys = source.command('CLUSTER', 'GETKEYSINSLOT', slot, '10000').split('\n').filter(Boolean);
    source.command('MIGRATE', '127.0.0.1', String(target.port), '', '0', '5000', 'KEYS', ...keys);
    for (const server of [target, source]) server.command('CLUSTER', 'SETSLOT', slot, 'NODE', to);
  }

  /** Adds a replica to the server. Resolves when it has caught up. */
  async addReplica(primary: RedisServer): Promise<RedisServer> {
    const replica = await this.#join();
    const id = primary.command('CLUSTER', 'MYID');
    await until(() => replica.command('CLUSTER', 'REPLICATE', id) === 'OK');
    await until(() => replica.command('INFO', 'replication').includes('master_link_status:up'));
    const known = this.servers.length;
    await until(() => this.servers.every((server) => isComplete(server, known)));
    return replica;
  }

  async #join(): Promise<RedisServer> {
    const busPort = await freePort();
    const server = await RedisServer.start(this.#t, [
      ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', '2000'],
      ...['--cluster-require-full-coverage', 'no', '--repl-diskless-sync-delay', '0'],
    ]);
    this.servers[0]?.command('CLUSTER', 'MEET', '127.0.0.1', String(server.port), String(busPort));
    this.servers.push(server);
    return server;
  }
}

/** Whether a node knows all others and who has what. */
function isComplete(server: RedisServer, nodes: number): boolean {
  const info = server.command('CLUSTER', 'INFO');
  return ['cluster_state:ok', `cluster_slots_ok:${SLOTS}`, `cluster_known_nodes:${nodes}`].every((line) =>
    info.includes(line),
  );
}
