import type { LoadTarget } from '../load/generator.ts';
import type { RunningContestant } from '../running-contestant.ts';
import type { ServerProcess } from '../server-process.ts';
import type { Backends } from './backends.ts';

/**
 * Servers that share a Redis, each in a process of its own. To players they are the first one, which owns all of them. Where
 * there is another, calls go to the second, and the rest have nothing to do with either.
 */
export interface RunningCluster extends RunningContestant, LoadTarget {
  cpuByProcess(): ClusterCpu;
  readonly redisPort: number;
}

/** CPU in microseconds. */
export interface ClusterCpu {
  /** Of all servers. */
  readonly servers: number;
  /** Of those that neither own players nor are called; undefined where there are none. */
  readonly bystanders: number | undefined;
  readonly redis: number;
  /** Undefined where there is no database. */
  readonly postgres: number | undefined;
}

/** Makes one contestant of the servers. It ends them, but not what they share. */
export function clusterOf({
  servers,
  backends,
  disconnectRequest,
  ...rest
}: {
  servers: readonly ServerProcess[];
  backends: Backends;
  /** A complete HTTP request to the server on this port. */
  disconnectRequest: (playerId: string, port: number) => string;
} & Pick<RunningCluster, 'dialect' | 'seeds' | 'isConfirmed'>): RunningCluster {
  const [owner, called = owner, ...bystanders] = servers;
  if (owner === undefined || called === undefined) throw new Error('a cluster has at least one server');
  const sum = (processes: readonly ServerProcess[]) =>
    processes.reduce((total, { cpuMicros: ofProcess }) => total + ofProcess(), 0);
  return {
    ...owner,
    ...rest,
    callPort: called.port,
    redisPort: backends.redisPort,
    disconnectRequest: (playerId) => disconnectRequest(playerId, called.port),
    cpuMicros: () => sum(servers),
    cpuByProcess: () => ({
      servers: sum(servers),
      bystanders: bystanders.length === 0 ? undefined : sum(bystanders),
      ...backends.cpuMicros(),
    }),
    async stop() {
      await stopAll(servers);
    },
  };
}

/** Starts servers one after the other, and ends them all again if one does not start. */
export async function startAll(count: number, start: () => Promise<ServerProcess>): Promise<ServerProcess[]> {
  const servers: ServerProcess[] = [];
  try {
    while (servers.length < count) servers.push(await start());
    return servers;
  } catch (error) {
    await stopAll(servers);
    throw error;
  }
}

export async function stopAll(servers: readonly ServerProcess[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
}
