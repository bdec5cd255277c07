import type { GameRecord, Store } from '../store/store.ts';

const GAMES_AT_ONCE = 100;

/** Every game, a page at a time. */
export async function* everyGame(store: Pick<Store, 'games'>): AsyncGenerator<GameRecord> {
  let page = await store.games.list({ limit: GAMES_AT_ONCE });
  while (page.length > 0) {
    yield* page;
    page = await store.games.list({ after: (page.at(-1) as GameRecord).name, limit: GAMES_AT_ONCE });
  }
}
