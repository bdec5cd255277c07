import { type InsertResult, sql } from 'kysely';
import { ServiceError } from '../errors.ts';
import type { Database, Query } from './database.ts';
import type { Schema } from './schema.ts';
import type {
  AccessKeyRecord,
  AccessKeys,
  ClientTokens,
  GameRecord,
  Games,
  Meta,
  StageRecord,
  Stages,
  Store,
  Tags,
} from './store.ts';

/** Where a table's queries run: a write outside a transaction is a transaction of its own. */
interface Scope {
  readonly read: Query;
  write<T>(work: (query: Query) => Promise<T>): Promise<T>;
}

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
    accessKeys: createAccessKeys(scope),
    clientTokens: createClientTokens(scope),
    meta: createMeta(scope),
  };
}

function createGames({ read, write }: Scope): Games {
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
      await write((query) =>
        insertUnique(
          query
            .insertInto('games')
            .values(row)
            .onConflict((conflict) => conflict.doNothing()),
          `there is a game "${game.name}" already: choose another name`,
        ),
      );
    },
    async update(id, { updatedAt, ...change }) {
      const row = { ...change, updated_at: updatedAt };
      await write((query) => query.updateTable('games').set(row).where('id', '=', id).execute());
    },
    async remove(id) {
      await write((query) => query.deleteFrom('games').where('id', '=', id).execute());
    },
  };
}

function createStages({ read, write }: Scope): Stages {
  const stages = read
    .selectFrom('stages')
    .innerJoin('games', 'games.id', 'stages.game_id')
    .selectAll('stages')
    .select(['games.name as game_name', 'games.state as game_state']);
  return {
    async find(gameName, stageName) {
      const found = stages.where('games.name', '=', gameName).where('stages.name', '=', stageName);
      const row = await found.executeTakeFirst();
      return row && toStage(row);
    },
    async findById(id) {
      const row = await stages.where('stages.id', '=', id).executeTakeFirst();
      return row && toStage(row);
    },
    async findByGameKey(gameKey) {
      const row = await stages.where('stages.game_key', '=', gameKey).executeTakeFirst();
      return row && toStage(row);
    },
    async list(gameId, { after = '', limit }) {
      const page = stages.where('stages.game_id', '=', gameId).where('stages.name', '>', after);
      return (await page.orderBy('stages.name').limit(limit).execute()).map(toStage);
    },
    async count(gameId) {
      const rows = read.selectFrom('stages').select(({ fn }) => fn.countAll<number>().as('count'));
      return (await rows.where('game_id', '=', gameId).executeTakeFirstOrThrow()).count;
    },
    async listDeleting() {
      const deleting = stages.where(({ eb, or }) =>
        or([eb('stages.state', '=', 'DELETING'), eb('games.state', '=', 'DELETING')]),
      );
      return (await deleting.orderBy('games.name').orderBy('stages.name').execute()).map(toStage);
    },
    async insert(stage) {
      const row = {
        id: stage.id,
        game_id: stage.gameId,
        name: stage.name,
        description: stage.description,
        role: stage.role,
        game_key: stage.gameKey,
        log_group: stage.logGroup,
        state: stage.state,
        tags: JSON.stringify(stage.tags),
        created_at: stage.createdAt,
        updated_at: stage.updatedAt,
      };
      await write((query) =>
        insertUnique(
          query
            .insertInto('stages')
            .values(row)
            .onConflict((conflict) => conflict.doNothing()),
          `there is a stage "${stage.name}" in this game already: choose another name`,
        ),
      );
    },
    async update(id, { updatedAt, ...change }) {
      const row = { ...change, updated_at: updatedAt };
      await write((query) => query.updateTable('stages').set(row).where('id', '=', id).execute());
    },
    async remove(id) {
      await write((query) => query.deleteFrom('stages').where('id', '=', id).execute());
    },
  };
}

