import { sql } from 'kysely';
import type { Database, Query } from './database.ts';
import { type Changed, createMemory } from './remembered.ts';
import type { StageRecord, Store } from './store.ts';
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

/** The one store over `database` in this process, because it remembers what it has looked up. */
export function createStore(database: Database): Store {
  const memory = createMemory(database);
  const tables = createTables({ read: database.query, write: memory.transaction });
  const { stages, accessKeys } = tables;
  const idsOfStage = ({ id, gameId }: StageRecord) => [id, gameId];
  return {
    ...tables,
    stages: {
      ...stages,
      find: (gameName, name) => memory.find(`stage ${gameName} ${name}`, () => stages.find(gameName, name), idsOfStage),
      findByGameKey: (gameKey) => memory.find(`game key ${gameKey}`, () => stages.findByGameKey(gameKey), idsOfStage),
    },
    accessKeys: {
      ...accessKeys,
      find: (id) =>
        memory.find(
          `access key ${id}`,
          () => accessKeys.find(id),
          () => [id],
        ),
    },
    transaction: (work) => memory.transaction((query, changed) => work(storeWithin(query, changed))),
  };
}

function storeWithin(query: Query, changed: Changed): Store {
  const store: Store = {
    ...createTables({ read: query, write: (work) => work(query, changed) }),
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
