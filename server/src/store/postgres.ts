import { Kysely, sql } from 'kysely';
import { type Clock, passed, withTimeout } from '../clock.ts';
import { parseDatabaseAddress } from '../database-address.ts';
import type { Log } from '../log.ts';
import { StartupError } from '../startup-error.ts';
import type { Database, Query } from './database.ts';
import { assertMigrated, findVersion, migrate } from './migrations/migrate.ts';
import { ANNOUNCE_CHANGE, watchChanges } from './postgres/change-watch.ts';
import type { DatabaseSettings } from './postgres/client.ts';
import { createDialect } from './postgres/dialect.ts';
import { describeConnectionFault, describeMigrationFault, isLockTimeout } from './postgres/faults.ts';
import { HEARING_ADVICE, hears, NOT_HEARD } from './postgres/hearing.ts';
import { lineageOf } from './postgres/lineage.ts';
import { assertMigratedBeside, findVersionBeside, migrateBeside } from './postgres/migrations.ts';
import { COUNT_PRESENT, createClaim, type Presence } from './postgres/presence.ts';
import { openSessions, type Sessions } from './postgres/sessions.ts';
import { createWriterQueue } from './postgres/writer-queue.ts';
import type { Schema } from './schema.ts';

/** A migration, the wait for another node's, or a statement of a copy may take so long. */
const PATIENCE_MS = 600_000;
/**
 * A statement that waits for the lock of a table holds up all later statements on it, and a migration holds up all writers.
 * So it gives the wait up soon, and tries again after a pause in which the others have their turn.
 */
const LOCK_MS = 1_000;
const LOCK_PAUSE_MS = 1_000;
/** A migration that is not over after this time is mentioned in the log. */
const QUIET_MS = 10_000;
/** From this version on, PostgreSQL has everything that is used here. */
const LEAST_VERSION = 12;

export interface Postgres {
  readonly database: Database;
  /** The connections, which are closed with the database. */
  readonly sessions: Sessions;
  /** The versions of the schema of the store, and of the tables beside it; 0 for one that is not there. */
  versions(): Promise<{ readonly store: number; readonly beside: number }>;
  /**
   * Resolves when no other server uses the database that this one must not run beside. Throws a `StartupError` when one
   * still does after `waitMs`; a machine that was lost counts for 20 s.
   */
  claimed(waitMs: number): Promise<void>;
  /**
   * Resolves, with advice, when another server has taken the place of this one, which lost its connection: it must not serve
   * players any more.
   */
  readonly displaced: Promise<string>;
  /** How many servers have claimed their presence on the database, this one included. */
  countServers(): Promise<number>;
  /** What the clock of the database says, milliseconds since 1970. */
  time(): Promise<number>;
  /** Tells the database from copies of it, and from what it was before something of it was lost. */
  lineage(): Promise<string>;
  /** Whether connections hear of what others notify, without which no server is opened with `isWatching`. */
  hears(): Promise<boolean>;
  /** How long the database has taken no writes: 0 while it takes some, and where it is not watched. */
  unwritableMs(): number;
}

/**
 * Opens a database that other nodes may use at the same time. Transactions of all of them run one at a time. Throws a
 * `StartupError` when it cannot be reached or used; afterwards a lost connection fails only the calls that need it, and
 * later ones get another. With `isWatching` look-ups may be remembered, for which changes of other nodes are heard of, and
 * the `presence` of a server can be claimed.
 */
