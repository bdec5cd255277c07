import pg from 'pg';
import { UNKNOWN_PART } from '../../database-lineage.ts';
import type { Sessions } from './sessions.ts';

/** Of the server, of the database in it, and of its history, which branches off when a standby takes over or a backup is restored. */
const PARTS = [
  'select system_identifier::text as part from pg_control_system()',
  'select oid::text as part from pg_database where datname = current_database()',
  'select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as part',
];

/**
 * Tells this database from every other one, also from one that was made from a dump of it, and from what it was before recovery or a
 * fail-over lost something: what is in its tables cannot do that. Files that are replaced by an earlier copy of them look the same.
 */
export async function lineageOf({ use }: Pick<Sessions, 'use'>): Promise<string> {
  const parts: string[] = [];
  for (const text of PARTS) {
    const { rows } = await use((session) => session.query<{ part: string }>(text)).catch((error: unknown) => {
      // Not every server that speaks as PostgreSQL has these functions, or lets everybody call them.
      if (error instanceof pg.DatabaseError) return { rows: [] };
      throw error;
    });
    parts.push(rows[0]?.part ?? UNKNOWN_PART);
  }
  return parts.join(' ');
}
