import { createHash } from 'node:crypto';
import { type Clock, withTimeout } from '../../clock.ts';
import type { RedisLink, RedisSession, RedisSubscription, Script, ScriptReply } from './link.ts';
import * as scripts from './scripts.ts';
import { type RedisClient, type RedisPlace, RedisServers } from './servers.ts';

/** Script → the digest by which a server that has loaded it knows it. */
const DIGESTS = new Map<Script, string>(
  Object.values(scripts).map((script) => [script, createHash('sha1').update(script.lua).digest('hex')]),
);

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
    const client = await this.#open(key, closed);
    try {
      const info = String(await this.#inTime(client.send(['INFO', 'server', 'replication'])));
      // A script that a server does not know would be sent twice, behind what came after it.
      await this.#inTime(Promise.all([...DIGESTS.keys()].map(({ lua }) => client.send(['SCRIPT', 'LOAD', lua]))));
      return {
        runId: lifeOf(info),
        async run(script, keys, parameters) {
          const digest = DIGESTS.get(script) ?? '';
          const reply = await client.send(['EVALSHA', digest, String(keys.length), ...keys, ...parameters]);
          return reply as ScriptReply;
        },
        publish: async (channel, text) => Number(await client.send(['SPUBLISH', channel, text])),
        close: client.end,
      };
    } catch (error) {
      client.end();
      throw error;
    }
  }

  async subscribe(
    channel: string,
    { message, closed }: { message(text: string): void; closed(): void },
  ): Promise<RedisSubscription> {
    const client = await this.#open(channel, closed);
    try {
      await this.#inTime(client.subscribe(channel, { message, moved: client.end }));
    } catch (error) {
      client.end();
      throw error;
    }
    void this.#watch(client, channel);
    return { close: client.end };
  }

  /** Nothing else asks anything of this connection, so that it would not be noticed when the server is gone. */
  async #watch(client: RedisClient, channel: string): Promise<void> {
    try {
      const [, count] = (await this.#inTime(client.send(['PUBSUB', 'SHARDNUMSUB', channel]))) as unknown[];
      if (Number(count) === 0) throw new Error('another server has the channel');
    } catch {
      client.end();
      return;
    }
    this.#clock.after(this.#timeoutMs, () => void this.#watch(client, channel));
  }

  async #open(key: string, closed: () => void): Promise<RedisClient> {
    const client = await this.#servers.connect(key);
    void client.ended.then(closed);
    return client;
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    return withTimeout(work, this.#timeoutMs, this.#clock);
  }
}

/**
 * Names one life of a server as a primary. Its run id alone does not: a primary that was a replica for a while may have lost
 * what its successor never heard of, and goes on with the same run id. A promotion changes the id of its replication.
 */
function lifeOf(info: string): string {
  const [runId, replication, role] = ['run_id', 'master_replid', 'role'].map(
    (name) => new RegExp(`^${name}:(\\w+)`, 'm').exec(info)?.[1],
  );
  if (runId === undefined || replication === undefined) {
    throw new Error('the server has no run id: it is behind a proxy, or no Redis');
  }
  if (role !== 'master') throw new Error('the server is a replica');
  return createHash('sha1').update(`${runId} ${replication}`).digest('hex');
}
