import { sql } from 'kysely';
import type { Database, Query } from './database.ts';
import { type Changed, createMemory } from './remembered.ts';
import type { StageRecord, Store } from './store.ts';
import { accessKeyTable } from './tables/access-keys.ts';
import { barTable } from './tables/bars.ts';
import { clientTokenTable } from './tables/client-tokens.ts';
import { configurationTable } from './tables/configurations.ts';
import { deploymentTable } from './tables/deployments.ts';
import { disconnectJobTable } from './tables/disconnect-jobs.ts';
import { gameTable } from './tables/games.ts';
import { generatedCodeJobTable } from './tables/generated-code-jobs.ts';
import { metaTable } from './tables/meta.ts';
import { runtimeTable } from './tables/runtimes.ts';
import type { Scope } from './tables/scope.ts';
import { snapshotTable } from './tables/snapshots.ts';
import { stageTable } from './tables/stages.ts';
import { usageOf } from './tables/usage.ts';
import { webhookTable } from './tables/webhooks.ts';

/** A store remembers what it has looked up, so a process must have only one over the same `database`. */
export function createStore(database: Database): Store {
  const memory = createMemory(database);
  const { storedBytes } = database;
  const tables = createTables({ read: database.query, write: memory.transaction, storedBytes });
  const { stages, accessKeys } = tables;
  const idsOfStage = ({ id, gameId }: StageRecord) => [id, gameId];
  return {
    ...tables,
    stages: {
      ...stages,
      find: (gameName, name) => memory.find(`stage ${gameName} ${name}`, () => stages.find(gameName, name), idsOfStage),
      findById: (id) => memory.find(`stage id ${id}`, () => stages.findById(id), idsOfStage),
      findByGameKey: (gameKey) => memory.find(`game key ${gameKey}`, () => stages.findByGameKey(gameKey), idsOfStage),
      forget: (id) => memory.forget(id),
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
    transaction: (work) => memory.transaction((query, changed) => work(storeWithin({ query, changed, storedBytes }))),
  };
}

/** The store that the work of a transaction uses; a transaction within it is a savepoint. */
function storeWithin({
  query,
  changed,
  storedBytes,
}: {
  query: Query;
  changed: Changed;
} & Pick<Database, 'storedBytes'>): Store {
  const store: Store = {
    ...createTables({ read: query, write: (work) => work(query, changed), storedBytes }),
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
    games: gameTable(scope),
    stages: stageTable(scope),
    configurations: configurationTable(scope),
    snapshots: snapshotTable(scope),
    deployments: deploymentTable(scope),
    runtimes: runtimeTable(scope),
    generatedCodeJobs: generatedCodeJobTable(scope),
    bars: barTable(scope),
    disconnectJobs: disconnectJobTable(scope),
    accessKeys: accessKeyTable(scope),
    webhooks: webhookTable(scope),
    clientTokens: clientTokenTable(scope),
    meta: metaTable(scope),
    usage: usageOf(scope),
  };
}
