import type { Query } from '../database.ts';

/**
 * The players whom a job names, apart from what each of its steps writes: SQLite writes a row anew as a whole. Jobs from
 * before, and those of a program of the version before, have them in `disconnect_jobs.player_ids`.
 */
export async function createPlayersOfDisconnectJobs({ schema }: Query): Promise<void> {
  await schema
    .createTable('disconnect_job_players')
    .addColumn('job_id', 'text', (column) => column.primaryKey().references('disconnect_jobs.id').onDelete('cascade'))
    .addColumn('player_ids', 'text', (column) => column.notNull())
    .execute();
}
