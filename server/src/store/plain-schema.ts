import type Libsql from 'libsql';
import { shown } from '../text.ts';

/**
 * Throws for a database that has more than tables and indexes. A file may have been made by somebody else, such as a
 * backup that was kept elsewhere, and SQLite does what views, triggers and virtual tables in it say: the full-text tables
 * among those call any function by its name, and there is one that writes files. To be called before anything else
 * is asked of the database, even whether it is damaged. From then on its tables and indexes may not call such functions.
 *
 * SQLite stores each statement from the word `CREATE` to the kind in one form, whatever was written, and the name
 * `sqlite_master` can be no other table's.
 */
export function assertPlainSchema(connection: Pick<Libsql.Database, 'exec' | 'prepare'>): void {
  connection.exec(DISTRUST_SCHEMA);
  const [strange] = connection.prepare(STRANGE).all() as { name: unknown }[];
  if (strange === undefined) return;
  throw new Error(
    `it has ${shown(strange.name)}, which is no plain table or index and which no server makes: use another file, or find out who has changed this one`,
  );
}

/** For a further connection to a database whose schema was looked at. */
export const DISTRUST_SCHEMA = 'PRAGMA trusted_schema = OFF';

const STRANGE = `
  SELECT name FROM sqlite_master
  WHERE sql IS NOT NULL
    AND (sql LIKE '%libsql_vector_idx%'
      OR NOT (sql GLOB 'CREATE TABLE *' OR sql GLOB 'CREATE INDEX *' OR sql GLOB 'CREATE UNIQUE INDEX *'))
  LIMIT 1`;
