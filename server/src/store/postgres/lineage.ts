import pg from 'pg';
import { UNKNOWN_PART } from '../../database-lineage.ts';
import type { Sessions } from './sessions.ts';

/**
 * These identify the server, the database in it, and its timeline, which branches when a standby takes over or a backup
 * is restored.
 */
const PARTS = [
  'select system_identifier::text as part from pg_control_system()',
  'select oid::text as part from pg_database where datname = current_database()',
  'select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as part',
];

/**
 * Tells this database from every other one, also from one that was made from a dump of it, and from its own state before a
 * recovery or a fail-over lost something. Nothing in its tables could do that. A database whose files were replaced by an
 * earlier copy of them looks the same.
 */
export async function lineageOf({ use }: Pick<Sessions, 'use'>): Promise<string> {
  const parts: string[] = [];
  for (const text of PARTS) {
    const { rows } = await use((session) => session.query<{ part: string }>(text)).catch((error: unknown) => {
      // Not every server that speaks PostgreSQL's protocol has these functions, or lets everybody call them.
      if (error instanceof pg.DatabaseError) return { rows: [] };
      throw error;
    });
    parts.push(rows[0]?.part ?? UNKNOWN_PART);
  }
  return parts.join(' ');
}
