import { sql } from 'kysely';
import type { Database, Query } from './database.ts';
import type { Store } from './store.ts';
import { createAccessKeys } from './tables/access-keys.ts';
import { createClientTokens } from './tables/client-tokens.ts';
import { createConfigurations } from './tables/configurations.ts';
import { createDeployments } from './tables/deployments.ts';
import { createGames } from './tables/games.ts';
import { createGeneratedCodeJobs } from './tables/generated-code-jobs.ts';
import { createMeta } from './tables/meta.ts';
import { createRuntimes } from './tables/runtimes.ts';
import type { Scope } from './tables/scope.ts';
import { createSnapshots } from './tables/snapshots.ts';
import { createStages } from './tables/stages.ts';

/** Look-ups on the hot path that are remembered: more keys, game keys and stages than are in use at once. */
const MAX_REMEMBERED = 10_000;

export function createStore(database: Database): Store {
  const tables = createTables({ read: database.query, write: (work) => database.transaction(work) });
  const { stages, accessKeys } = tables;
  const remember = createMemory(database);
  return {
    ...tables,
    stages: {
      ...stages,
      find: (gameName, name) => remember(`stage ${gameName} ${name}`, () => stages.find(gameName, name)),
      findByGameKey: (gameKey) => remember(`game key ${gameKey}`, () => stages.findByGameKey(gameKey)),
    },
    accessKeys: { ...accessKeys, find: (id) => remember(`access key ${id}`, () => accessKeys.find(id)) },
    transaction: (work) => database.transaction((query) => work(storeWithin(query))),
  };
}

/** Answers with what was read before for as long as nobody has committed anything since: never with anything stale. */
function createMemory(database: Database): <T>(key: string, read: () => Promise<T>) => Promise<T> {
  const remembered = new Map<string, unknown>();
  let version: number | undefined;
  return async function remember<T>(key: string, read: () => Promise<T>): Promise<T> {
    const current = database.version();
    if (current === undefined) return await read();
    if (current !== version || remembered.size >= MAX_REMEMBERED) remembered.clear();
    version = current;
    const known = remembered.get(key) as T | undefined;
    if (known !== undefined) return known;
    const found = await read();
    // What is absent is not remembered: anyone may ask for names without end.
    if (version === current && found !== undefined) remembered.set(key, found);
    return found;
  };
}

function storeWithin(query: Query): Store {
  const store: Store = {
    ...createTables({ read: query, write: (work) => work(query) }),
    async transaction(work) {
      await sql`savepoint inner_transaction`.execute(query);
      try {
        return await work(store);
      } catch (error) {
        await sql`rollback to savepoint inner_transaction`.execute(query);
        throw error;
      } finally {
        await sql`release savepoint inner_transaction`.execute(query);
      }
    },
  };
  return store;
}

function createTables(scope: Scope): Omit<Store, 'transaction'> {
  return {
    games: createGames(scope),
    stages: createStages(scope),
    configurations: createConfigurations(scope),
    snapshots: createSnapshots(scope),
    deployments: createDeployments(scope),
    runtimes: createRuntimes(scope),
    generatedCodeJobs: createGeneratedCodeJobs(scope),
    accessKeys: createAccessKeys(scope),
    clientTokens: createClientTokens(scope),
    meta: createMeta(scope),
  };
}
