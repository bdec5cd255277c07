import { sql } from 'kysely';
import type { Query } from '../database.ts';

/**
 * Gives runtimes records of their own, so that a deployment may leave the history while its runtime is in use, and
 * records which node works on an unfinished deployment or job. A stage whose deployment has already left the history
 * cannot say what it runs, so it goes back to the empty runtime. Its players see no difference, since no runtime ran
 * handlers yet.
 */
export async function createRuntimesAndClaims(query: Query): Promise<void> {
  const { schema } = query;
  await schema
    .createTable('runtimes')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('stage_id', 'text', (column) => column.notNull().references('stages.id').onDelete('cascade'))
    .addColumn('snapshot_id', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
  await schema.createIndex('runtimes_of_stage').on('runtimes').columns(['stage_id', 'id']).execute();
  await sql`
    insert into runtimes (id, stage_id, snapshot_id, created_at)
    select deployments.id, stages.id, deployments.snapshot_id, deployments.updated_at
    from stages inner join deployments on deployments.id = stages.runtime_id`.execute(query);
  await sql`update stages set runtime_id = null where runtime_id not in (select id from runtimes)`.execute(query);
  await schema.alterTable('deployments').addColumn('claimed_by', 'text').execute();
  await schema.alterTable('generated_code_jobs').addColumn('claimed_by', 'text').execute();
}
