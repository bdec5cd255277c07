import type { RedisLink, RedisSession, RedisSubscription, Script, ScriptReply } from '../../src/cluster/redis/link.ts';
import type { Engine } from './engine.ts';
import { RedisData, runModel } from './redis-model.ts';

/** One end of a connection lives in a node, which may be held up or gone. */
interface Client {
  /** Runs the task in the node. Tasks of the same lane stay in their order. */
  schedule(delayMs: number, task: () => void, lane?: object): void;
  readonly isCut: boolean;
}

/** One TCP connection. What is on its way arrives in order, or not at all. */
class Connection {
  readonly client: Client;
  readonly closed: () => void;
  readonly pending = new Set<(error: Error) => void>();
  /** What has reached the server's end and waits until the server, or the way to it, goes on. */
  readonly inbox: (() => void)[] = [];
  subscription: { readonly channel: string; message(text: string): void } | undefined;
  isOpenAtServer = true;
  isOpenAtClient = true;
  sentUntil = 0;
  repliedUntil = 0;

  constructor(client: Client, closed: () => void) {
    this.client = client;
    this.closed = closed;
  }
}

/** A Redis server, the links of nodes to it, and what may go wrong with both. */
export class SimulatedRedis {
  data = new RedisData();
  runId = 'a000';
  isPaused = false;
  isUp = true;
  /** The share of messages between nodes that get lost. */
  lossRate = 0;
  /** Called when a script has reached the server, before it runs. */
  arrived: (client: Client, name: string) => void = () => {};
  /** Partition → when its current era began, as the engine counts. */
  readonly erasBegan = new Map<string, number>();
  readonly #engine: Engine;
  readonly #coverage: Set<string>;
  readonly #connections = new Set<Connection>();
  #runs = 0;

  constructor(engine: Engine, coverage: Set<string>) {
    this.#engine = engine;
    this.#coverage = coverage;
  }

