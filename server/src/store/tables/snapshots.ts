import { setImmediate } from 'node:timers/promises';
import type { Schema } from '../schema.ts';
import type { SnapshotSummary, SnapshotTable } from '../store.ts';
import { insertUnique, octetsOf, type Scope, UNFINISHED } from './scope.ts';

/** All columns but the sections, which can be a megabyte for each snapshot and which no list shows. */
const SUMMARY = ['id', 'game_id', 'description', 'created_at', 'updated_at'] as const;

/**
 * To remove this many, of a megabyte each, holds all else up for some milliseconds. The zips of generated code, of which a snapshot
 * may have dozens and which may be as long, are removed by themselves before.
 */
const REMOVED_AT_ONCE = 5;

export function snapshotTable(scope: Scope): SnapshotTable {
  const { read, write } = scope;
  const ofGame = (gameId: string) =>
    read.selectFrom('generated_code_jobs').select('id').where('game_id', '=', gameId).limit(REMOVED_AT_ONCE);
  return {
    async find(gameId, id) {
      const row = await read
        .selectFrom('snapshots')
        .selectAll()
        .where('game_id', '=', gameId)
        .where('id', '=', id)
        .executeTakeFirst();
      return row && { ...toSummary(row), sections: row.sections };
    },
    async findSummary(gameId, id) {
      const summaries = read.selectFrom('snapshots').select(SUMMARY);
      const row = await summaries.where('game_id', '=', gameId).where('id', '=', id).executeTakeFirst();
      return row && toSummary(row);
    },
    async bytes(gameId, id) {
      const rows = read.selectFrom('snapshots').select(octetsOf('sections').as('bytes'));
      return (await rows.where('game_id', '=', gameId).where('id', '=', id).executeTakeFirst())?.bytes;
    },
    async list(gameId, { after, limit }) {
      const snapshots = read.selectFrom('snapshots').select(SUMMARY).where('game_id', '=', gameId);
      const page = after === undefined ? snapshots : snapshots.where('id', '<', after);
      return (await page.orderBy('id', 'desc').limit(limit).execute()).map(toSummary);
    },
    async count(gameId) {
      const rows = read.selectFrom('snapshots').select(({ fn }) => fn.countAll<number>().as('count'));
      return (await rows.where('game_id', '=', gameId).executeTakeFirstOrThrow()).count;
    },
    async insert(snapshot) {
      const row = {
        id: snapshot.id,
        game_id: snapshot.gameId,
        description: snapshot.description,
        created_at: snapshot.createdAt,
        updated_at: snapshot.updatedAt,
        sections: snapshot.sections,
      };
      await insertUnique(
        scope,
        'snapshots',
        row,
        `there is already a snapshot "${snapshot.id}" in this game: try again`,
      );
    },
    async update(gameId, id, { description, updatedAt }) {
      await write((query) =>
        query
          .updateTable('snapshots')
          .set({ description, updated_at: updatedAt })
          .where('game_id', '=', gameId)
          .where('id', '=', id)
          .execute(),
      );
    },
    findUse: (gameId, id) => findUse(scope, gameId, id),
    async remove(gameId, id) {
      await write((query) =>
        query.deleteFrom('snapshots').where('game_id', '=', gameId).where('id', '=', id).execute(),
      );
    },
    async removeCode(gameId, id) {
      await removeJobs(scope, ofGame(gameId).where('snapshot_id', '=', id));
    },
    async removeAll(gameId) {
      await removeJobs(scope, ofGame(gameId));
      await untilNothingIsLeft(async () => {
        const { numDeletedRows } = await write((query) => {
          const some = query.selectFrom('snapshots').select('id').where('game_id', '=', gameId).limit(REMOVED_AT_ONCE);
          return query.deleteFrom('snapshots').where('game_id', '=', gameId).where('id', 'in', some).executeTakeFirst();
        });
        return numDeletedRows;
      });
    },
  };
}

/** Removes all jobs that `some` finds, which gives a few of them at a time. */
async function removeJobs({ write }: Scope, some: { execute(): Promise<readonly { id: string }[]> }): Promise<void> {
  await untilNothingIsLeft(async () => {
    const ids = (await some.execute()).map(({ id }) => id);
    if (ids.length === 0) return 0n;
    const removed = await write((query) =>
      query.deleteFrom('generated_code_jobs').where('id', 'in', ids).executeTakeFirst(),
    );
    return removed.numDeletedRows;
  });
}

/** Other calls get their turn after each step. */
async function untilNothingIsLeft(removeSome: () => Promise<bigint>): Promise<void> {
  while ((await removeSome()) > 0n) await setImmediate();
}

async function findUse({ read }: Scope, gameId: string, id: string): ReturnType<SnapshotTable['findUse']> {
  const ofGame = read.selectFrom('stages').select('stages.name').where('stages.game_id', '=', gameId);
  const runtimes = ofGame
    .innerJoin('runtimes', 'runtimes.stage_id', 'stages.id')
    .where('runtimes.snapshot_id', '=', id)
    .orderBy('stages.name');
  // The stages lead to what they run, so that none of their other runtimes are looked at.
  const running = await ofGame
    .innerJoin('runtimes', 'runtimes.id', 'stages.runtime_id')
    .where('runtimes.snapshot_id', '=', id)
    .orderBy('stages.name')
    .limit(1)
    .executeTakeFirst();
  if (running !== undefined) return { kind: 'stage', stageName: running.name };
  const deploying = await ofGame
    .innerJoin('deployments', 'deployments.stage_id', 'stages.id')
    .where('deployments.snapshot_id', '=', id)
    .where('deployments.state', 'in', UNFINISHED)
    .orderBy('stages.name')
    .limit(1)
    .executeTakeFirst();
  if (deploying !== undefined) return { kind: 'deployment', stageName: deploying.name };
  const job = await read
    .selectFrom('generated_code_jobs')
    .select('id')
    .where('game_id', '=', gameId)
    .where('snapshot_id', '=', id)
    .where('state', 'in', UNFINISHED)
    .limit(1)
    .executeTakeFirst();
  if (job !== undefined) return { kind: 'job' };
  const left = await runtimes.limit(1).executeTakeFirst();
  return left && { kind: 'runtime', stageName: left.name };
}

function toSummary(row: Pick<Schema['snapshots'], (typeof SUMMARY)[number]>): SnapshotSummary {
  return {
    id: row.id,
    gameId: row.game_id,
    description: row.description,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
