import type { Schema } from '../schema.ts';
import type { DeploymentRecord, DeploymentTable } from '../store.ts';
import {
  claimsOnceClaimedBy,
  gameIdOf,
  insertUnique,
  leaveClaim,
  type OfGame,
  removeOfStage,
  type Scope,
  UNFINISHED,
} from './scope.ts';

export function deploymentTable(scope: Scope): DeploymentTable {
  const { read, write } = scope;
  const deployments = read.selectFrom('deployments').selectAll().select(gameIdOf('deployments'));
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
      const unfinished = deployments.where('state', 'in', UNFINISHED);
      return (await unfinished.orderBy('id').execute()).map(toDeployment);
    },
    async insert(deployment) {
      const row = {
        id: deployment.id,
        stage_id: deployment.stageId,
        snapshot_id: deployment.snapshotId,
        action: deployment.action,
        state: deployment.state,
        ...resultOf(deployment),
        created_at: deployment.createdAt,
        claimed_by: deployment.claimedBy ?? null,
        claims: deployment.claims,
      };
      await insertUnique(scope, 'deployments', row, `there is already a deployment ${deployment.id}: try again`);
    },
    async claim(id, owner, updatedAt) {
      const row = { state: 'IN_PROGRESS', claimed_by: owner, updated_at: updatedAt } as const;
      const { numUpdatedRows } = await write((query) =>
        query
          .updateTable('deployments')
          .set(row)
          .set('claims', claimsOnceClaimedBy(owner))
          .where('id', '=', id)
          .where('state', 'in', UNFINISHED)
          .executeTakeFirst(),
      );
      return numUpdatedRows > 0n;
    },
    leave: (id, owner) => leaveClaim(scope, 'deployments', { id, owner }),
    async end(id, owner, outcome) {
      const row = { state: outcome.state, ...resultOf(outcome) };
      const { numUpdatedRows } = await write((query) =>
        query
          .updateTable('deployments')
          .set(row)
          .where('id', '=', id)
          .where('claimed_by', '=', owner)
          .where('state', 'in', UNFINISHED)
          .executeTakeFirst(),
      );
      return numUpdatedRows > 0n;
    },
    async prune(stageId, keep) {
      await write((query) => {
        const ids = query.selectFrom('deployments').select('id').where('stage_id', '=', stageId);
        const kept = ids.orderBy('id', 'desc').limit(keep);
        return query.deleteFrom('deployments').where('stage_id', '=', stageId).where('id', 'not in', kept).execute();
      });
    },
    removeAll: (stageId) => removeOfStage(scope, 'deployments', stageId),
  };
}

function resultOf({ result, updatedAt }: Pick<DeploymentRecord, 'result' | 'updatedAt'>) {
  return { result_code: result?.code ?? null, result_message: result?.message ?? null, updated_at: updatedAt };
}

function toDeployment(row: Schema['deployments'] & OfGame): DeploymentRecord {
  return {
    id: row.id,
    stageId: row.stage_id,
    gameId: row.game_id,
    snapshotId: row.snapshot_id,
    action: row.action,
    state: row.state,
    result: row.result_code === null ? undefined : { code: row.result_code, message: row.result_message ?? '' },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    claimedBy: row.claimed_by ?? undefined,
    claims: row.claims,
  };
}
