import type { Schema } from '../schema.ts';
import type { RuntimeRecord, RuntimeTable } from '../store.ts';
import { insertUnique, removeOfStage, type Scope } from './scope.ts';

export function runtimeTable(scope: Scope): RuntimeTable {
  const { read, write } = scope;
  const runtimes = read.selectFrom('runtimes').selectAll();
  return {
    async find(id) {
      const row = await runtimes.where('id', '=', id).executeTakeFirst();
      return row && toRuntime(row);
    },
    async list(stageId) {
      return (await runtimes.where('stage_id', '=', stageId).orderBy('id').execute()).map(toRuntime);
    },
    async areThere() {
      return (await read.selectFrom('runtimes').select('id').limit(1).executeTakeFirst()) !== undefined;
    },
    async insert({ id, stageId, snapshotId, createdAt }) {
      const row = { id, stage_id: stageId, snapshot_id: snapshotId, created_at: createdAt };
      await insertUnique(scope, 'runtimes', row, `there is already a runtime ${id}: try again`);
    },
    async listReplaced(stageId, at, limit) {
      const ids = read.selectFrom('runtimes').select('id').where('stage_id', '=', stageId);
      const before = ids.where('created_at', '<', at);
      const newest = await before.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(1).executeTakeFirst();
      if (newest === undefined) return [];
      const replaced = await ids.where('id', '<', newest.id).orderBy('id').limit(limit).execute();
      return replaced.map(({ id }) => id);
    },
    async remove(ids) {
      if (ids.length === 0) return;
      await write((query) => query.deleteFrom('runtimes').where('id', 'in', ids).execute());
    },
    removeAll: (stageId) => removeOfStage(scope, 'runtimes', stageId),
  };
}

function toRuntime(row: Schema['runtimes']): RuntimeRecord {
  return { id: row.id, stageId: row.stage_id, snapshotId: row.snapshot_id, createdAt: row.created_at };
}
