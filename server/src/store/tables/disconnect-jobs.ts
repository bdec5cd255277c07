import { sql } from 'kysely';
import type { Query } from '../database.ts';
import type { DisconnectJobRecord, DisconnectJobState, DisconnectJobTable, JobProgress } from '../disconnect-jobs.ts';
import type { Schema } from '../schema.ts';
import { gameIdOf, insertUnique, type OfGame, type Scope, UNFINISHED } from './scope.ts';

const ENDED = ['COMPLETED', 'FAILED', 'CANCELLED'] as const;

/** All columns but the list of players. */
const RECORD = [
  'id',
  'stage_id',
  'state',
  'wish',
  'claimed_by',
  'request',
  'named_players',
  'actor',
  'request_id',
  'confirmed_by',
  'connections',
  'players',
  'created_at',
  'updated_at',
  'begun_at',
  'closed',
  'gone',
  'unproven',
  'in_flight',
  'failures',
  'silent_nodes',
] as const;

export function disconnectJobTable(scope: Scope): DisconnectJobTable {
  return { ...createLookUps(scope), ...createChanges(scope), ...createSteps(scope), ...createTellings(scope) };
}

function createLookUps({
  read,
}: Scope): Pick<
  DisconnectJobTable,
  'find' | 'list' | 'listUnfinished' | 'listUnconfirmed' | 'listUntold' | 'countOpen' | 'playerIds'
> {
  const jobs = read.selectFrom('disconnect_jobs').select(RECORD).select(gameIdOf('disconnect_jobs'));
  return {
    async find(stageId, id) {
      const row = await jobs.where('stage_id', '=', stageId).where('id', '=', id).executeTakeFirst();
      return row && toJob(row);
    },
    async list(stageId, { after, limit }) {
      const all = jobs.where('stage_id', '=', stageId);
      const page = after === undefined ? all : all.where('id', '<', after);
      return (await page.orderBy('id', 'desc').limit(limit).execute()).map(toJob);
    },
    async listUnfinished() {
      return (await jobs.where('state', 'in', UNFINISHED).orderBy('id').execute()).map(toJob);
    },
    async listUnconfirmed(before, limit) {
      const waiting = jobs.where('state', '=', 'AWAITING_CONFIRMATION').where('updated_at', '<', before);
      return (await waiting.orderBy('id').limit(limit).execute()).map(toJob);
    },
    async listUntold(limit) {
      const untold = jobs.where('state', 'in', ENDED).where('claimed_by', 'is not', null);
      return (await untold.orderBy('id').limit(limit).execute()).map(toJob);
    },
    async countOpen(stageId) {
      const { count } = await read
        .selectFrom('disconnect_jobs')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('stage_id', '=', stageId)
        .where('state', 'not in', ENDED)
        .executeTakeFirstOrThrow();
      return Number(count);
    },
    async playerIds(id) {
      const row = await read
        .selectFrom('disconnect_jobs')
        .leftJoin('disconnect_job_players', 'disconnect_job_players.job_id', 'disconnect_jobs.id')
        .select(['disconnect_jobs.player_ids as inRow', 'disconnect_job_players.player_ids as apart'])
        .where('disconnect_jobs.id', '=', id)
        .executeTakeFirst();
      const text = row?.apart ?? row?.inRow;
      return typeof text === 'string' ? text.split(' ') : undefined;
    },
  };
}

function createChanges(scope: Scope): Pick<DisconnectJobTable, 'insert' | 'update' | 'prune'> {
  const { write } = scope;
  return {
    async insert({ playerIds, ...job }) {
      const row = {
        id: job.id,
        stage_id: job.stageId,
        state: job.state,
        wish: 'RUN' as const,
        claimed_by: null,
        request: job.request,
        // A node of the previous version looks for the players here. An empty list means none; null would mean all of them.
        player_ids: playerIds === undefined ? null : '',
        named_players: playerIds?.length ?? null,
        actor: job.actor,
        request_id: job.requestId,
        confirmed_by: null,
        connections: job.connections,
        players: job.players,
        created_at: job.createdAt,
        updated_at: job.updatedAt,
        begun_at: null,
        ...toColumns({ closed: 0, gone: 0, unproven: 0, inFlight: [], failures: [], silentNodes: [] }),
      };
      await write(async (query, changed) => {
        const inside: Scope = { ...scope, write: (work) => work(query, changed) };
        await insertUnique(inside, 'disconnect_jobs', row, `there is already a job ${job.id}: try again`);
        if (playerIds === undefined) return;
        // No id of a player has a space.
        const list = { job_id: job.id, player_ids: playerIds.join(' ') };
        await query.insertInto('disconnect_job_players').values(list).execute();
      });
    },
    async update(id, { state, wish, claimedBy, confirmedBy, connections, players, updatedAt }) {
      const change = {
        updated_at: updatedAt,
        ...(state !== undefined && { state }),
        ...(wish !== undefined && { wish }),
        ...(claimedBy !== undefined && { claimed_by: claimedBy }),
        ...(confirmedBy !== undefined && { confirmed_by: confirmedBy }),
        ...(connections !== undefined && { connections }),
        ...(players !== undefined && { players }),
      };
      await write(async (query) => {
        await query.updateTable('disconnect_jobs').set(change).where('id', '=', id).execute();
        if (state !== undefined && isEnded(state)) await forgetPlayers(query, id);
      });
    },
    async prune(stageId, keep) {
      await write((query) => {
        const ended = query
          .selectFrom('disconnect_jobs')
          .select('id')
          .where('stage_id', '=', stageId)
          .where('state', 'in', ENDED);
        return query
          .deleteFrom('disconnect_jobs')
          .where('id', 'in', ended)
          .where('id', 'not in', ended.orderBy('id', 'desc').limit(keep))
          .execute();
      });
    },
  };
}

