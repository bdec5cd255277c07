import type { Schema } from '../schema.ts';
import type { DeploymentRecord, Deployments } from '../store.ts';
import { insertUnique, type Scope } from './scope.ts';

export function createDeployments(scope: Scope): Deployments {
  const { read, write } = scope;
  const deployments = read.selectFrom('deployments').selectAll();
  return {
    async find(stageId, id) {
      const row = await deployments.where('stage_id', '=', stageId).where('id', '=', id).executeTakeFirst();
      return row && toDeployment(row);
    },
    async list(stageId, { after, limit }) {
      const ofStage = deployments.where('stage_id', '=', stageId);
      const page = after === undefined ? ofStage : ofStage.where('id', '<', after);
      return (await page.orderBy('id', 'desc').limit(limit).execute()).map(toDeployment);
    },
    async listUnfinished() {
      const unfinished = deployments.where('state', 'in', ['PENDING', 'IN_PROGRESS']);
      return (await unfinished.orderBy('id').execute()).map(toDeployment);
    },
    async insert(deployment) {
      const row = {
        id: deployment.id,
        stage_id: deployment.stageId,
        snapshot_id: deployment.snapshotId,
        action: deployment.action,
        ...outcomeOf(deployment),
        created_at: deployment.createdAt,
      };
      await insertUnique(scope, 'deployments', row, `there is a deployment ${deployment.id} already: try again`);
    },
    async update(id, change) {
      await write((query) => query.updateTable('deployments').set(outcomeOf(change)).where('id', '=', id).execute());
    },
    async prune(stageId, keep) {
      await write((query) => {
        const ids = query.selectFrom('deployments').select('id').where('stage_id', '=', stageId);
        const kept = ids.orderBy('id', 'desc').limit(keep);
        return query.deleteFrom('deployments').where('stage_id', '=', stageId).where('id', 'not in', kept).execute();
      });
    },
  };
}

function outcomeOf({ state, result, updatedAt }: Pick<DeploymentRecord, 'state' | 'result' | 'updatedAt'>) {
  return {
    state,
    result_code: result?.code ?? null,
    result_message: result?.message ?? null,
    updated_at: updatedAt,
  };
}

function toDeployment(row: Schema['deployments']): DeploymentRecord {
  return {
    id: row.id,
    stageId: row.stage_id,
    snapshotId: row.snapshot_id,
    action: row.action,
    state: row.state,
    result: row.result_code === null ? undefined : { code: row.result_code, message: row.result_message ?? '' },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
