import { createHash } from 'node:crypto';
import { type Clock, withTimeout } from '../../clock.ts';
import type { RedisLink, RedisSession, RedisSubscription, Script, ScriptReply } from './link.ts';
import * as scripts from './scripts.ts';
import { type RedisClient, type RedisPlace, RedisServers } from './servers.ts';

/** Script → the digest by which a server that has loaded it knows it. */
const DIGESTS = new Map<Script, string>(
  Object.values(scripts).map((script) => [script, createHash('sha1').update(script.lua).digest('hex')]),
);

/** How often a server is asked whether it has evicted anything. */
const EVICTION_LOOK_MS = 1_000;

/**
 * The link over node-redis. Each of its clients is one connection and is never connected again: nothing is queued while it is
 * away, and nothing is sent a second time.
 */
export class NodeRedisLink implements RedisLink {
  readonly #servers: RedisServers;
  readonly #timeoutMs: number;
  readonly #clock: Clock;

  constructor({ timeoutMs, clock, ...place }: RedisPlace & { timeoutMs: number; clock: Clock }) {
    this.#servers = new RedisServers({ ...place, timeoutMs, clock });
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  async connect(key: string, closed: () => void): Promise<RedisSession> {
    return await this.#servers.open(async (client) => {
      const [, info] = await Promise.all([
        client.send(['EXISTS', key]),
        client.send(['INFO', 'server', 'replication', 'memory', 'stats']),
        // A script that a server does not know would be sent twice, behind what came after it.
        ...[...DIGESTS.keys()].map(({ lua }) => client.send(['SCRIPT', 'LOAD', lua])),
      ]);
      const runId = lifeOf(String(info));
      void client.ended.then(closed);
      const evicted = evictedBy(String(info));
      this.#clock.after(EVICTION_LOOK_MS, () => void this.#watchEvictions(client, evicted));
      return {
        runId,
        async run(script, keys, parameters) {
          const digest = DIGESTS.get(script) ?? '';
          const reply = await client.send(['EVALSHA', digest, String(keys.length), ...keys, ...parameters]);
          return reply as ScriptReply;
        },
        publish: async (channel, text) => Number(await client.send(['SPUBLISH', channel, text])),
        close: client.end,
      };
    });
  }

  async subscribe(
    channel: string,
    { message, closed }: { message(text: string): void; closed(): void },
  ): Promise<RedisSubscription> {
    return await this.#servers.open(
      async (client) => {
        // A replica would let anybody subscribe, and its primary would count nobody.
        const subscribing = client.subscribe(channel, { message, moved: client.end });
        await Promise.all([client.send(['EXISTS', channel]), subscribing]);
        void client.ended.then(closed);
        void this.#watch(client, channel);
        return { close: client.end };
      },
      { RESP: 3 },
    );
  }

  /** Ends the connection when the server has lost keys since, or may lose some from now on. */
  async #watchEvictions(client: RedisClient, before: string): Promise<void> {
    const asking = client.send(['INFO', 'memory', 'stats']);
    try {
      const info = await withTimeout(asking, this.#timeoutMs, this.#clock);
      if (evictedBy(String(info)) !== before) throw new Error('the server has evicted keys');
    } catch {
      client.end();
      return;
    }
    this.#clock.after(EVICTION_LOOK_MS, () => void this.#watchEvictions(client, before));
  }

  /** Nothing else asks anything of this connection, so that it would not be noticed when the server is gone. */
  async #watch(client: RedisClient, channel: string): Promise<void> {
    const asking = client.send(['PUBSUB', 'SHARDNUMSUB', channel]);
    try {
      const [, count] = (await withTimeout(asking, this.#timeoutMs, this.#clock)) as unknown[];
      if (Number(count) === 0) throw new Error('another server has the channel');
    } catch {
      client.end();
      return;
    }
    this.#clock.after(this.#timeoutMs, () => void this.#watch(client, channel));
  }
}

/**
 * Names one life of a server as a primary. Its run id alone does not: a primary that was a replica for a while may have lost
 * what its successor never heard of, and goes on with the same run id. A promotion changes the id of its replication. Nor is
 * it the same life once keys were evicted.
 */
function lifeOf(info: string): string {
  const [runId, replication, role] = ['run_id', 'master_replid', 'role'].map((name) => factIn(info, name));
  if (runId === undefined || replication === undefined) {
    throw new Error('the server has no run id: it is behind a proxy, or no Redis');
  }
  if (role !== 'master') throw new Error('the server is a replica');
  const evicted = evictedBy(info);
  const facts = evicted === '0' ? [runId, replication] : [runId, replication, evicted];
  return createHash('sha1').update(facts.join(' ')).digest('hex');
}

/** How many keys the server has evicted. Throws for one that would evict ours, of which none expires. */
function evictedBy(info: string): string {
  const policy = factIn(info, 'maxmemory_policy') ?? '';
  if (policy.startsWith('allkeys') && factIn(info, 'maxmemory') !== '0') {
    const why = `its maxmemory-policy is ${policy}: connections that it has evicted would not be found`;
    throw new Error(`the server may not evict keys, but ${why}: set it to noeviction`);
  }
  return factIn(info, 'evicted_keys') ?? '0';
}

function factIn(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:([\\w-]+)`, 'm').exec(info)?.[1];
}