/** What the node that does the work writes. */
function createSteps({ write }: Scope): Pick<DisconnectJobTable, 'claim' | 'advance' | 'end'> {
  return {
    async claim(id, owner, at) {
      const { numUpdatedRows } = await write((query) =>
        query
          .updateTable('disconnect_jobs')
          .set({
            state: 'IN_PROGRESS',
            claimed_by: owner,
            updated_at: at,
            begun_at: sql<number | null>`case when wish = 'CANCEL' then begun_at else coalesce(begun_at, ${at}) end`,
          })
          .where('id', '=', id)
          .where('state', 'in', UNFINISHED)
          .executeTakeFirst(),
      );
      return numUpdatedRows > 0n;
    },
    async advance(id, owner, progress, at) {
      const row = await write((query) =>
        query
          .updateTable('disconnect_jobs')
          .set({ ...toColumns(progress), updated_at: at })
          .where('id', '=', id)
          .where('claimed_by', '=', owner)
          .where('state', 'in', UNFINISHED)
          .returning('wish')
          .executeTakeFirst(),
      );
      return row?.wish;
    },
    async end(id, owner, { state, wish, progress, at }) {
      return await write(async (query) => {
        const { numUpdatedRows } = await query
          .updateTable('disconnect_jobs')
          .set({ ...toColumns(progress), state, claimed_by: isEnded(state) ? owner : null, updated_at: at })
          .where('id', '=', id)
          .where('claimed_by', '=', owner)
          .where('wish', '=', wish)
          .where('state', 'in', UNFINISHED)
          .executeTakeFirst();
        if (numUpdatedRows > 0n && isEnded(state)) await forgetPlayers(query, id);
        return numUpdatedRows > 0n;
      });
    },
  };
}

function createTellings({ write }: Scope): Pick<DisconnectJobTable, 'handOverTelling' | 'markTold'> {
  const change = (id: string, from: string, to: string | null) =>
    write((query) =>
      query
        .updateTable('disconnect_jobs')
        .set({ claimed_by: to })
        .where('id', '=', id)
        .where('claimed_by', '=', from)
        .where('state', 'in', ENDED)
        .executeTakeFirst(),
    );
  return {
    async handOverTelling(id, from, to) {
      return (await change(id, from, to)).numUpdatedRows > 0n;
    },
    async markTold(id, owner) {
      await change(id, owner, null);
    },
  };
}

const isEnded = (state: DisconnectJobState) => ENDED.some((ended) => ended === state);

/** The list of players whom a job named is not asked for once it has ended, and may take half a megabyte. */
async function forgetPlayers(query: Query, id: string): Promise<void> {
  await query.deleteFrom('disconnect_job_players').where('job_id', '=', id).execute();
}

type JobRow = Pick<Schema['disconnect_jobs'], (typeof RECORD)[number]> & OfGame;

function toColumns({ closed, gone, unproven, inFlight, failures, silentNodes }: JobProgress) {
  return {
    closed,
    gone,
    unproven,
    in_flight: JSON.stringify(inFlight),
    failures: JSON.stringify(failures),
    silent_nodes: JSON.stringify(silentNodes),
  };
}

function toJob(row: JobRow): DisconnectJobRecord {
  return {
    id: row.id,
    stageId: row.stage_id,
    gameId: row.game_id,
    state: row.state,
    wish: row.wish,
    claimedBy: row.claimed_by ?? undefined,
    request: row.request,
    namedPlayers: row.named_players ?? undefined,
    actor: row.actor,
    requestId: row.request_id,
    confirmedBy: row.confirmed_by ?? undefined,
    connections: row.connections,
    players: row.players,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    begunAt: row.begun_at ?? undefined,
    closed: row.closed,
    gone: row.gone,
    unproven: row.unproven,
    inFlight: JSON.parse(row.in_flight) as JobProgress['inFlight'],
    failures: JSON.parse(row.failures) as JobProgress['failures'],
    silentNodes: JSON.parse(row.silent_nodes) as JobProgress['silentNodes'],
  };
}
