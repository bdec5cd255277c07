import type { Query } from '../database.ts';

/** What ends many connections, a part at a time. A program of the version before takes no notice of the table. */
export async function createDisconnectJobs({ schema }: Query): Promise<void> {
  await schema
    .createTable('disconnect_jobs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('stage_id', 'text', (column) => column.notNull().references('stages.id').onDelete('cascade'))
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('wish', 'text', (column) => column.notNull())
    .addColumn('claimed_by', 'text')
    .addColumn('request', 'text', (column) => column.notNull())
    .addColumn('player_ids', 'text')
    .addColumn('named_players', 'integer')
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('request_id', 'text', (column) => column.notNull())
    .addColumn('confirmed_by', 'text')
    .addColumn('connections', 'integer', (column) => column.notNull())
    .addColumn('players', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('begun_at', 'bigint')
    .addColumn('closed', 'integer', (column) => column.notNull())
    .addColumn('gone', 'integer', (column) => column.notNull())
    .addColumn('unproven', 'integer', (column) => column.notNull())
    .addColumn('in_flight', 'text', (column) => column.notNull())
    .addColumn('failures', 'text', (column) => column.notNull())
    .addColumn('silent_nodes', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('disconnect_jobs_of_stage').on('disconnect_jobs').columns(['stage_id', 'id']).execute();
  await schema.createIndex('disconnect_jobs_by_state').on('disconnect_jobs').columns(['state']).execute();
}
