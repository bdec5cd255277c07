import { StartupError, UnmigratedError } from '../../startup-error.ts';
import { printable } from '../../text.ts';
import type { Database, Query } from '../database.ts';
import { createGamesAndKeys } from './0001-games-and-keys.ts';
import { createSnapshotsAndDeployments } from './0002-snapshots-and-deployments.ts';
import { createRuntimesAndClaims } from './0003-runtimes-and-claims.ts';
import { createSizes } from './0004-sizes.ts';
import { createBars } from './0005-bars.ts';
import { createStageIdentity } from './0006-stage-identity.ts';
import { createWebhooks } from './0007-webhooks.ts';
import { createDisconnectJobs } from './0008-disconnect-jobs.ts';
import { createPlayersOfDisconnectJobs } from './0009-players-of-disconnect-jobs.ts';
import { createExpiryOfKeys } from './0010-expiry-of-keys.ts';
import { createEndsOfBars } from './0011-ends-of-bars.ts';
import { createEndsOfKeys } from './0012-ends-of-keys.ts';
import { createClaimsOfWork } from './0013-claims-of-work.ts';
import { createRecordsOfJobs } from './0014-records-of-jobs.ts';
import { createUseOfSnapshots } from './0015-use-of-snapshots.ts';

/** In order. A migration's place in the list, from 1, is the version that it leads to; only ever append to the list. */
const MIGRATIONS: readonly ((query: Query) => Promise<void>)[] = [
  createGamesAndKeys,
  createSnapshotsAndDeployments,
  createRuntimesAndClaims,
  createSizes,
  createBars,
  createStageIdentity,
  createWebhooks,
  createDisconnectJobs,
  createPlayersOfDisconnectJobs,
  createExpiryOfKeys,
  createEndsOfBars,
  createEndsOfKeys,
  createClaimsOfWork,
  createRecordsOfJobs,
  createUseOfSnapshots,
];

/** The version that this program's migrations lead to. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Runs the missing migrations, each in one transaction with the record of its version. */
export async function migrate({ transaction }: Pick<Database, 'transaction'>): Promise<void> {
  for (const [index, up] of MIGRATIONS.entries()) {
    await transaction(async (query) => {
      await query.schema
        .createTable('schema_version')
        .ifNotExists()
        .addColumn('version', 'integer', (column) => column.primaryKey())
        .execute();
      const version = await readVersion(query);
      if (version > index) return;
      await up(query).catch((error: unknown) => {
        throw describeContradiction(error, version);
      });
      await query
        .insertInto('schema_version')
        .values({ version: index + 1 })
        .execute();
    });
  }
}

/**
 * SQLite says by this code that a statement does not fit the tables, which is so only where somebody has changed the
 * version or the tables. Those of PostgreSQL may be another program's, which its own part tells.
 */
function describeContradiction(error: unknown, version: number): unknown {
  if (!(error instanceof Error && 'code' in error && error.code === 'SQLITE_ERROR')) return error;
  return new StartupError(
    `the database says that it has schema version ${version}, but its tables are not those of that version (${printable(error.message)}): restore a backup`,
    { cause: error },
  );
}

/** Throws a `StartupError` unless every migration has run. Changes nothing. */
export async function assertMigrated({ query }: Pick<Database, 'query'>): Promise<void> {
  const version = await findVersion({ query });
  if (version === MIGRATIONS.length) return;
  throw new UnmigratedError(version, MIGRATIONS.length);
}

/** 0 for a database without a schema. Throws a `StartupError` when it is newer than the program. */
export async function findVersion({ query }: Pick<Database, 'query'>): Promise<number> {
  const tables = await query.introspection.getTables();
  return tables.some(({ name }) => name === 'schema_version') ? await readVersion(query) : 0;
}

/** Throws a `StartupError` when the database is newer than the program. */
async function readVersion(query: Query): Promise<number> {
  const row = await query
    .selectFrom('schema_version')
    .select(({ fn }) => fn.max('version').as('version'))
    .executeTakeFirst();
  const version = row?.version ?? 0;
  if (version <= MIGRATIONS.length) return version;
  throw new StartupError(
    `the database has schema version ${version}, but this program only knows versions up to ${MIGRATIONS.length}: start a newer respark, or restore a backup`,
  );
}
