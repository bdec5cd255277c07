import { StartupError } from '../../startup-error.ts';
import type { Database, Query } from '../database.ts';
import { createGamesAndKeys } from './0001-games-and-keys.ts';

/** In order; each one's place in the list is the version it leads to. Only ever appended to. */
const MIGRATIONS: readonly ((query: Query) => Promise<void>)[] = [createGamesAndKeys];

/** Runs what is missing, each migration with the record of its version in one transaction. */
export async function migrate({ transaction }: Pick<Database, 'transaction'>): Promise<void> {
  for (const [index, up] of MIGRATIONS.entries()) {
    await transaction(async (query) => {
      const version = await readVersion(query);
      if (version > MIGRATIONS.length) {
        throw new StartupError(
          `the database has schema version ${version}, and this program knows versions up to ${MIGRATIONS.length}: start a newer respark, or restore a backup`,
        );
      }
      if (version > index) return;
      await up(query);
      await query
        .insertInto('schema_version')
        .values({ version: index + 1 })
        .execute();
    });
  }
}

async function readVersion(query: Query): Promise<number> {
  await query.schema
    .createTable('schema_version')
    .ifNotExists()
    .addColumn('version', 'integer', (column) => column.primaryKey())
    .execute();
  const row = await query
    .selectFrom('schema_version')
    .select(({ fn }) => fn.max('version').as('version'))
    .executeTakeFirst();
  return row?.version ?? 0;
}
