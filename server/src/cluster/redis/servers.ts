import { createClient } from '@redis/client';
import { type Clock, withTimeout } from '../../clock.ts';

/** Where the servers of a directory are. */
export interface RedisPlace {
  /** The server, or several nodes of one Redis Cluster, separated by commas. */
  readonly url: string;
  /** Sentinels, separated by commas. The host of `url` is then the name by which they know the primary. */
  readonly sentinelUrl?: string | undefined;
}

/** One connection, which is never connected again. */
export type RedisClient = Awaited<ReturnType<typeof connectTo>>;

interface ClientOptions {
  /** 2 saves a round trip; with 3, a connection that subscribes can still send other commands. */
  readonly RESP?: 2 | 3;
}

/** A cluster whose nodes redirect more often than this does not agree with itself. */
const MAX_REDIRECTIONS = 5;

/** Finds the primary that has a key: the only server, the one that Sentinels name, or one of a Redis Cluster. */
export class RedisServers {
  /** The first one is asked. It goes to the end when it does not answer. */
  readonly #urls: string[];
  readonly #sentinelUrls: string[];
  readonly #timeoutMs: number;
  readonly #clock: Clock;

  constructor({ url, sentinelUrl, timeoutMs, clock }: RedisPlace & { timeoutMs: number; clock: Clock }) {
    this.#urls = urlsIn(url);
    this.#sentinelUrls = urlsIn(sentinelUrl ?? '');
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  /**
   * Connects to the present primary. What begins must send commands about a key or a channel, to which another server
   * replies that it is not the one. What fails is not tried again.
   */
  async open<T>(begin: (client: RedisClient) => Promise<T>, options: ClientOptions = {}): Promise<T> {
    let url = await this.#findEntrance();
    for (let redirections = 0; redirections <= MAX_REDIRECTIONS; redirections += 1) {
      const begun = await this.#beginAt(url, begin, options).catch((error: unknown) => {
        if (redirections === 0) rotate(this.#urls, url);
        throw error;
      });
      if (!(begun instanceof URL)) return begun;
      url = begun.href;
    }
    throw new Error(`the cluster redirected more than ${MAX_REDIRECTIONS} times: its nodes do not agree`);
  }

  /** Connects to any one of the servers. Each is tried once. */
  async connectToAny(): Promise<RedisClient> {
    for (let left = Math.max(this.#urls.length, this.#sentinelUrls.length); ; left -= 1) {
      const [first = ''] = this.#urls;
      try {
        return await connectTo(await this.#findEntrance(), this.#timeoutMs);
      } catch (error) {
        if (left <= 1) throw error;
        rotate(this.#urls, first);
      }
    }
  }

  /** What has begun, or the URL of the server to which this one redirects. */
  async #beginAt<T>(url: string, begin: (client: RedisClient) => Promise<T>, options: ClientOptions): Promise<T | URL> {
    const client = await connectTo(url, this.#timeoutMs, options);
    try {
      return await withTimeout(begin(client), this.#timeoutMs, this.#clock);
    } catch (error) {
      client.end();
      const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(error instanceof Error ? error.message : '') ?? [];
      if (host === undefined || port === undefined) throw error;
      return siblingOf(url, host, port);
    }
  }

  async #findEntrance(): Promise<string> {
    const [url = ''] = this.#urls;
    const [sentinelUrl] = this.#sentinelUrls;
    if (sentinelUrl === undefined) return url;
    try {
      const name = new URL(url).hostname;
      const sentinel = await connectTo(sentinelUrl, this.#timeoutMs);
      try {
        const asking = sentinel.send(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name]);
        const address = await withTimeout(asking, this.#timeoutMs, this.#clock);
        if (!Array.isArray(address)) throw new Error(`Sentinel knows no primary with the name "${name}"`);
        return siblingOf(url, String(address[0]), String(address[1])).href;
      } finally {
        sentinel.end();
      }
    } catch (error) {
      rotate(this.#sentinelUrls, sentinelUrl);
      throw error;
    }
  }
}

/** Opens one connection to one server. */
export async function connectTo(url: string, timeoutMs: number, { RESP = 2 }: ClientOptions = {}) {
  const client = createClient({
    ...{ url, RESP, disableOfflineQueue: true, disableClientInfo: true, maintNotifications: 'disabled' },
    socket: { reconnectStrategy: false, connectTimeout: timeoutMs },
  });
  let noteEnd = () => {};
  const ended = new Promise<void>((resolve) => {
    noteEnd = resolve;
  });
  const end = () => {
    noteEnd();
    if (client.isOpen) client.destroy();
  };
  client.on('error', end);
  client.on('end', end);
  try {
    await client.connect();
  } catch (error) {
    end();
    throw error;
  }
  return {
    url,
    /** Resolves when the connection has ended, for whatever reason. */
    ended,
    end,
    send: async (words: string[]): Promise<unknown> => await client.sendCommand(words),
    /** What is published on the channel comes in order. `moved` is called when another server has the channel from now on. */
    async subscribe(channel: string, { message, moved }: { message(text: string): void; moved(): void }) {
      client.on('sharded-channel-moved', moved);
      await client.sSubscribe(channel, (text) => message(text));
    },
  };
}

/** The URL of another server of the same kind. An empty host is the one that was asked. */
export function siblingOf(url: string, host: string, port: string): URL {
  const other = new URL(url);
  const name = host === '' ? other.hostname : host;
  other.host = `${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}:${port}`;
  return other;
}

/** A password may have commas of its own. */
function urlsIn(text: string): string[] {
  return text === '' ? [] : text.split(/,(?=rediss?:\/\/)/);
}

/** Moves the item to the end, unless another caller has done so meanwhile. */
function rotate(items: string[], item: string): void {
  if (items[0] === item) items.push(...items.splice(0, 1));
}
