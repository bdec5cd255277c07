import type { Query } from '../database.ts';

/** Finds those bars of a game that have ended, of which there may be few among very many. */
export async function createEndsOfBars({ schema }: Query): Promise<void> {
  await schema.createIndex('bars_of_game_until').on('bars').columns(['game_id', 'until']).execute();
}
