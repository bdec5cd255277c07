import { createHash } from 'node:crypto';
import { type Clock, withTimeout } from '../../clock.ts';
import type { RedisLink, RedisSession, RedisSubscription, Script, ScriptReply } from './link.ts';
import * as scripts from './scripts.ts';
import { type RedisClient, type RedisPlace, RedisServers } from './servers.ts';

/** Script → the digest under which a server that has loaded it knows it. */
const DIGESTS = new Map<Script, string>(
  Object.values(scripts).map((script) => [script, createHash('sha1').update(script.lua).digest('hex')]),
);

/** How often a server is asked whether it has evicted anything. */
const EVICTION_LOOK_MS = 1_000;

/** What one life of a server has said of its evictions. */
interface Evictions {
  readonly life: string;
  readonly count: number;
  /** Whether none of ours can be among them, because only keys that expire are evicted. */
  readonly areOthers: boolean;
}

/**
 * The link over node-redis. Each of its clients is one connection and is never connected again: nothing is queued while it is
 * away, and nothing is sent a second time.
 */
export class NodeRedisLink implements RedisLink {
  readonly #servers: RedisServers;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  /** Key → what the server that has it has last said of its evictions. */
  readonly #heard = new Map<string, Evictions>();

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
        // Scripts are loaded first: one that the server does not know would be sent again, behind later commands.
        ...[...DIGESTS.keys()].map(({ lua }) => client.send(['SCRIPT', 'LOAD', lua])),
      ]);
      const runId = lifeOf(String(info));
      const { evictions, isLoss } = this.#findEvictions(key, runId, String(info));
      // A loss is remembered until a connection that has reported it is used: this one may have come too late.
      let isTold = !isLoss;
      if (isTold) this.#heard.set(key, evictions);
      void client.ended.then(closed);
      this.#clock.after(EVICTION_LOOK_MS, () => void this.#watchEvictions(client, key, runId));
      return {
        ...{ runId, mayHaveEvicted: isLoss },
        run: async (script, keys, parameters) => {
          if (!isTold) this.#heard.set(key, evictions);
          isTold = true;
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
        // A replica would take the subscription, but its primary would not count it.
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
  async #watchEvictions(client: RedisClient, key: string, life: string): Promise<void> {
    const asking = client.send(['INFO', 'memory', 'stats']);
    try {
      const info = String(await withTimeout(asking, this.#timeoutMs, this.#clock));
      const { evictions, isLoss } = this.#findEvictions(key, life, info);
      if (isLoss) throw new Error('the server has evicted keys');
      this.#heard.set(key, evictions);
    } catch {
      client.end();
      return;
    }
    this.#clock.after(EVICTION_LOOK_MS, () => void this.#watchEvictions(client, key, life));
  }

  /**
   * Whether a server may have evicted keys of ours since what is remembered of it, and what to remember once that has
   * been reported. Throws for a server whose policy may evict them, though none of them expires.
   */
  #findEvictions(key: string, life: string, info: string): { readonly evictions: Evictions; readonly isLoss: boolean } {
    const heard = this.#heard.get(key);
    const before = heard?.life === life ? heard : undefined;
    const policy = factIn(info, 'maxmemory_policy') ?? '';
    // Evictions that it counts from now on may be of our keys, whatever its policy is when it is asked again.
    const doubt = () => before !== undefined && this.#heard.set(key, { ...before, areOthers: false });
    if (policy.startsWith('allkeys') && factIn(info, 'maxmemory') !== '0') {
      doubt();
      const why = `its maxmemory-policy is ${policy}: connections that it has evicted would not be found`;
      throw new Error(`the server may not evict keys, but ${why}: set it to noeviction`);
    }
    const count = Number(factIn(info, 'evicted_keys') ?? 0);
    const areOthers = policy.startsWith('volatile');
    const evictions = { life, count, areOthers };
    if (before === undefined || (before.areOthers && areOthers)) return { evictions, isLoss: false };
    // A lower count than before has begun at zero again, as after CONFIG RESETSTAT.
    const isLoss = count !== before.count && count > 0;
    if (isLoss) doubt();
    return { evictions, isLoss };
  }

  /** Asks the server now and then. Nothing else does on this connection, so the loss of the server would go unnoticed. */
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
 * Names one life of a server as a primary. Its run id alone does not: a primary that was a replica for a while keeps
 * its run id, and may have lost what its successor never heard of. A promotion changes the id of its replication.
 */
function lifeOf(info: string): string {
  const [runId, replication, role] = ['run_id', 'master_replid', 'role'].map((name) => factIn(info, name));
  if (runId === undefined || replication === undefined) {
    throw new Error('the server has no run id: it is behind a proxy, or no Redis');
  }
  if (role !== 'master') throw new Error('the server is a replica');
  return createHash('sha1').update(`${runId} ${replication}`).digest('hex');
}

function factIn(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:([\\w-]+)`, 'm').exec(info)?.[1];
}
