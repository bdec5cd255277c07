import type { Schema } from '../schema.ts';
import type { LifeState, StageRecord, StageTable, Tags } from '../store.ts';
import { batchedLookUp } from './batched-look-up.ts';
import { insertUnique, type Scope } from './scope.ts';

export function stageTable(scope: Scope): StageTable {
  const { read, write } = scope;
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
    findByGameKey: batchedLookUp(
      async (gameKeys) => (await stages.where('stages.game_key', 'in', gameKeys).execute()).map(toStage),
      ({ gameKey }) => gameKey,
    ),
    // A table remembers nothing.
    forget() {},
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
        runtime_id: null,
        identity: null,
      };
      const message = `there is already a stage "${stage.name}" in this game: choose another name`;
      await insertUnique(scope, 'stages', row, message);
    },
    async update(id, change) {
      const { updatedAt, tags, runtimeId, ...same } = change;
      const row = {
        ...same,
        ...(tags && { tags: JSON.stringify(tags) }),
        ...('runtimeId' in change && { runtime_id: runtimeId ?? null }),
        updated_at: updatedAt,
      };
      await write((query, changed) => {
        changed(id);
        return query.updateTable('stages').set(row).where('id', '=', id).execute();
      });
    },
    async remove(id) {
      await write((query, changed) => {
        changed(id);
        return query.deleteFrom('stages').where('id', '=', id).execute();
      });
    },
  };
}

type StageRow = Schema['stages'] & { game_name: string; game_state: LifeState };

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
    runtimeId: row.runtime_id ?? undefined,
    identity: row.identity ?? undefined,
    tags: JSON.parse(row.tags) as Tags,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
