import type { Query } from '../database.ts';

/** What keeps players from connecting. A program of the version before takes no notice of the table. */
export async function createBars({ schema }: Query): Promise<void> {
  await schema
    .createTable('bars')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('game_id', 'text', (column) => column.notNull().references('games.id').onDelete('cascade'))
    .addColumn('stage_id', 'text', (column) => column.references('stages.id').onDelete('cascade'))
    .addColumn('player_id', 'text')
    .addColumn('until', 'bigint')
    .addColumn('signed_in_before', 'bigint')
    .addColumn('ends_connections', 'integer', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('messages', 'text', (column) => column.notNull())
    .addColumn('evidence', 'text', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('request_id', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('is_enforced', 'integer', (column) => column.notNull())
    .execute();
  await schema.createIndex('bars_of_game').on('bars').columns(['game_id', 'kind', 'name']).execute();
  await schema.createIndex('bars_of_stage').on('bars').columns(['stage_id', 'kind', 'name']).execute();
  await schema.createIndex('bars_until').on('bars').columns(['until']).execute();
  await schema.createIndex('bars_unfinished').on('bars').columns(['is_enforced', 'version']).execute();
}
