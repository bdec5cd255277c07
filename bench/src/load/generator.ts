import type { HandlerName } from '../cloud-code/handlers.ts';
import { quantile } from '../statistics.ts';
import { DIALECTS, type DialectName } from './dialects.ts';
import { HttpConnection } from './http.ts';
import { type Pacing, paced } from './pacing.ts';
import { Connection, type Dialect, type Player, type PlayerSeed } from './players.ts';

/** How much of its core the generator itself used, from 0 to 1: a busy generator would measure itself. */
export interface Effort {
  readonly durationMs: number;
  readonly cpuShare: number;
}

export interface DisconnectFigures extends Effort {
  /** For each call, the time from when it was due until its answer. */
  readonly callMs: readonly number[];
  /** For each call, the time from when it was due until the client saw the last of the player's sockets close. */
  readonly closedMs: readonly number[];
  /** The 99th percentile of how late the generator itself made a call. */
  readonly latenessMs: number;
}

export interface RoundTripFigures extends Effort {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The players of one contestant and the callers of its management API. Every answer is checked: a wrong one throws. */
export interface Generator {
  /** Opens the connections that these players lack, `atOnce` at a time. */
  connect(load: { seeds: readonly PlayerSeed[]; perPlayer: number; atOnce: number }): Promise<Effort>;
  /** Opens `count` HTTP connections for the calls of the next `disconnect`, once the server has answered on each. */
  openCallers(load: { count: number; request: string }): Promise<void>;
  /** Makes the calls and closes the connections that they used; more are opened only while all of these are busy. */
  disconnect(load: {
    calls: readonly { readonly playerId: string; readonly request: string }[];
    pacing: Pacing;
  }): Promise<DisconnectFigures>;
  /** Sends small requests, or messages to a handler, over all connections in turn. */
  roundTrips(load: { count: number; pacing: Pacing; handler?: HandlerName }): Promise<RoundTripFigures>;
  /** Sends messages whose handler notifies this many players each, and waits until all notifications have arrived. */
  notifications(load: { count: number; pacing: Pacing; handler: HandlerName; players: number }): Promise<Effort>;
  /** Ends every connection from the player's side. */
  leave(): Promise<void>;
}

/** Longer than any contestant takes to end a socket that has answered its close frame. */
const CLOSE_TIMEOUT_MS = 5_000;
const NOTIFICATIONS_TIMEOUT_MS = 60_000;
const MAX_HTTP_CONNECTIONS = 512;

/** Where the load goes. In a cluster, calls may go to another node than the players of this generator. */
export interface LoadTarget {
  readonly port: number;
  readonly dialect: DialectName;
  readonly callPort?: number;
  /** The part of 127.0.0.0/8 that the players of this generator come from: 127.0.NETWORK.0/24. */
  readonly network?: number;
  /** Whether an answer names the sockets that a call has closed. It does, unless this is false. */
  readonly isConfirmed?: boolean;
}

export class LoadGenerator implements Generator {
  readonly #port: number;
  readonly #callPort: number;
  readonly #network: number;
  readonly #isConfirmed: boolean;
  readonly #dialect: Dialect;
  readonly #players = new Map<string, Player>();
  #callers: HttpPool;
  #serial = 0;
  #expectedOpen = 0;

  constructor({ port, dialect, callPort = port, network = 0, isConfirmed = true }: LoadTarget) {
    this.#port = port;
    this.#callPort = callPort;
    this.#network = network;
    this.#isConfirmed = isConfirmed;
    this.#dialect = DIALECTS[dialect];
    this.#callers = new HttpPool(callPort);
  }

