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
    return await this.#servers.open(async (client) => {
      const [, info] = await Promise.all([
        client.send(['EXISTS', key]),
        client.send(['INFO', 'server', 'replication']),
        // A script that a server does not know would be sent twice, behind what came after it.
        ...[...DIGESTS.keys()].map(({ lua }) => client.send(['SCRIPT', 'LOAD', lua])),
      ]);
      const runId = lifeOf(String(info));
      void client.ended.then(closed);
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
