import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { StartupError } from '../startup-error.ts';
import { SCHEMA_VERSION } from './migrations/migrate.ts';
import type { DatabaseSettings } from './postgres/client.ts';
import { HEARING_ADVICE, NOT_HEARD } from './postgres/hearing.ts';
import { BESIDE_VERSION } from './postgres/migrations.ts';
import { openPostgres } from './postgres.ts';

/** What is wrong with a database, or may be. `fail`: a node on it does not start, or does not keep its promises. */
export interface DatabaseFinding {
  readonly state: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly advice?: string;
}

/** What a database says of itself. */
export interface DatabaseFacts {
  readonly version: string;
  /** Versions of the schema; 0 for one that is not there. */
  readonly store: number;
  readonly beside: number;
  /** Whether the user may make tables. */
  readonly mayCreate: boolean;
  readonly isReadOnly: boolean;
  /** Connections that the server lets in beside those that it keeps for superusers. */
  readonly maxConnections: number;
  readonly fsync: string;
  readonly synchronousCommit: string;
  /** Whether a connection hears of what another notifies. */
  readonly hears: boolean;
}

const FACTS = `select current_setting('server_version') as version,
  has_schema_privilege(current_schema(), 'create') as "mayCreate",
  current_setting('default_transaction_read_only') = 'on' as "isReadOnly",
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true), '0')::int as "maxConnections",
  current_setting('fsync') as fsync, current_setting('synchronous_commit') as "synchronousCommit"`;

/** Looks at a database, and changes nothing. Throws a `StartupError` when no node could use it. */
export async function examinePostgres({
  settings,
  clock,
  log,
}: {
  settings: DatabaseSettings;
  clock: Clock;
  log: Pick<Log, 'info' | 'warn' | 'error'>;
}): Promise<readonly DatabaseFinding[]> {
  const { database, sessions, versions, hears } = await openPostgres({ settings, clock, log, isWatching: false });
  try {
    const [facts] = (
      await sessions.use((session) => session.query<Omit<DatabaseFacts, 'store' | 'beside' | 'hears'>>(FACTS))
    ).rows;
    if (facts === undefined) throw new StartupError('the database says nothing of itself');
    return judgeDatabase({ ...facts, ...(await versions()), hears: await hears() }, settings);
  } finally {
    await database.close();
  }
}

/** The findings about what a database says of itself. */
export function judgeDatabase(
  { version, store, beside, mayCreate, isReadOnly, maxConnections, fsync, synchronousCommit, hears }: DatabaseFacts,
  { databasePoolSize }: Pick<DatabaseSettings, 'databasePoolSize'>,
): DatabaseFinding[] {
  const findings: DatabaseFinding[] = [];
  const add = (state: DatabaseFinding['state'], detail: string, advice: string) =>
    findings.push({ state, detail, advice });
  if (!hears) add('fail', NOT_HEARD, HEARING_ADVICE);
  const isCurrent = store === SCHEMA_VERSION && beside === BESIDE_VERSION;
  if (isReadOnly) {
    add('fail', 'nothing can be written: default_transaction_read_only is on', 'set it to off for this user');
  }
  if (!isCurrent && !mayCreate) {
    const advice = 'make the user own the database, or grant it CREATE on the schema that its search_path names first';
    add('fail', 'the tables of this version are not there, and the user may not make them', advice);
  } else if (!isCurrent && store > 0) {
    add('warn', 'its tables are those of an older version', 'respark migrate, or start a server, which does the same');
  }
  // A node has one more, which listens for changes.
  if (maxConnections < databasePoolSize + 1) {
    const detail = `it lets ${maxConnections} connections in, and a node may need ${databasePoolSize + 1}`;
    add('fail', detail, 'raise its max_connections, or lower RESPARK_DATABASE_POOL_SIZE');
  }
  for (const [name, value] of [
    ['fsync', fsync],
    ['synchronous_commit', synchronousCommit],
  ] as const) {
    if (value !== 'off') continue;
    const detail = `${name} is off: after a crash of the database, what was answered may be lost, such as a revoked key`;
    add('warn', detail, `set ${name} to on`);
  }
  if (findings.length > 0) return findings;
  const tables = isCurrent ? 'with the tables of this version' : 'without tables yet; the first start makes them';
  return [{ state: 'ok', detail: `PostgreSQL ${version}, ${tables}` }];
}