  linkOf(client: Client): RedisLink {
    return {
      connect: async (_key, closed) => {
        const connection = await this.#open(client, closed);
        const runId = await this.#ask(connection, () => this.runId);
        const session: RedisSession = {
          runId,
          run: (script, keys, texts) => this.#ask(connection, () => this.#run(script, keys, texts), script.name),
          publish: (channel, text) => this.#ask(connection, () => this.#publish(channel, text)),
          close: () => this.#closeAtClient(connection),
        };
        return session;
      },
      subscribe: async (channel, { message, closed }) => {
        const connection = await this.#open(client, closed);
        const subscription: RedisSubscription = { close: () => this.#closeAtClient(connection) };
        await this.#ask(connection, () => {
          connection.subscription = { channel, message };
        });
        return subscription;
      },
    };
  }

  /** The entries that a caller would find, by connection id. */
  entries(): Map<string, string> {
    const eras = [...this.data.texts].flatMap(([key, era]) =>
      key.endsWith(':era') ? [`${key.slice(0, -3)}${era}:c:`] : [],
    );
    const hashes = [...this.data.hashes].filter(([key]) => eras.some((start) => key.startsWith(start)));
    return new Map(hashes.flatMap(([, hash]) => [...hash]));
  }

  /** The server ends and starts again later, with these data. */
  restart(data: RedisData, downMs: number): void {
    this.isUp = false;
    this.breakAll(() => true);
    this.#engine.after(downMs, () => {
      this.#runs += 1;
      this.runId = `b${this.#runs.toString(16).padStart(3, '0')}`;
      this.data = data;
      this.isUp = true;
    });
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.flush();
  }

  /** Cuts connections off at once; of what is on its way some still arrives. */
  breakAll(isMeant: (client: Client) => boolean): void {
    for (const connection of [...this.#connections]) {
      if (!isMeant(connection.client)) continue;
      if (!this.isUp || this.#engine.chance(0.5)) connection.inbox.length = 0;
      this.#closeAtServer(connection);
      connection.client.schedule(this.#latency(), () => this.#endAtClient(connection), connection);
    }
  }

  /** Lets what has been held up arrive, in any order among connections. */
  flush(): void {
    const held = [...this.#connections].filter(({ inbox }) => inbox.length > 0);
    for (const connection of held) {
      // TCP sends again less and less often.
      const delayMs = this.#engine.chance(0.3) ? this.#engine.between(0, 1_500) : this.#engine.between(0, 5);
      this.#engine.after(delayMs, () => this.#work(connection));
    }
  }

  #latency(): number {
    return this.#engine.between(0.1, this.#engine.chance(0.1) ? 80 : 2);
  }

  async #open(client: Client, closed: () => void): Promise<Connection> {
    const connection = new Connection(client, closed);
    await new Promise<void>((resolve, reject) => {
      const answer = () => {
        if (client.isCut) this.#engine.after(50, answer);
        else if (!this.isUp) client.schedule(this.#latency(), () => reject(new Error('connection refused')));
        else {
          this.#connections.add(connection);
          connection.inbox.push(() => client.schedule(this.#latency(), resolve));
          this.#work(connection);
        }
      };
      this.#engine.after(this.#latency(), answer);
    });
    return connection;
  }

  #ask<T>(connection: Connection, work: () => T, name = ''): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!connection.isOpenAtClient) {
        reject(new Error('the connection is closed'));
        return;
      }
      connection.pending.add(reject);
      const arrivesMs = Math.max(connection.sentUntil + 0.001, this.#engine.nowMs + this.#latency());
      connection.sentUntil = arrivesMs;
      this.#engine.after(arrivesMs - this.#engine.nowMs, () => {
        if (!connection.isOpenAtServer) return;
        this.arrived(connection.client, name);
        connection.inbox.push(() => this.#reply(connection, work(), resolve, reject));
        this.#work(connection);
      });
    });
  }

  /** Does what has arrived, unless the server or the way to it stands still. */
  #work(connection: Connection): void {
    if (this.isPaused || !this.isUp || connection.client.isCut) return;
    for (let task = connection.inbox.shift(); task !== undefined; task = connection.inbox.shift()) {
      if (!connection.isOpenAtClient) this.#coverage.add('a command of a connection that was given up');
      task();
    }
  }

  #reply<T>(connection: Connection, reply: T, resolve: (reply: T) => void, reject: (error: Error) => void): void {
    const send = () => {
      if (!connection.isOpenAtServer) return;
      if (connection.client.isCut) {
        this.#engine.after(50, send);
        return;
      }
      const take = () => {
        connection.pending.delete(reject);
        if (connection.isOpenAtClient) resolve(reply);
      };
      connection.client.schedule(0, take, connection);
    };
    const arrivesMs = Math.max(connection.repliedUntil + 0.001, this.#engine.nowMs + this.#latency());
    connection.repliedUntil = arrivesMs;
    this.#engine.after(arrivesMs - this.#engine.nowMs, send);
  }

  #run(script: Script, keys: readonly string[], texts: readonly string[]): ScriptReply {
    const before = this.data.texts.get(keys[0] ?? '');
    const reply = runModel(script.name, this.data, keys, texts);
    if (script.name === 'enter' && reply[1] !== before) this.erasBegan.set(keys[0] ?? '', this.#engine.nowMs);
    if (reply[0] !== 'ok') this.#coverage.add(`${script.name}: ${reply[0]}`);
    return reply;
  }

  #publish(channel: string, text: string): number {
    let receivers = 0;
    for (const connection of this.#connections) {
      if (connection.subscription?.channel !== channel) continue;
      receivers += 1;
      if (this.#engine.chance(this.lossRate) || connection.client.isCut) {
        this.#coverage.add(text.includes('"to"') ? 'a lost acknowledgement' : 'a lost request');
        continue;
      }
      const { message } = connection.subscription;
      const arrivesMs = Math.max(connection.repliedUntil + 0.001, this.#engine.nowMs + this.#latency());
      connection.repliedUntil = arrivesMs;
      this.#engine.after(arrivesMs - this.#engine.nowMs, () => {
        const take = () => {
          if (connection.isOpenAtClient) message(text);
        };
        connection.client.schedule(0, take, connection);
      });
    }
    return receivers;
  }

  /** The server hears of it later, and may still do what was sent before. */
  #closeAtClient(connection: Connection): void {
    if (!connection.isOpenAtClient) return;
    this.#engine.after(this.#latency() + (connection.client.isCut ? 500 : 0), () => {
      connection.inbox.push(() => this.#closeAtServer(connection));
      this.#work(connection);
    });
    this.#endAtClient(connection);
  }

  #endAtClient(connection: Connection): void {
    if (!connection.isOpenAtClient) return;
    connection.isOpenAtClient = false;
    for (const reject of connection.pending) reject(new Error('the connection was lost'));
    connection.pending.clear();
    connection.closed();
  }

  #closeAtServer(connection: Connection): void {
    connection.isOpenAtServer = false;
    this.#connections.delete(connection);
  }
}
