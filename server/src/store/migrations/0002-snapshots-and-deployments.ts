import type { Query } from '../database.ts';

/**
 * Configurations with their snapshots, deployments of those and the code generated from them. Large texts are the last
 * columns of their tables: SQLite reads a row from its beginning and stops at the last column it needs.
 */
export async function createSnapshotsAndDeployments({ schema }: Query): Promise<void> {
  await schema.alterTable('stages').addColumn('runtime_id', 'text').execute();
  await schema
    .createTable('configurations')
    .addColumn('game_id', 'text', (column) => column.primaryKey().references('games.id').onDelete('cascade'))
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('sections', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('snapshots')
    .addColumn('game_id', 'text', (column) => column.notNull().references('games.id').onDelete('cascade'))
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('description', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('sections', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('snapshots_key', ['game_id', 'id'])
    .execute();
  await schema
    .createTable('deployments')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('stage_id', 'text', (column) => column.notNull().references('stages.id').onDelete('cascade'))
    .addColumn('snapshot_id', 'text', (column) => column.notNull())
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('result_code', 'text')
    .addColumn('result_message', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .execute();
  await schema.createIndex('deployments_of_stage').on('deployments').columns(['stage_id', 'id']).execute();
  await schema
    .createTable('generated_code_jobs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('game_id', 'text', (column) => column.notNull())
    .addColumn('snapshot_id', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('description', 'text', (column) => column.notNull())
    .addColumn('generator', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('archive', 'text')
    .addForeignKeyConstraint(
      'generated_code_jobs_snapshot',
      ['game_id', 'snapshot_id'],
      'snapshots',
      ['game_id', 'id'],
      (constraint) => constraint.onDelete('cascade'),
    )
    .execute();
  await schema
    .createIndex('generated_code_jobs_of_snapshot')
    .on('generated_code_jobs')
    .columns(['game_id', 'snapshot_id', 'id'])
    .execute();
}
