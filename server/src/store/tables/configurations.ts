import type { ConfigurationTable } from '../store.ts';
import { octetsOf, type Scope } from './scope.ts';

export function configurationTable({ read, write }: Scope): ConfigurationTable {
  return {
    async find(gameId) {
      const row = await read.selectFrom('configurations').selectAll().where('game_id', '=', gameId).executeTakeFirst();
      return row && { gameId, sections: row.sections, updatedAt: row.updated_at };
    },
    async bytes(gameId) {
      const rows = read.selectFrom('configurations').select(octetsOf('sections').as('bytes'));
      return (await rows.where('game_id', '=', gameId).executeTakeFirst())?.bytes;
    },
    async set({ gameId, sections, updatedAt }) {
      await write((query) =>
        query
          .insertInto('configurations')
          .values({ game_id: gameId, sections, updated_at: updatedAt })
          .onConflict((conflict) =>
            // The sections may have a megabyte, and are handed to the database once.
            conflict.column('game_id').doUpdateSet(({ ref }) => ({
              sections: ref('excluded.sections'),
              updated_at: ref('excluded.updated_at'),
            })),
          )
          .execute(),
      );
    },
  };
}
