import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { CONNECT_PATH } from '@respark/protocol';
import { freePort } from '../support/free-port.ts';
import { type PostgresServer, startPostgres, whyNoPostgres } from '../support/postgres.ts';
import { findProxy } from '../support/proxy-programs.ts';
import { findRedisFault, RedisServer } from '../support/redis-server.ts';
import { BIN } from '../support/server-process.ts';
import { Cable } from './cable.ts';
import type { Scope } from './scope.ts';

export interface Times {
  readonly leaseMs: number;
  readonly marginMs: number;
  readonly renewMs: number;
  readonly recoveryMs: number;
  readonly redisTimeoutMs: number;
  readonly deadlineMs: number;
  /** How long Redis is held up. */
  readonly pauseMs: number;
  /** How long a node is cut off from PostgreSQL. */
  readonly databaseCutMs: number;
}

const NODES = ['node-a', 'node-b', 'node-c'];
const START_MS = 60_000;
export const CREDENTIALS = { accessKeyId: 'CLUSTERROOT', secretAccessKey: 'root-secret-of-the-cluster-under-faults' };

/** What is missing to run this; undefined when all is there. */
export function findMissing(): string | undefined {
  if (whyNoPostgres !== false) return whyNoPostgres;
  const haproxy = findProxy('haproxy') === undefined ? 'there is no haproxy: apt-get install haproxy' : undefined;
  try {
    return findRedisFault() ?? haproxy;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** One of the servers of the cluster, which can be killed and started again. */
export class Node {
  readonly name: string;
  readonly port: number;
  readonly redis: Cable;
  readonly database: Cable;
  readonly #start: () => ChildProcess;
  readonly #logged: () => string;
  #child: ChildProcess | undefined;
  #lives = 0;
  #stoppedAt: number | undefined;
  /** When its process was stopped, and until when. */
  readonly stops: { readonly fromMs: number; readonly toMs: number }[] = [];

  constructor(parts: {
    readonly name: string;
    readonly port: number;
    readonly redis: Cable;
    readonly database: Cable;
    readonly start: () => ChildProcess;
    /** The end of what it has logged. */
    readonly logged: () => string;
  }) {
    this.name = parts.name;
    this.port = parts.port;
    this.redis = parts.redis;
    this.database = parts.database;
    this.#start = parts.start;
    this.#logged = parts.logged;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get playerUrl(): string {
    return `ws://127.0.0.1:${this.port}${CONNECT_PATH}`;
  }

  /** Names the process that runs now. */
  get life(): string {
    return `${this.name} #${this.#lives}`;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when it answers, which may be long before it is ready. */
  async start(): Promise<void> {
    this.#lives += 1;
    this.#child = this.#start();
    const deadline = performance.now() + START_MS;
    while ((await this.#page('healthz')) !== 200) {
      if (!this.isRunning) throw new Error(`${this.name} ended at its start: ${this.#logged()}`);
      if (performance.now() > deadline) throw new Error(`${this.name} does not answer`);
      await pass(50);
    }
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  async ended(): Promise<void> {
    if (this.isRunning) await once(this.#child as ChildProcess, 'exit');
  }

  hold(): void {
    this.#child?.kill('SIGSTOP');
    this.#stoppedAt = performance.now();
  }

  goOn(): void {
    if (this.#stoppedAt === undefined) return;
    this.stops.push({ fromMs: this.#stoppedAt, toMs: performance.now() });
    this.#stoppedAt = undefined;
    this.#child?.kill('SIGCONT');
  }

  async isReady(): Promise<boolean> {
    return (await this.#page('readyz')) === 200;
  }

  /** The sum of the metric over all its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))];
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  async #page(name: string): Promise<number | undefined> {
    const signal = AbortSignal.timeout(2_000);
    return (await fetch(`${this.url}/${name}`, { signal }).catch(() => undefined))?.status;
  }
}

/** The cluster: three nodes behind haproxy, and what they share. */
export interface Rig {
  readonly nodes: readonly Node[];
  readonly redis: RedisServer;
  readonly postgres: PostgresServer;
  /** The address of haproxy. */
  readonly url: string;
  readonly playerUrl: string;
  readonly gameKey: string;
}

export async function startRig(scope: Scope, directory: string, times: Times): Promise<Rig> {
  const [redis, postgres] = await Promise.all([RedisServer.start(scope), startPostgres(scope)]);
  const databaseUrl = new URL(await postgres.emptyDatabase(scope));
  const run = (name: string, words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    startProgram(scope, { words, env, logFile: join(directory, `${name}.log`) });

  const nodes: Node[] = [];
  for (const name of NODES) {
    const [redisCable, databaseCable, port] = await Promise.all([
      Cable.open(Number(new URL(redis.url).port), scope),
      Cable.open(Number(databaseUrl.port), scope),
      freePort(),
    ]);
    const database = new URL(databaseUrl);
    database.port = String(databaseCable.port);
    const env = {
      ...environmentOf(times),
      RESPARK_REDIS_URL: `redis://127.0.0.1:${redisCable.port}`,
      RESPARK_DATABASE_URL: database.href,
    };
    const args = ['serve', '--demo', '--port', String(port), '--data-dir', join(directory, name)];
    const start = () => run(name, [process.execPath, BIN, ...args], env);
    const logged = () => logOf(directory, name);
    nodes.push(new Node({ name, port, redis: redisCable, database: databaseCable, start, logged }));
  }
  await Promise.all(nodes.map((node) => node.start()));

  const port = await freePort();
  const configFile = join(directory, 'haproxy.cfg');
  writeFileSync(configFile, proxyConfiguration(port, nodes));
  const proxy = run('haproxy', [findProxy('haproxy') ?? 'haproxy', '-db', '-f', configFile]);
  await untilListening(port, () => {
    if (proxy.exitCode !== null) throw new Error(`haproxy ended: ${logOf(directory, 'haproxy')}`);
  });
  const { gameKey } = await readWhenThere(join(directory, NODES[0] ?? '', 'demo.json'));
  const playerUrl = `ws://127.0.0.1:${port}${CONNECT_PATH}`;
  return { nodes, redis, postgres, url: `http://127.0.0.1:${port}`, playerUrl, gameKey };
}

/** A node answers a moment before it has written about its demo game. */
async function readWhenThere(file: string): Promise<{ gameKey: string }> {
  const deadline = performance.now() + START_MS;
  while (!existsSync(file)) {
    if (performance.now() > deadline) throw new Error(`there is no ${file}`);
    await pass(20);
  }
  return JSON.parse(readFileSync(file, 'utf8'));
}

function logOf(directory: string, name: string): string {
  return readFileSync(join(directory, `${name}.log`), 'utf8').slice(-2_000);
}

/** Resolves when something accepts connections; rejects as `check` throws. */
async function untilListening(port: number, check: () => void): Promise<void> {
  for (;;) {
    check();
    const socket = connect(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await pass(20);
  }
}

/** Its children end with it, and what they print goes to a file. */
function startProgram(
  scope: Scope,
  { words, env, logFile }: { words: readonly string[]; env: Readonly<Record<string, string>>; logFile: string },
): ChildProcess {
  if (scope.isClosed) throw new Error('the run has ended, so that nothing more may start');
  const [command = '', ...args] = words;
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', log, log] });
  closeSync(log);
  scope.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return child;
}

function environmentOf(times: Times): Record<string, string> {
  const settings = {
    SECRET_KEY: Buffer.alloc(32, 'cluster').toString('base64'),
    PUBLIC_URL: 'http://respark.example',
    ROOT_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    ROOT_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    LEASE_MS: times.leaseMs,
    LEASE_MARGIN_MS: times.marginMs,
    RENEW_MS: times.renewMs,
    RECOVERY_MS: times.recoveryMs,
    REDIS_TIMEOUT_MS: times.redisTimeoutMs,
    DISCONNECT_DEADLINE_MS: times.deadlineMs,
    DATABASE_CONNECT_TIMEOUT_MS: 2_000,
    DATABASE_STATEMENT_TIMEOUT_MS: 3_000,
    // All clients come from one address, and a player may leave many entries behind at a node that is cut off.
    MAX_CONNECTIONS_PER_PLAYER: 200,
    HANDSHAKES_PER_SECOND_PER_ADDRESS: 1_000,
    MAX_UNAUTHENTICATED_PER_ADDRESS: 1_000,
    MAX_CONNECTIONS_PER_ADDRESS: 10_000,
    PAGES_PER_SECOND_PER_ADDRESS: 1_000,
    READ_CALLS_PER_SECOND: 10_000,
    DISCONNECT_CALLS_PER_SECOND: 10_000,
  };
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [`RESPARK_${name}`, String(value)]));
}

function proxyConfiguration(port: number, nodes: readonly Node[]): string {
  return `global
    maxconn 2000

defaults
    mode http
    option redispatch
    timeout connect 2s
    timeout http-request 10s
    timeout client 90s
    timeout server 90s
    timeout tunnel 90s

frontend respark
    bind 127.0.0.1:${port}
    default_backend respark

backend respark
    balance leastconn
    option httpchk GET /readyz
    http-response set-header X-Node %s
${nodes.map(({ name, port: at }) => `    server ${name} 127.0.0.1:${at} check inter 500ms fall 2 rise 1`).join('\n')}
`;
}
