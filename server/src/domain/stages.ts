import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import { type RandomBytes, randomAlphanumeric, uuidV7 } from '../random.ts';
import type { PageQuery } from '../store/page-query.ts';
import type { StageRecord, Store, Tags } from '../store/store.ts';
import type { Audit, Change } from './audit/audit.ts';
import { createOnce } from './client-tokens.ts';
import type { Deletions } from './deletions.ts';
import { gameNotFound, getGame, nameTaken } from './games.ts';
import type { ListTurn } from './list-turns.ts';
import { orUnavailable } from './or-unavailable.ts';
import { inListTurns, type Page, type PageRequest, type Paginate } from './pagination.ts';
import { bytesOfTags } from './tags.ts';

export type Stage = StageRecord;

export interface NewStage {
  readonly gameName: string;
  readonly name: string;
  readonly role: string;
  readonly description?: string | undefined;
  readonly tags?: Tags | undefined;
  /** Makes the call repeatable: see `createOnce`. */
  readonly clientToken?: string | undefined;
}

/** 190 random bits: a client that guessed a game key could join the game. */
const GAME_KEY_CHARACTERS = 32;

/**
 * The rules of stages. A stage that is being deleted can still be read, and deleted again; all else treats it as
 * missing.
 */
export interface Stages {
  /**
   * Throws `not_found` without the game, and `conflict` for a name in use, a game being deleted or a stage too many.
   */
  create(stage: NewStage, change: Change): Promise<Stage>;
  /** As the store's: at once where it is remembered. */
  find(gameName: string, name: string): MaybePromise<Stage | undefined>;
  /** Throws `not_found`. */
  get(gameName: string, name: string): Promise<Stage>;
  /** Throws `not_found` when the game does not exist. */
  list(gameName: string, request: PageRequest): Promise<Page<Stage>>;
  /** Throws `not_found`. */
  update(
    gameName: string,
    name: string,
    update: { readonly description?: string | undefined; readonly role?: string | undefined },
    change: Change,
  ): Promise<Stage>;
  /**
   * Deletes the stage and closes its players' connections. Resolves when the stage is gone, or after
   * `disconnectDeadlineMs`: the deletion then goes on in the background. Throws `not_found`.
   */
  delete(gameName: string, name: string, change: Change): Promise<void>;
}

export interface StagesParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly deletions: Pick<Deletions, 'deleteStage'>;
  readonly paginate: Paginate;
  readonly turn: ListTurn;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly settings: { readonly maxStages: number };
}

const bytesOf = ({ tags }: Stage): number => bytesOfTags(tags);
const positionOf = ({ name }: Stage): string => name;

export function createStages({
  store,
  audit,
  deletions,
  paginate,
  turn,
  clock,
  random,
  settings,
}: StagesParts): Stages {
  async function insert(
    store: Store,
    { gameName, ...asked }: Pick<Stage, 'gameName' | 'name' | 'role' | 'description' | 'tags'>,
  ): Promise<Stage> {
    const { name } = asked;
    const game = await getGame(store, gameName);
    if (game.state === 'DELETING') throw nameTaken('game', gameName, 'DELETING');
    const existing = await store.stages.find(gameName, name);
    if (existing !== undefined) throw nameTaken('stage', name, existing.state);
    if ((await store.stages.count(game.id)) >= settings.maxStages) {
      throw new ServiceError(
        'conflict',
        `game "${gameName}" has ${settings.maxStages} stages, as many as this server allows: delete one, or raise RESPARK_MAX_STAGES`,
      );
    }
    const now = clock.now();
    const stage = {
      id: uuidV7(random, now),
      gameId: game.id,
      ...asked,
      gameKey: randomAlphanumeric(random, GAME_KEY_CHARACTERS),
      logGroup: `/aws/gamesparks/${gameName}/${name}`,
      state: 'ACTIVE',
      createdAt: now,
      updatedAt: now,
    } as const;
    await store.stages.insert(stage);
    return { ...stage, gameName, gameState: 'ACTIVE', runtimeId: undefined, identity: undefined };
  }

  return {
    create({ gameName, name, role, description = '', tags = {}, clientToken }, change) {
      const stage = { gameName, name, role, description, tags };
      const call = { principal: change.actor, operation: 'CreateStage', clientToken, parameters: stage };
      return audit.around(change, () =>
        store.transaction((store) =>
          createOnce(store, clock.now(), call, {
            create: () => insert(store, stage),
            idOf: (made) => made.id,
            find: async (id) => await store.stages.findById(id),
          }),
        ),
      );
    },

    find: (gameName, name) => store.stages.find(gameName, name),

    get: (gameName, name) => getStage(store, gameName, name),

    async list(gameName, request) {
      const game = await getGame(store, gameName);
      // The list is named by id, so that a token is of no use in a later game of the same name.
      const all = { list: (page: PageQuery) => store.stages.list(game.id, page), bytesOf };
      return await paginate(`ListStages ${game.id}`, request, inListTurns(all, { positionOf, turn }));
    },

    update: (gameName, name, { description, role }, change) =>
      audit.around(change, () =>
        store.transaction(async (store) => {
          const stage = await getStage(store, gameName, name);
          if (stage.state !== 'ACTIVE') return stageNotFound(gameName, name);
          if (description === undefined && role === undefined) return stage;
          const update = {
            ...(description === undefined ? {} : { description }),
            ...(role === undefined ? {} : { role }),
            updatedAt: clock.now(),
          };
          await store.stages.update(stage.id, update);
          return { ...stage, ...update };
        }),
      ),

    delete: (gameName, name, change) =>
      audit.around(change, async () => {
        const stage = await store.transaction(async (store) => {
          const found = await getStage(store, gameName, name);
          const update = { state: 'DELETING', updatedAt: clock.now() } as const;
          if (found.state === 'ACTIVE') await store.stages.update(found.id, update);
          return found;
        });
        await deletions.deleteStage(stage.id);
      }),
  };
}

