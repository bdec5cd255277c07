import { setTimeout as wait } from 'node:timers/promises';
import { createGuard } from '../guard.ts';
import type { DialectName } from '../load/dialects.ts';
import type { NodeBinary } from '../node-binary.ts';
import { startResparkServer, useDemo } from '../respark.ts';
import { ownServer, post, temporaryDirectory } from '../running-contestant.ts';
import { startServerProcess } from '../server-process.ts';
import type { Backends } from './backends.ts';
import { clusterOf, type RunningCluster, startAll, stopAll } from './running-cluster.ts';

/** Starts a cluster of this many servers over these backends. */
export type StartCluster = (
  node: NodeBinary,
  options: { readonly size: number; readonly backends: Backends },
) => Promise<RunningCluster>;

/** Shorter than what is shipped, because the first node of a cluster waits for the recovery; long for a machine that is busy. */
const RESPARK_TIMES = { leaseMs: '9000', recoveryMs: '9000', renewMs: '3000', leaseMarginMs: '1000' };
const READY_TIMEOUT_MS = 60_000;

/** Nodes that share PostgreSQL and Redis, each of which is called as an operator calls a single server. */
export const startResparkCluster: StartCluster = async (node, { size, backends }) => {
  const env = {
    RESPARK_DATABASE_URL: await backends.startDatabase(),
    RESPARK_REDIS_URL: backends.redisUrl,
    RESPARK_PUBLIC_URL: 'http://respark.example',
  };
  const directories: string[] = [];
  const servers = await startAll(size, () => {
    const directory = temporaryDirectory();
    directories.push(directory.path);
    return startResparkServer(node, { directory, settings: RESPARK_TIMES, env });
  });
  try {
    for (const { port } of servers) await untilReady(port);
    const demo = await useDemo(node, directories[0] ?? '', env);
    return clusterOf({ servers, backends, dialect: 'respark', ...demo });
  } catch (error) {
    await stopAll(servers);
    throw error;
  }
};

/**
 * Servers that close the sockets of whomever anybody names, or a caller with a token where they are guarded, wherever those
 * are, and do not say whether they have.
 */
export function startPeerCluster(name: string, dialect: DialectName, { isGuarded = false } = {}): StartCluster {
  return async (node, { size, backends }) => {
    const guard = isGuarded ? await createGuard() : undefined;
    const start = () => {
      const { args = [], release = () => {} } = guard?.newServer() ?? {};
      return startServerProcess({ ...ownServer(node, name), args: [backends.redisUrl, ...args], release });
    };
    return clusterOf({
      servers: await startAll(size, start),
      backends,
      dialect,
      isConfirmed: false,
      seeds: async (playerIds) => playerIds.map((playerId) => ({ playerId, hello: '' })),
      disconnectRequest: (playerId, port) => post({ path: `/player/${playerId}`, port, headers: guard?.headers ?? {} }),
    });
  };
}

async function untilReady(port: number): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const reply = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    if (reply?.status === 200) return;
    if (performance.now() > deadline) {
      throw new Error(`a node of a cluster was not ready after ${READY_TIMEOUT_MS} ms: ${await reply?.text()}`);
    }
    await wait(100);
  }
}
