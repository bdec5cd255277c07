import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { DisconnectPlayerCommand, GetPlayerConnectionStatusCommand } from '@aws-sdk/client-gamesparks';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';
import { type PostgresServer, whyNoPostgres } from './postgres.ts';
import { createWorkplace, type Ended, type RunningServer } from './process.ts';
import { findRedisFault, RedisServer } from './redis-server.ts';

/** Why tests of clusters are skipped; false when both servers are there. In CI a missing one is a failure. */
export const whyNoCluster: string | false = findRedisFault() ?? whyNoPostgres;

/** Short enough for tests, and long enough for a machine that does other work meanwhile. */
export const TIMES = { leaseMs: 6_000, recoveryMs: 6_000, deadlineMs: 2_000 };

const ENV = {
  RESPARK_SECRET_KEY: Buffer.alloc(32, 'cluster').toString('base64'),
  RESPARK_PUBLIC_URL: 'http://respark.example',
  RESPARK_LEASE_MS: String(TIMES.leaseMs),
  RESPARK_LEASE_MARGIN_MS: '1000',
  RESPARK_RENEW_MS: '500',
  RESPARK_RECOVERY_MS: String(TIMES.recoveryMs),
  RESPARK_REDIS_TIMEOUT_MS: '1000',
  RESPARK_DISCONNECT_DEADLINE_MS: String(TIMES.deadlineMs),
  RESPARK_READ_CALLS_PER_SECOND: '1000',
  RESPARK_WRITE_CALLS_PER_SECOND: '1000',
};

interface TestNodes {
  readonly nodes: readonly RunningServer[];
  disconnect(node: RunningServer, player: string): Promise<{ successes: string[]; failures: string[] }>;
  status(node: RunningServer, player: string): Promise<string[]>;
  /** Runs a command of `respark` against the node. */
  run(node: RunningServer, ...args: readonly string[]): Promise<Ended>;
  /** The nodes as this one lists them. */
  list(node: RunningServer): Promise<readonly { Id: string; State: string; Url?: string; Connections?: number }[]>;
  isReady(node: RunningServer): Promise<boolean>;
  /** Makes an access key with these statements, as whoever has the settings of the nodes does. */
  createKey(statements: readonly object[]): Promise<AccessKeyPair>;
  untilReady(nodes?: readonly RunningServer[]): Promise<void>;
}

export interface TestCluster extends TestNodes {
  readonly redis: RedisServer;
}

/** Servers that share a Redis and a database, and so the demo game and all keys. */
export async function startCluster(
  t: TestContext,
  postgres: PostgresServer,
  count: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<TestCluster> {
  const redis = await RedisServer.start(t);
  return { redis, ...(await startNodes(t, postgres, count, { ...settings, RESPARK_REDIS_URL: redis.url })) };
}

/** The same, with a Redis and settings of the caller's. */
export async function startNodes(
  t: TestContext,
  postgres: PostgresServer,
  count: number,
  changed: Readonly<Record<string, string>>,
): Promise<TestNodes> {
  const workplace = createWorkplace(t);
  const env = { ...ENV, ...changed, RESPARK_DATABASE_URL: await postgres.emptyDatabase(t) };
  const names = Array.from({ length: count }, (_, number) => `node-${number}`);
  const nodes = await Promise.all(names.map((name) => workplace.serve(['--demo', '--data-dir', name], { env })));
  const named = (player: string) => ({ GameName: 'Demo', StageName: 'Dev', PlayerId: player });
  const isReady = async ({ url }: RunningServer) =>
    (await fetch(new URL('/readyz', url)).catch(() => undefined))?.status === 200;
  const run = ({ dataDir }: RunningServer, ...args: readonly string[]) =>
    workplace.respark([...args, '--data-dir', dataDir]);
  return {
    nodes,
    run,
    async list(node) {
      const { stdout, stderr } = await run(node, 'nodes', '--json');
      assert.notEqual(stdout, '', stderr);
      return JSON.parse(stdout).Nodes;
    },
    isReady,
    async createKey(statements) {
      const stdin = JSON.stringify({ Version: '2012-10-17', Statement: statements });
      const words = ['keys', 'create', '--policy', '-', '--json', '--data-dir', names[0] ?? ''];
      const { stdout, stderr } = await workplace.respark(words, { env, stdin });
      assert.notEqual(stdout, '', stderr);
      return JSON.parse(stdout) as AccessKeyPair;
    },
    async disconnect(node, player) {
      const reply = await node.sdk({ maxAttempts: 1 }).send(new DisconnectPlayerCommand(named(player)));
      return { successes: reply.DisconnectSuccesses ?? [], failures: reply.DisconnectFailures ?? [] };
    },
    async status(node, player) {
      const reply = await node.sdk({ maxAttempts: 1 }).send(new GetPlayerConnectionStatusCommand(named(player)));
      return (reply.Connections ?? []).map(({ Id = '' }) => Id);
    },
    untilReady: (asked = nodes) => until(async () => (await Promise.all(asked.map(isReady))).every(Boolean)),
  };
}

/** Resolves when the condition holds. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 40_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`this did not become true: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