function createAccessKeys({ read, write }: Scope): AccessKeys {
  return {
    async find(id) {
      const row = await read.selectFrom('access_keys').selectAll().where('id', '=', id).executeTakeFirst();
      return row && toAccessKey(row);
    },
    async list() {
      return (await read.selectFrom('access_keys').selectAll().orderBy('id').execute()).map(toAccessKey);
    },
    async insert(key) {
      const row = {
        id: key.id,
        description: key.description,
        sealed_secret: Buffer.from(key.sealedSecret).toString('base64'),
        policy: key.policy,
        is_root: Number(key.isRoot),
        created_at: key.createdAt,
        revoked_at: key.revokedAt ?? null,
      };
      await write((query) =>
        insertUnique(
          query
            .insertInto('access_keys')
            .values(row)
            .onConflict((conflict) => conflict.doNothing()),
          key.isRoot
            ? 'there is a root access key already: revoke it first'
            : `there is an access key ${key.id} already`,
        ),
      );
    },
    async revoke(id, revokedAt) {
      const result = await write((query) =>
        query
          .updateTable('access_keys')
          .set({ revoked_at: revokedAt })
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .executeTakeFirst(),
      );
      return result.numUpdatedRows > 0n;
    },
    async removeRevokedBefore(revokedAt) {
      await write((query) => query.deleteFrom('access_keys').where('revoked_at', '<', revokedAt).execute());
    },
  };
}

function createClientTokens({ read, write }: Scope): ClientTokens {
  return {
    async find(principal, operation, token) {
      const row = await read
        .selectFrom('client_tokens')
        .selectAll()
        .where('principal', '=', principal)
        .where('operation', '=', operation)
        .where('token', '=', token)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const { parameters_digest: parametersDigest, resource_id: resourceId, created_at: createdAt } = row;
      return { principal, operation, token, parametersDigest, resourceId, createdAt };
    },
    async insert(record) {
      const row = {
        principal: record.principal,
        operation: record.operation,
        token: record.token,
        parameters_digest: record.parametersDigest,
        resource_id: record.resourceId,
        created_at: record.createdAt,
      };
      await write((query) =>
        insertUnique(
          query
            .insertInto('client_tokens')
            .values(row)
            .onConflict((conflict) => conflict.doNothing()),
          `the client token "${record.token}" was used for ${record.operation} already: choose another token`,
        ),
      );
    },
    async remove(principal, operation, token) {
      await write((query) =>
        query
          .deleteFrom('client_tokens')
          .where('principal', '=', principal)
          .where('operation', '=', operation)
          .where('token', '=', token)
          .execute(),
      );
    },
    async removeOlderThan(createdAt) {
      await write((query) => query.deleteFrom('client_tokens').where('created_at', '<', createdAt).execute());
    },
  };
}

function createMeta({ read, write }: Scope): Meta {
  return {
    async get(key) {
      return (await read.selectFrom('meta').select('value').where('key', '=', key).executeTakeFirst())?.value;
    },
    async set(key, value) {
      await write((query) =>
        query
          .insertInto('meta')
          .values({ key, value })
          .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
          .execute(),
      );
    },
  };
}

/** The statement does nothing where it would break a uniqueness: an error would end the transaction in PostgreSQL. */
async function insertUnique(
  statement: { executeTakeFirstOrThrow(): Promise<InsertResult> },
  conflictMessage: string,
): Promise<void> {
  const { numInsertedOrUpdatedRows } = await statement.executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows === 0n) throw new ServiceError('conflict', conflictMessage);
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

type StageRow = Schema['stages'] & { game_name: string; game_state: GameRecord['state'] };

function toStage(row: StageRow): StageRecord {
  return {
    id: row.id,
    gameId: row.game_id,
    gameName: row.game_name,
    name: row.name,
    description: row.description,
    role: row.role,
    gameKey: row.game_key,
    logGroup: row.log_group,
    state: row.state,
    gameState: row.game_state,
    tags: JSON.parse(row.tags) as Tags,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function toAccessKey(row: Schema['access_keys']): AccessKeyRecord {
  return {
    id: row.id,
    description: row.description,
    sealedSecret: Buffer.from(row.sealed_secret, 'base64'),
    policy: row.policy,
    isRoot: row.is_root === 1,
    createdAt: row.created_at,
    revokedAt: row.revoked_at ?? undefined,
  };
}
