import { createHash } from 'node:crypto';
import { createClient } from '@redis/client';
import { type Clock, withTimeout } from '../../clock.ts';
import type { RedisLink, RedisSession, RedisSubscription, Script, ScriptReply } from './link.ts';
import * as scripts from './scripts.ts';

/** Script → the digest by which a server that has loaded it knows it. */
const DIGESTS = new Map<Script, string>(
  Object.values(scripts).map((script) => [script, createHash('sha1').update(script.lua).digest('hex')]),
);

/**
 * The link over node-redis. Each of its clients is one connection and is never connected again: nothing is queued while it is
 * away, and nothing is sent a second time.
 */
export class NodeRedisLink implements RedisLink {
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;

  constructor({ url, timeoutMs, clock }: { url: string; timeoutMs: number; clock: Clock }) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  async connect(closed: () => void): Promise<RedisSession> {
    const { client, end } = await this.#open(closed);
    try {
      const runId = /^run_id:([0-9a-f]+)/m.exec(await client.sendCommand(['INFO', 'server']))?.[1];
      if (runId === undefined) throw new Error('the server has no run id: it is behind a proxy, or no Redis');
      // A script that a server does not know would be sent twice, behind what came after it.
      await Promise.all([...DIGESTS.keys()].map(({ lua }) => client.sendCommand(['SCRIPT', 'LOAD', lua])));
      return {
        runId,
        async run(script, keys, parameters) {
          const digest = DIGESTS.get(script) ?? '';
          const reply = await client.sendCommand(['EVALSHA', digest, String(keys.length), ...keys, ...parameters]);
          return reply as unknown as ScriptReply;
        },
        publish: async (channel, text) => Number(await client.sendCommand(['PUBLISH', channel, text])),
        close: end,
      };
    } catch (error) {
      end();
      throw error;
    }
  }

  async subscribe(
    channel: string,
    { message, closed }: { message(text: string): void; closed(): void },
  ): Promise<RedisSubscription> {
    const { client, end, isEnded } = await this.#open(closed);
    try {
      await client.subscribe(channel, (text) => message(text));
    } catch (error) {
      end();
      throw error;
    }
    // Nothing else asks anything of this connection, so that it would not be noticed when the server is gone.
    const watch = async (): Promise<void> => {
      try {
        await withTimeout(client.ping(), this.#timeoutMs, this.#clock);
        if (!isEnded()) this.#clock.after(this.#timeoutMs, () => void watch());
      } catch {
        end();
      }
    };
    void watch();
    return { close: end };
  }

  async #open(closed: () => void) {
    const client = createClient({
      url: this.#url,
      RESP: 2,
      disableOfflineQueue: true,
      disableClientInfo: true,
      socket: { reconnectStrategy: false, connectTimeout: this.#timeoutMs },
    });
    let hasEnded = false;
    const end = () => {
      if (hasEnded) return;
      hasEnded = true;
      if (client.isOpen) client.destroy();
      closed();
    };
    client.on('error', end);
    client.on('end', end);
    await client.connect();
    return { client, end, isEnded: () => hasEnded };
  }
}