export interface NamedStage {
  readonly gameName: string;
  readonly stageName: string;
}

/** What stages are found in by their names. */
export interface StagesByName {
  readonly stages: Pick<Store['stages'], 'find'>;
  readonly games: Pick<Store['games'], 'find'>;
}

/** The stage, even while it is being deleted, or else which of the two is missing. */
export function findStage(
  store: StagesByName,
  gameName: string,
  name: string,
): MaybePromise<Stage | 'no_game' | 'no_stage'> {
  return andThen(store.stages.find(gameName, name), (stage) => {
    if (stage !== undefined) return stage;
    return andThen(store.games.find(gameName), (game) => (game === undefined ? 'no_game' : 'no_stage'));
  });
}

/** What `findStage` has found. Throws `not_found`, also for a stage that is being deleted, by itself or with its game. */
function activeStage(found: Stage | 'no_game' | 'no_stage', gameName: string, name: string): Stage {
  if (found === 'no_game') return gameNotFound(gameName);
  return found === 'no_stage' || isBeingDeleted(found) ? stageNotFound(gameName, name) : found;
}

/** Throws `not_found`, also for a stage that is being deleted. */
export async function getActiveStage(store: StagesByName, { gameName, stageName }: NamedStage): Promise<Stage> {
  return activeStage(await findStage(store, gameName, stageName), gameName, stageName);
}

/** The same within a time limit: throws an `internal` that may be tried again when the store fails or is late. */
export function getActiveStageInTime(
  { store, timeoutMs, clock }: { readonly store: StagesByName; readonly timeoutMs: number; readonly clock: Clock },
  { gameName, stageName }: NamedStage,
): MaybePromise<Stage> {
  const found = orUnavailable('store', () => findStage(store, gameName, stageName), timeoutMs, clock);
  return andThen(found, (stage) => activeStage(stage, gameName, stageName));
}

/** The stage, even while it is being deleted. Throws `not_found`. */
export async function getStage(store: StagesByName, gameName: string, name: string): Promise<Stage> {
  const found = await findStage(store, gameName, name);
  return typeof found === 'string' ? activeStage(found, gameName, name) : found;
}

/** Whether the stage is being deleted, by itself or with its game. */
export function isBeingDeleted(stage: Pick<Stage, 'state' | 'gameState'>): boolean {
  return stage.state === 'DELETING' || stage.gameState === 'DELETING';
}

/** Whether the stage of this id still exists and is not being deleted. A new stage may have the same name. */
export function isStageThere(
  store: StagesByName,
  { stageId, gameName, stageName }: { stageId: string; gameName: string; stageName: string },
): MaybePromise<boolean> {
  return andThen(
    findStage(store, gameName, stageName),
    (found) => typeof found !== 'string' && found.id === stageId && !isBeingDeleted(found),
  );
}

/** The same for a stage that is known by its id alone. */
export function isStageIdThere(
  { stages }: { readonly stages: Pick<Store['stages'], 'findById'> },
  id: string,
): MaybePromise<boolean> {
  return andThen(stages.findById(id), (found) => found !== undefined && !isBeingDeleted(found));
}

export function stageNotFound(gameName: string, name: string): never {
  throw new ServiceError(
    'not_found',
    `there is no stage "${name}" in game "${gameName}": ListStages shows those that exist`,
  );
}
