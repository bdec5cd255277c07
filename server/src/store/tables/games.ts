import type { Schema } from '../schema.ts';
import type { GameRecord, GameTable, Tags } from '../store.ts';
import { insertUnique, type Scope } from './scope.ts';

export function gameTable(scope: Scope): GameTable {
  const { read, write } = scope;
  return {
    async find(name) {
      const row = await read.selectFrom('games').selectAll().where('name', '=', name).executeTakeFirst();
      return row && toGame(row);
    },
    async list({ after = '', limit }) {
      const rows = read.selectFrom('games').selectAll().where('name', '>', after).orderBy('name').limit(limit);
      return (await rows.execute()).map(toGame);
    },
    async count() {
      const rows = read.selectFrom('games').select(({ fn }) => fn.countAll<number>().as('count'));
      return (await rows.executeTakeFirstOrThrow()).count;
    },
    async insert(game) {
      const row = {
        id: game.id,
        name: game.name,
        description: game.description,
        state: game.state,
        is_termination_protected: Number(game.isTerminationProtected),
        tags: JSON.stringify(game.tags),
        created_at: game.createdAt,
        updated_at: game.updatedAt,
      };
      await insertUnique(scope, 'games', row, `there is already a game "${game.name}": choose another name`);
    },
    async update(id, { updatedAt, tags, ...change }) {
      const row = { ...change, ...(tags && { tags: JSON.stringify(tags) }), updated_at: updatedAt };
      await write((query, changed) => {
        changed(id);
        return query.updateTable('games').set(row).where('id', '=', id).execute();
      });
    },
    async remove(id) {
      await write((query, changed) => {
        changed(id);
        return query.deleteFrom('games').where('id', '=', id).execute();
      });
    },
  };
}

function toGame(row: Schema['games']): GameRecord {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    state: row.state,
    isTerminationProtected: row.is_termination_protected === 1,
    tags: JSON.parse(row.tags) as Tags,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
