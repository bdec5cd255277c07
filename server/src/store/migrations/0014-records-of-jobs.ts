import type { Query } from '../database.ts';

/**
 * Has all that lists of generated code jobs say. The columns that came after the archive stand behind it in a row, and SQLite
 * would read through megabytes of zips for them. It takes the place of an index on the first three columns.
 */
export async function createRecordsOfJobs({ schema }: Query): Promise<void> {
  await schema.dropIndex('generated_code_jobs_of_snapshot').execute();
  await schema
    .createIndex('generated_code_jobs_records')
    .on('generated_code_jobs')
    .columns(['game_id', 'snapshot_id', 'id'])
    .columns(['state', 'description', 'generator', 'created_at', 'updated_at', 'claimed_by', 'claims'])
    .execute();
}
