import type { Schema } from '../schema.ts';
import type { GeneratedCodeJobRecord, GeneratedCodeJobTable } from '../store.ts';
import { claimsOnceClaimedBy, insertUnique, leaveClaim, type Scope, UNFINISHED } from './scope.ts';

/** All columns but the archive. */
const RECORD = [
  'id',
  'game_id',
  'snapshot_id',
  'state',
  'description',
  'generator',
  'created_at',
  'updated_at',
  'claimed_by',
  'claims',
] as const;

export function generatedCodeJobTable(scope: Scope): GeneratedCodeJobTable {
  const { read, write } = scope;
  const jobs = read.selectFrom('generated_code_jobs').select(RECORD);
  const ofSnapshot = (gameId: string, snapshotId: string) =>
    jobs.where('game_id', '=', gameId).where('snapshot_id', '=', snapshotId);
  return {
    async find(gameId, snapshotId, id) {
      const row = await ofSnapshot(gameId, snapshotId).where('id', '=', id).executeTakeFirst();
      return row && toJob(row);
    },
    async list(gameId, snapshotId, { after, limit }) {
      const all = ofSnapshot(gameId, snapshotId);
      const page = after === undefined ? all : all.where('id', '<', after);
      return (await page.orderBy('id', 'desc').limit(limit).execute()).map(toJob);
    },
    async listUnfinished() {
      const unfinished = jobs.where('state', 'in', UNFINISHED);
      return (await unfinished.orderBy('id').execute()).map(toJob);
    },
    async insert(job) {
      const row = {
        id: job.id,
        game_id: job.gameId,
        snapshot_id: job.snapshotId,
        state: job.state,
        description: job.description,
        generator: job.generator,
        created_at: job.createdAt,
        updated_at: job.updatedAt,
        archive: null,
        claimed_by: job.claimedBy ?? null,
        claims: job.claims,
      };
      await insertUnique(scope, 'generated_code_jobs', row, `there is already a job ${job.id}: try again`);
    },
    async claim(id, owner, updatedAt) {
      const row = { state: 'IN_PROGRESS', claimed_by: owner, updated_at: updatedAt } as const;
      const { numUpdatedRows } = await write((query) =>
        query
          .updateTable('generated_code_jobs')
          .set(row)
          .set('claims', claimsOnceClaimedBy(owner))
          .where('id', '=', id)
          .where('state', 'in', UNFINISHED)
          .executeTakeFirst(),
      );
      return numUpdatedRows > 0n;
    },
    leave: (id, owner) => leaveClaim(scope, 'generated_code_jobs', { id, owner }),
    async end(id, owner, { state, description, updatedAt }) {
      const { numUpdatedRows } = await write((query) =>
        query
          .updateTable('generated_code_jobs')
          .set({ state, description, updated_at: updatedAt })
          .where('id', '=', id)
          .where('claimed_by', '=', owner)
          .where('state', 'in', UNFINISHED)
          .executeTakeFirst(),
      );
      return numUpdatedRows > 0n;
    },
    async archive(id) {
      const rows = read.selectFrom('generated_code_jobs').select('archive').where('id', '=', id);
      const archive = (await rows.executeTakeFirst())?.archive ?? undefined;
      return archive === undefined ? undefined : Buffer.from(archive, 'base64');
    },
    async setArchive(id, archive) {
      const row = { archive: Buffer.from(archive).toString('base64') };
      await write((query) => query.updateTable('generated_code_jobs').set(row).where('id', '=', id).execute());
    },
    async prune(gameId, snapshotId, keep) {
      await write((query) => {
        const kept = query
          .selectFrom('generated_code_jobs')
          .select('id')
          .where('game_id', '=', gameId)
          .where('snapshot_id', '=', snapshotId)
          .where('state', 'in', ['COMPLETED', 'FAILED'])
          .orderBy('id', 'desc')
          .limit(keep);
        return query
          .deleteFrom('generated_code_jobs')
          .where('game_id', '=', gameId)
          .where('snapshot_id', '=', snapshotId)
          .where('state', 'in', ['COMPLETED', 'FAILED'])
          .where('id', 'not in', kept)
          .execute();
      });
    },
  };
}

function toJob(row: Pick<Schema['generated_code_jobs'], (typeof RECORD)[number]>): GeneratedCodeJobRecord {
  return {
    id: row.id,
    gameId: row.game_id,
    snapshotId: row.snapshot_id,
    state: row.state,
    description: row.description,
    generator: row.generator,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    claimedBy: row.claimed_by ?? undefined,
    claims: row.claims,
  };
}