  async connect({ seeds, perPlayer, atOnce }: Parameters<Generator['connect']>[0]): Promise<Effort> {
    const missing = seeds.flatMap((seed) => {
      const player = this.#players.get(seed.playerId) ?? { ...seed, connections: [] };
      this.#players.set(seed.playerId, player);
      return Array.from({ length: perPlayer - player.connections.length }, () => player);
    });
    const pool = new HttpPool(this.#port);
    const effort = await measured(() =>
      paced(missing.length, { atOnce }, (index) => pool.use((http) => this.#open(missing[index] as Player, http))),
    );
    pool.close();
    this.#verifyOthers();
    return effort;
  }

  async openCallers({ count, request }: Parameters<Generator['openCallers']>[0]): Promise<void> {
    const answer = () => this.#callers.use((http) => http.request(request));
    for (const { status, body } of await Promise.all(Array.from({ length: count }, answer))) {
      if (status !== 200) throw new Error(`a call for nobody was answered with ${status} ${body.slice(0, 300)}`);
    }
  }

  async disconnect({ calls, pacing }: Parameters<Generator['disconnect']>[0]): Promise<DisconnectFigures> {
    const pool = this.#callers;
    const callMs: number[] = [];
    const closedMs: number[] = [];
    const latenessMs: number[] = [];
    const verified: Promise<void>[] = [];
    const effort = await measured(() =>
      paced(calls.length, pacing, async (index, dueAt) => {
        const { playerId, request } = calls[index] as (typeof calls)[number];
        const player = this.#players.get(playerId) as Player;
        latenessMs.push(performance.now() - dueAt);
        const { status, body } = await pool.use((http) => http.request(request));
        callMs.push(performance.now() - dueAt);
        const check = this.#verify(player, status, body).then((closedAt) => void closedMs.push(closedAt - dueAt));
        check.catch(() => {});
        verified.push(check);
        // A caller who gets no confirmation waits for as long as one who does.
        if (!this.#isConfirmed) await check;
      }),
    );
    await Promise.all(verified);
    pool.close();
    this.#callers = new HttpPool(this.#callPort);
    // Close frames that have arrived for other players are read before their sockets are counted.
    await new Promise((resolve) => setImmediate(resolve));
    this.#verifyOthers();
    return { ...effort, callMs, closedMs, latenessMs: quantile(latenessMs, 0.99) };
  }

  async roundTrips({ count, pacing, handler }: Parameters<Generator['roundTrips']>[0]): Promise<RoundTripFigures> {
    const connections = this.#connections();
    const frame = handler === undefined ? this.#dialect.request : this.#dialect.messages?.[handler];
    if (frame === undefined) throw new Error(`this contestant has no handler ${handler}`);
    const tookMs: number[] = [];
    const effort = await measured(() =>
      paced(count, pacing, (index, dueAt) => {
        const connection = connections[index % connections.length] as Connection;
        return new Promise((resolve) => {
          connection.request(frame, () => {
            tookMs.push(performance.now() - dueAt);
            resolve();
          });
        });
      }),
    );
    this.#verifyOthers();
    return { ...effort, count, p50Ms: quantile(tookMs, 0.5), p99Ms: quantile(tookMs, 0.99) };
  }

  async notifications({ players, ...load }: Parameters<Generator['notifications']>[0]): Promise<Effort> {
    const connections = this.#connections();
    const arrived = () => connections.reduce((sum, { notifications }) => sum + notifications, 0);
    const expected = arrived() + load.count * players;
    const deadline = performance.now() + NOTIFICATIONS_TIMEOUT_MS;
    return await measured(async () => {
      await this.roundTrips(load);
      while (arrived() < expected) {
        if (performance.now() > deadline) throw new Error(`${expected - arrived()} notifications have not arrived`);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      if (arrived() > expected)
        throw new Error(`${arrived() - expected} more notifications have arrived than were sent`);
    });
  }

  async leave(): Promise<void> {
    const connections = this.#connections();
    for (const connection of connections) connection.destroy();
    await Promise.all(connections.map(({ closed }) => closed));
    this.#players.clear();
    this.#expectedOpen = 0;
  }

  #connections(): Connection[] {
    return [...this.#players.values()].flatMap(({ connections }) => connections);
  }

  async #open(player: Player, http: HttpConnection): Promise<void> {
    const path = await this.#dialect.path(player, this.#port, http);
    this.#serial += 1;
    const [dialect, port, network] = [this.#dialect, this.#port, this.#network];
    const connection = new Connection({ player, dialect, path, port, serial: this.#serial, network });
    player.connections.push(connection);
    await connection.welcomed;
    this.#expectedOpen += 1;
  }

  /** Checks that a call closed and named every socket of its player, with the contestant's close code. Returns when. */
  async #verify(player: Player, status: number, body: string): Promise<number> {
    const { connections } = player;
    await withinTime(
      Promise.all(connections.map(({ closed }) => closed)),
      () => `${connections.filter(({ isOpen }) => isOpen).length} sockets of ${player.playerId} were not closed`,
    );
    if (status !== 200 || (this.#isConfirmed && !namesAll(connections, body))) {
      const ids = connections.map(({ id }) => id ?? 'one without an id').join(', ');
      throw new Error(`a disconnect of the sockets ${ids} was answered with ${status} ${body.slice(0, 300)}`);
    }
    for (const { closeCode } of connections) {
      if (closeCode === this.#dialect.closeCode) continue;
      throw new Error(`a socket was closed with ${closeCode}, not ${this.#dialect.closeCode}`);
    }
    this.#expectedOpen -= connections.length;
    player.connections = [];
    return Math.max(...connections.map(({ closedAt = 0 }) => closedAt));
  }

  /** Checks that the sockets of all other players are still open. */
  #verifyOthers(): void {
    const openNow = this.#connections().filter(({ isOpen }) => isOpen).length;
    if (openNow !== this.#expectedOpen) {
      throw new Error(`${openNow} sockets are open, but ${this.#expectedOpen} should be`);
    }
  }
}

/** Whether an answer says of each of these connections, and of no other, that it was closed. */
function namesAll(connections: readonly Connection[], body: string): boolean {
  const answer = JSON.parse(body) as { DisconnectSuccesses?: string[]; DisconnectFailures?: string[] };
  const { DisconnectSuccesses: successes = [], DisconnectFailures: failures = [] } = answer;
  const isComplete = successes.length === connections.length && new Set(successes).size === connections.length;
  const isNamed = connections.every(({ id }) => id === undefined || successes.includes(id));
  return failures.length === 0 && isComplete && isNamed;
}

async function measured(work: () => Promise<void>): Promise<Effort> {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  const durationMs = performance.now() - startedAt;
  return { durationMs, cpuShare: (user + system) / 1000 / durationMs };
}

/**
 * HTTP connections for requests that run at once. A request gets the one that has been free for longest, so that none is
 * silent until its server closes it; a request that finds none free opens one, up to the maximum.
 */
class HttpPool {
  readonly #port: number;
  readonly #all = new Set<HttpConnection>();
  #free: HttpConnection[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  async use<T>(work: (http: HttpConnection) => Promise<T>): Promise<T> {
    const http = this.#free.shift() ?? this.#open();
    const result = await work(http);
    this.#free.push(http);
    return result;
  }

  close(): void {
    for (const http of this.#all) http.close();
  }

  #open(): HttpConnection {
    if (this.#all.size >= MAX_HTTP_CONNECTIONS) {
      throw new Error(`${MAX_HTTP_CONNECTIONS} requests are already waiting: the load is too high`);
    }
    const http = new HttpConnection(this.#port);
    this.#all.add(http);
    void http.closed.then(() => {
      this.#all.delete(http);
      this.#free = this.#free.filter((free) => free !== http);
    });
    return http;
  }
}

async function withinTime(work: Promise<unknown>, explain: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(explain())), CLOSE_TIMEOUT_MS);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
