import { cpuMicros, pinToServersCore } from '../machine.ts';
import { fromServerTests } from '../respark-build.ts';

/** The servers that the nodes of one cluster share, from the programs that the tests start. */
export interface Backends {
  readonly redisUrl: string;
  readonly redisPort: number;
  /** The URL of an empty database, whose server is started when this is called. */
  startDatabase(): Promise<string>;
  cpuMicros(): BackendsCpu;
  /** Ends the servers and removes what they have kept. */
  close(): Promise<void>;
}

export interface BackendsCpu {
  readonly redis: number;
  /** Undefined where no database was started. */
  readonly postgres: number | undefined;
}

const redisModule = () =>
  fromServerTests<typeof import('../../../server/test/support/redis-server.ts')>('support/redis-server');
const postgresModule = () =>
  fromServerTests<typeof import('../../../server/test/support/postgres.ts')>('support/postgres');

/** Which program is missing on this machine; undefined when all are there. */
export async function findMissingBackend(): Promise<string | undefined> {
  const { whyNoPostgres } = await postgresModule();
  return (await redisModule()).findRedisFault() ?? (whyNoPostgres === false ? undefined : whyNoPostgres);
}

/** Starts an empty Redis on the servers' core. */
export async function startBackends(): Promise<Backends> {
  const missing = await findMissingBackend();
  if (missing !== undefined) throw new Error(missing);
  const { RedisServer } = await redisModule();
  const { startPostgres } = await postgresModule();
  const releases: (() => unknown)[] = [];
  const scope = { after: (release: () => unknown) => void releases.push(release) };
  async function close(): Promise<void> {
    for (const release of releases.splice(0).reverse()) await release();
  }

  try {
    const redis = await RedisServer.start(scope);
    pinToServersCore(redis.pid);
    let postgres: Awaited<ReturnType<typeof startPostgres>> | undefined;
    return {
      redisUrl: redis.url,
      redisPort: Number(new URL(redis.url).port),
      async startDatabase() {
        postgres = await startPostgres(scope);
        // Each connection's process comes from one of these, and is where that is.
        for (const pid of postgres.pids()) pinToServersCore(pid);
        return await postgres.emptyDatabase(scope);
      },
      cpuMicros: () => ({
        redis: cpuMicros(redis.pid),
        postgres: postgres?.pids().reduce((sum, pid) => sum + cpuMicros(pid), 0),
      }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
