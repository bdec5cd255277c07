import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { type RandomBytes, uuidV7 } from '../random.ts';
import type { PageQuery } from '../store/page-query.ts';
import type { GameRecord, Store, Tags } from '../store/store.ts';
import type { Audit, Change } from './audit/audit.ts';
import { createOnce } from './client-tokens.ts';
import type { Deletions } from './deletions.ts';
import type { ListTurn } from './list-turns.ts';
import { inListTurns, type Page, type PageRequest, type Paginate } from './pagination.ts';
import { bytesOfTags } from './tags.ts';

export type Game = GameRecord;

export interface NewGame {
  readonly name: string;
  readonly description?: string | undefined;
  readonly tags?: Tags | undefined;
  /** Makes the call repeatable: see `createOnce`. */
  readonly clientToken?: string | undefined;
}

/**
 * The rules of games. A game that is being deleted can still be read, and deleted again; all else treats it as missing.
 */
export interface Games {
  /** Throws `conflict` for a name in use, even by a game being deleted, and `quota_exceeded`. */
  create(game: NewGame, change: Change): Promise<Game>;
  find(name: string): Promise<Game | undefined>;
  /** Throws `not_found`. */
  get(name: string): Promise<Game>;
  list(request: PageRequest): Promise<Page<Game>>;
  /** Throws `not_found`. */
  update(name: string, update: { readonly description?: string | undefined }, change: Change): Promise<Game>;
  /**
   * Deletes the game with its stages, and closes their players' connections. Resolves when the game is gone, or after
   * `disconnectDeadlineMs`: the deletion then goes on in the background. Deleting an unknown game is not an error.
   * Throws `conflict` for a protected game.
   */
  delete(name: string, change: Change): Promise<void>;
}

export interface GamesParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly deletions: Pick<Deletions, 'deleteGame'>;
  readonly paginate: Paginate;
  readonly turn: ListTurn;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly settings: { readonly maxGames: number };
}

const bytesOf = ({ tags }: Game): number => bytesOfTags(tags);
const positionOf = ({ name }: Game): string => name;

export function createGames({ store, audit, deletions, paginate, turn, clock, random, settings }: GamesParts): Games {
  async function insert(store: Store, asked: Pick<Game, 'name' | 'description' | 'tags'>): Promise<Game> {
    const { name } = asked;
    const existing = await store.games.find(name);
    if (existing !== undefined) throw nameTaken('game', name, existing.state);
    if ((await store.games.count()) >= settings.maxGames) {
      throw new ServiceError(
        'quota_exceeded',
        `there are ${settings.maxGames} games, as many as this server allows: delete one, or raise RESPARK_MAX_GAMES`,
      );
    }
    const now = clock.now();
    const game: Game = {
      id: uuidV7(random, now),
      ...asked,
      state: 'ACTIVE',
      isTerminationProtected: false,
      createdAt: now,
      updatedAt: now,
    };
    await store.games.insert(game);
    return game;
  }

  return {
    create({ name, description = '', tags = {}, clientToken }, change) {
      const game = { name, description, tags };
      const call = { principal: change.actor, operation: 'CreateGame', clientToken, parameters: game };
      return audit.around(change, () =>
        store.transaction((store) =>
          createOnce(store, clock.now(), call, {
            create: () => insert(store, game),
            // The name finds the game, and the id tells it from a later game of the same name.
            idOf: (made) => `${made.name}/${made.id}`,
            async find(resourceId) {
              const [madeName = '', id] = resourceId.split('/');
              const made = await store.games.find(madeName);
              return made?.id === id ? made : undefined;
            },
          }),
        ),
      );
    },

    find: (name) => store.games.find(name),

    get: (name) => getGame(store, name),

    async list(request) {
      const all = { list: (page: PageQuery) => store.games.list(page), bytesOf };
      return await paginate('ListGames', request, inListTurns(all, { positionOf, turn }));
    },

    update: (name, { description }, change) =>
      audit.around(change, () =>
        store.transaction(async (store) => {
          const game = await getActiveGame(store, name);
          if (description === undefined) return game;
          const update = { description, updatedAt: clock.now() };
          await store.games.update(game.id, update);
          return { ...game, ...update };
        }),
      ),

    delete: (name, change) =>
      audit.around(change, async () => {
        const game = await store.transaction((store) => markGame(store, name, clock.now()));
        if (game !== undefined) await deletions.deleteGame(game.id);
      }),
  };
}

/** Marks the game and all its stages in one step, so that no player operation and no CreateStage finds them any more. */
async function markGame(store: Store, name: string, updatedAt: number): Promise<Game | undefined> {
  const game = await store.games.find(name);
  if (game === undefined || game.state === 'DELETING') return game;
  if (game.isTerminationProtected) {
    throw new ServiceError(
      'conflict',
      `game "${name}" is protected from deletion: turn its termination protection off`,
    );
  }
  const change = { state: 'DELETING', updatedAt } as const;
  await store.games.update(game.id, change);
  let page = await store.stages.list(game.id, { limit: 100 });
  while (page.length > 0) {
    for (const stage of page) if (stage.state === 'ACTIVE') await store.stages.update(stage.id, change);
    page = await store.stages.list(game.id, { after: (page.at(-1) as { name: string }).name, limit: 100 });
  }
  return game;
}

/** The game, even while it is being deleted. Throws `not_found`. */
export async function getGame(store: Pick<Store, 'games'>, name: string): Promise<Game> {
  return (await store.games.find(name)) ?? gameNotFound(name);
}

/** Whether the game of this id still exists. A later game may have the same name. */
export async function isGameThere(
  store: Pick<Store, 'games'>,
  { id, name }: { readonly id: string; readonly name: string },
): Promise<boolean> {
  return (await store.games.find(name))?.id === id;
}

/** The game, for a rule that changes what is in it. Throws `not_found`, also while the game is being deleted. */
export async function getActiveGame(store: Pick<Store, 'games'>, name: string): Promise<Game> {
  const game = await store.games.find(name);
  return game?.state === 'ACTIVE' ? game : gameNotFound(name);
}

export function gameNotFound(name: string): never {
  throw new ServiceError('not_found', `there is no game "${name}": ListGames shows those that exist`);
}

export function nameTaken(kind: 'game' | 'stage', name: string, state: 'ACTIVE' | 'DELETING'): ServiceError {
  const reason = state === 'ACTIVE' ? 'already exists: choose another name' : 'is still being deleted: try again later';
  return new ServiceError('conflict', `${kind} "${name}" ${reason}`);
}