export async function openPostgres({
  settings,
  clock,
  log,
  isWatching = true,
  presence,
}: {
  settings: DatabaseSettings;
  clock: Clock;
  log: Pick<Log, 'info' | 'warn' | 'error'>;
  isWatching?: boolean;
  presence?: Presence;
}): Promise<Postgres> {
  const sessions = openSessions({ settings, clock, log });
  const hearsOthers = () => hearsIn(sessions, clock);
  try {
    await assertUsable(sessions);
    if (isWatching && !(await hearsOthers())) {
      throw new StartupError(`cannot use the database ${describe(settings)}: ${NOT_HEARD}: ${HEARING_ADVICE}`);
    }
  } catch (error) {
    await sessions.end();
    throw error;
  }
  const query = new Kysely<Schema>({ dialect: createDialect(sessions) });
  const takeTurn = createWriterQueue({ clock, maxWaitMs: settings.databaseStatementTimeoutMs / 2 });
  const claim = presence === undefined ? undefined : createClaim({ presence, clock, log });
  const watch = isWatching ? watchChanges({ sessions, claim, clock, log }) : undefined;
  const transaction = <T>(work: (query: Query) => Promise<T>) => takeTurn(() => query.transaction().execute(work));

  const database: Database = {
    query,
    transaction,
    foreignVersion: () => watch?.version(),
    async announce(within) {
      await sql.raw(ANNOUNCE_CHANGE).execute(within);
    },
    async storedBytes(within) {
      const { rows } = await sql<{ bytes: number }>`
        select coalesce((select sum(octet_length(sections)) from configurations), 0)
          + coalesce((select sum(octet_length(sections)) from snapshots), 0)
          + coalesce((select sum(octet_length(archive)) from generated_code_jobs), 0) as bytes`.execute(within);
      return rows[0]?.bytes ?? 0;
    },
    migrate: () => migrateAll({ settings, clock, log }),
    async assertMigrated() {
      await assertMigrated({ query });
      await assertMigratedBeside(query);
    },
    async close() {
      await watch?.close();
      // What is under way has its turn first.
      await takeTurn(async () => {}).catch(() => {});
      await sessions.end();
    },
  };
  const versions = async () => ({ store: await findVersion({ query }), beside: await findVersionBeside(query) });
  return {
    database,
    sessions,
    versions,
    displaced: claim?.displaced ?? new Promise(() => {}),
    hears: hearsOthers,
    async countServers() {
      const { rows } = await sessions.use((session) => session.query<{ present: number }>(COUNT_PRESENT));
      return rows[0]?.present ?? 0;
    },
    async time() {
      const read = 'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now';
      const { rows } = await sessions.use((session) => session.query<{ now: number }>(read));
      return rows[0]?.now ?? 0;
    },
    lineage: () => lineageOf(sessions),
    unwritableMs: () => watch?.unwritableMs() ?? 0,
    async claimed(waitMs) {
      // While the connection is away, nothing else keeps a process up that has only begun.
      const waiting = setInterval(() => {}, waitMs);
      const claimed = withTimeout(claim?.claimed ?? Promise.resolve(), waitMs, clock);
      await claimed
        .finally(() => clearInterval(waiting))
        .catch((cause: unknown) => {
          const which = describe(settings);
          if (claim?.isGivenUp) {
            const lost =
              'the connection was lost while this server waited for the end of another one that uses the database';
            throw new StartupError(`${lost} ${which}: start it again when the other has ended`, { cause });
          }
          if (claim?.outcome === 'other_directory') {
            const others =
              'nodes with another RESPARK_REDIS_PREFIX, RESPARK_REDIS_PARTITIONS or RESPARK_LEASE_MS use the database';
            const advice = 'give all nodes the same, or stop the others: neither would know the players of the other';
            throw new StartupError(`${others} ${which}: ${advice}`, { cause });
          }
          if (claim?.outcome === 'same_journal') {
            const copy = 'a server with a copy of this data directory uses the database';
            const advice = 'start this one with an empty data directory, which each node keeps for itself';
            throw new StartupError(`${copy} ${which}: ${advice}`, { cause });
          }
          const other = presence === 'alone' ? 'another server' : 'a server without RESPARK_REDIS_URL';
          const advice = 'stop it, or make both nodes of one cluster by RESPARK_REDIS_URL';
          throw new StartupError(`${other} uses the database ${which}: ${advice}`, { cause });
        });
    },
  };
}

/** A connection for what takes longer than calls may. The caller must end it. */
export function patientSessions({ settings, ...parts }: Parameters<typeof openSessions>[0]): Sessions {
  const patient = { ...settings, databasePoolSize: 1, databaseStatementTimeoutMs: PATIENCE_MS };
  return openSessions({ ...parts, settings: patient });
}

async function migrateAll(parts: Parameters<typeof openSessions>[0]): Promise<void> {
  const { settings, clock, log } = parts;
  const sessions = patientSessions(parts);
  const cancel = clock.after(QUIET_MS, () => {
    const advice = 'if it does not end, look in pg_stat_activity for a session that holds a lock on its tables';
    log.warn({ advice }, 'the database is still being brought up to this version');
  });
  try {
    const query = new Kysely<Schema>({ dialect: createDialect(sessions) });
    const transaction = migrationsOn(query, clock);
    await migrate({ transaction });
    await migrateBeside({ transaction });
  } catch (error) {
    const fault = describeMigrationFault(error);
    if (fault === undefined) throw error;
    const what = `cannot bring the database ${describe(settings)} up to this version`;
    throw new StartupError(`${what}: ${fault}`, { cause: error });
  } finally {
    cancel();
    await sessions.end();
  }
}

/** Transactions that are tried again, for as long as a migration may take, while somebody else holds a lock that they need. */
function migrationsOn(query: Kysely<Schema>, clock: Clock): Database['transaction'] {
  const until = clock.monotonic() + PATIENCE_MS;
  return async (work) => {
    for (;;) {
      try {
        return await query.transaction().execute(async (within) => {
          await sql.raw(`set local lock_timeout = ${LOCK_MS}`).execute(within);
          return await work(within);
        });
      } catch (error) {
        if (!isLockTimeout(error) || clock.monotonic() > until) throw error;
        await passed(LOCK_PAUSE_MS, clock);
      }
    }
  };
}

async function assertUsable(sessions: Sessions): Promise<void> {
  const where = describe(sessions.settings);
  const client = await sessions.connectAlone().catch((error: unknown) => {
    throw new StartupError(`cannot use the database ${where}: ${describeConnectionFault(error)}`, { cause: error });
  });
  try {
    const { rows } = await client.query<{ version: string; encoding: string }>(
      `select current_setting('server_version_num') as version, current_setting('server_encoding') as encoding`,
    );
    const [{ version, encoding }] = rows as [{ version: string; encoding: string }];
    const major = Math.floor(Number(version) / 10_000);
    if (major < LEAST_VERSION) {
      throw new StartupError(`the database ${where} is of PostgreSQL ${major}: use ${LEAST_VERSION} or newer`);
    }
    if (encoding !== 'UTF8') {
      throw new StartupError(`the database ${where} has the encoding ${encoding}: create it with "createdb -E UTF8"`);
    }
  } finally {
    await client.end();
  }
}

async function hearsIn(sessions: Sessions, clock: Clock): Promise<boolean> {
  const client = await sessions.connectAlone();
  try {
    return await hears(client, { sessions, clock });
  } finally {
    client.cut();
  }
}

/** The URL without the password. */
function describe({ databaseUrl }: DatabaseSettings): string {
  const address = parseDatabaseAddress(databaseUrl);
  if (typeof address === 'string') return '';
  return `"${address.database}" of ${address.host}:${address.port} as "${address.user}"`;
}
