import { StartupError } from '../../startup-error.ts';
import type { Database, Query } from '../database.ts';
import { createGamesAndKeys } from './0001-games-and-keys.ts';
import { createSnapshotsAndDeployments } from './0002-snapshots-and-deployments.ts';
import { createRuntimesAndClaims } from './0003-runtimes-and-claims.ts';

/** In order; each one's place in the list is the version it leads to. Only ever appended to. */
const MIGRATIONS: readonly ((query: Query) => Promise<void>)[] = [
  createGamesAndKeys,
  createSnapshotsAndDeployments,
  createRuntimesAndClaims,
];

/** Runs what is missing, each migration with the record of its version in one transaction. */
export async function migrate({ transaction }: Pick<Database, 'transaction'>): Promise<void> {
  for (const [index, up] of MIGRATIONS.entries()) {
    await transaction(async (query) => {
      await query.schema
        .createTable('schema_version')
        .ifNotExists()
        .addColumn('version', 'integer', (column) => column.primaryKey())
        .execute();
      if ((await readVersion(query)) > index) return;
      await up(query);
      await query
        .insertInto('schema_version')
        .values({ version: index + 1 })
        .execute();
    });
  }
}

/** Throws a `StartupError` unless every migration has run, and changes nothing. */
export async function assertMigrated({ query }: Pick<Database, 'query'>): Promise<void> {
  const tables = await query.introspection.getTables();
  const version = tables.some(({ name }) => name === 'schema_version') ? await readVersion(query) : 0;
  if (version === MIGRATIONS.length) return;
  throw new StartupError(
    `the database has schema version ${version}, and this program needs ${MIGRATIONS.length}: start the server once with this version of respark`,
  );
}

/** Throws a `StartupError` when the program is too old for it. */
async function readVersion(query: Query): Promise<number> {
  const row = await query
    .selectFrom('schema_version')
    .select(({ fn }) => fn.max('version').as('version'))
    .executeTakeFirst();
  const version = row?.version ?? 0;
  if (version <= MIGRATIONS.length) return version;
  throw new StartupError(
    `the database has schema version ${version}, and this program knows versions up to ${MIGRATIONS.length}: start a newer respark, or restore a backup`,
  );
}
