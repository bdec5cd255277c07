import { setImmediate } from 'node:timers/promises';
import { sql } from 'kysely';
import type { BarRecord, BarTable, LeavingBar, NewBar } from '../bars.ts';
import type { Query } from '../database.ts';
import type { Schema } from '../schema.ts';
import type { Scope } from './scope.ts';

/** The fact that holds the latest version. */
const LATEST = 'bar_version';

/** To remove this many, of some kilobytes each, holds all else up for two milliseconds. */
const REMOVED_AT_ONCE = 100;

/** How many bars one query looks at for those that hold, which takes a millisecond or two. */
const LOOKED_AT_ONCE = 500;

/** How far the clock of one node may be ahead of that of another one, or has been. One that is further is wrong. */
const MAX_AHEAD_MS = 3_600_000;

/** The plus keeps SQLite from taking the index of what is enforced, which nearly all bars are, and reading all of them. */
const IS_ENFORCED = sql<boolean>`+is_enforced = 1`;

/** All columns but the evidence. */
const LISTED = [
  ...(['name', 'kind', 'game_id', 'stage_id', 'player_id', 'until', 'signed_in_before', 'ends_connections'] as const),
  ...(['reason', 'messages', 'actor', 'request_id', 'created_at', 'version', 'state', 'is_enforced'] as const),
];

export function barTable(scope: Scope): BarTable {
  const { read, write } = scope;
  const standing = (at: number) =>
    read
      .selectFrom('bars')
      .where('state', '=', 'SET')
      .where(({ eb, or }) => or([eb('until', 'is', null), eb('until', '>', at)]));

  return {
    ...createRemovals(scope),
    ...createEnforcements(scope),
    async find(name) {
      const row = await read.selectFrom('bars').selectAll().where('name', '=', name).executeTakeFirst();
      return row && toBar(row);
    },
    async set(record) {
      return await write(async (query) => {
        const version = await nextVersion(query, record.createdAt);
        const kept = { ...(await refusedTokens(query, record)), ...(await endsStillDue(query, record)) };
        const row = { ...toRow(record), ...kept, version, is_enforced: 0 };
        const { name: _, ...change } = row;
        await query
          .insertInto('bars')
          .values(row)
          .onConflict((conflict) => conflict.column('name').doUpdateSet(change))
          .execute();
        return toBar(row);
      });
    },
    async lift(name, at) {
      return await write(async (query) => {
        const row = await query.selectFrom('bars').selectAll().where('name', '=', name).executeTakeFirst();
        const version = await nextVersion(query, at);
        if (row === undefined) return version;
        const change = { version, state: 'LIFTED', is_enforced: 0 } as const;
        await query.updateTable('bars').set(change).where('name', '=', name).execute();
        return toBar({ ...row, ...change });
      });
    },
    async remove(name, version) {
      const { numDeletedRows } = await write((query) =>
        query.deleteFrom('bars').where('name', '=', name).where('version', '=', version).executeTakeFirstOrThrow(),
      );
      return numDeletedRows > 0n;
    },
    async list({ gameId, stageId, kind }, at, { after = '', limit }) {
      const ofKind = read.selectFrom('bars').where('kind', '=', kind).where('name', '>', after);
      const all = stageId === undefined ? ofKind.where('game_id', '=', gameId) : ofKind.where('stage_id', '=', stageId);
      // An index has all that this looks at.
      const last = await all
        .select('name')
        .orderBy('name')
        .limit(1)
        .offset(LOOKED_AT_ONCE - 1)
        .executeTakeFirst();
      const ofGame = standing(at).where('game_id', '=', gameId).where('kind', '=', kind).where('name', '>', after);
      const inPlace = stageId === undefined ? ofGame : ofGame.where('stage_id', '=', stageId);
      const page = last === undefined ? inPlace : inPlace.where('name', '<=', last.name);
      const rows = await page.select(LISTED).orderBy('name').limit(limit).execute();
      const bars = rows.map((row) => {
        const { evidence: _, ...listed } = toBar({ ...row, evidence: '' });
        return listed;
      });
      return { bars, next: bars.length === limit ? bars.at(-1)?.name : last?.name };
    },
    async listAll({ after = '', limit }) {
      const page = read.selectFrom('bars').where('state', '=', 'SET').selectAll().where('name', '>', after);
      return (await page.orderBy('name').limit(limit).execute()).map(toBar);
    },
    async listUnfinished(limit) {
      const unfinished = read.selectFrom('bars').selectAll().where('is_enforced', '=', 0);
      return (await unfinished.orderBy('version').limit(limit).execute()).map(toBar);
    },
    async count({ gameId, stageId, kind }) {
      const ofKind = read
        .selectFrom('bars')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('kind', '=', kind);
      const inPlace =
        stageId === undefined ? ofKind.where('game_id', '=', gameId) : ofKind.where('stage_id', '=', stageId);
      const { count } = await inPlace.executeTakeFirstOrThrow();
      return Number(count);
    },
  };
}

function createEnforcements({ write }: Scope): Pick<BarTable, 'renew' | 'markEnforced'> {
  return {
    async renew(name, version, above) {
      return await write(async (query) => {
        const named = query.selectFrom('bars').selectAll().where('name', '=', name);
        const row = await named.where('version', '=', version).executeTakeFirst();
        if (row === undefined) return undefined;
        const change = { version: await nextVersion(query, above + 1), is_enforced: 0 };
        await query.updateTable('bars').set(change).where('name', '=', name).execute();
        return toBar({ ...row, ...change });
      });
    },
    async markEnforced(name, version) {
      const { numUpdatedRows } = await write((query) =>
        query
          .updateTable('bars')
          .set({ is_enforced: 1 })
          .where('name', '=', name)
          .where('version', '=', version)
          .executeTakeFirstOrThrow(),
      );
      return numUpdatedRows > 0n;
    },
  };
}

function createRemovals({ read, write }: Scope): Pick<BarTable, 'removeEnded' | 'removeAll'> {
  async function removeSome(at: number, limit: number, gameId: string | undefined): Promise<number> {
    const all = read.selectFrom('bars').select('name').where('until', '<=', at).where(IS_ENFORCED);
    const ended = gameId === undefined ? all : all.where('game_id', '=', gameId);
    const names = (await ended.limit(limit).execute()).map(({ name }) => name);
    if (names.length === 0) return 0;
    const { numDeletedRows } = await write((query) =>
      query
        .deleteFrom('bars')
        .where('name', 'in', names)
        .where('until', '<=', at)
        .where(IS_ENFORCED)
        .executeTakeFirstOrThrow(),
    );
    return Number(numDeletedRows);
  }

  return {
    async removeEnded(at, limit, gameId) {
      for (let removed = 0; ; ) {
        const asked = Math.min(REMOVED_AT_ONCE, limit - removed);
        const some = await removeSome(at, asked, gameId);
        removed += some;
        if (some < asked || removed === limit) return removed;
        await setImmediate();
      }
    },
    async removeAll({ gameId, stageId }, leaving) {
      const ofGame = read.selectFrom('bars').where('game_id', '=', gameId);
      const all = stageId === undefined ? ofGame : ofGame.where('stage_id', '=', stageId);
      const some = all.select(['name', 'stage_id', 'player_id', 'version']).limit(REMOVED_AT_ONCE);
      for (;;) {
        const rows = await some.execute();
        if (rows.length === 0) return;
        await leaving(rows.map(toLeaving));
        const names = rows.map(({ name }) => name);
        await write((query) => query.deleteFrom('bars').where('name', 'in', names).execute());
        await setImmediate();
      }
    },
  };
}

/**
 * Versions follow the wall clock as far as it goes forward, so that those of a database that was restored from a backup are
 * greater than what a directory remembers of the time since.
 */
async function nextVersion(query: Query, now: number): Promise<number> {
  const latest = await query.selectFrom('meta').select('value').where('key', '=', LATEST).executeTakeFirst();
  const version = Math.max(Number(latest?.value ?? 0) + 1, now);
  const value = String(version);
  await query
    .insertInto('meta')
    .values({ key: LATEST, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute();
  return version;
}

/**
 * The tokens that a bar refuses, and until when: at least those that the bar before it has refused, for as long. The clock of the
 * node that sets a bar may be behind that of the node which has set the one before, whose tokens must not count again. A clock
 * that was far ahead is not followed: it would keep the player out until then, with no way for an operator to end that.
 */
async function refusedTokens(
  query: Query,
  { name, signedInBefore, until }: NewBar,
): Promise<Partial<Pick<BarRow, 'signed_in_before' | 'until'>>> {
  if (signedInBefore === undefined) return {};
  const set = query.selectFrom('bars').select('signed_in_before').where('state', '=', 'SET').where('name', '=', name);
  const ahead = Number((await set.executeTakeFirst())?.signed_in_before ?? 0) - signedInBefore;
  if (ahead <= 0 || ahead > MAX_AHEAD_MS) return {};
  return { signed_in_before: signedInBefore + ahead, ...(until !== undefined && { until: until + ahead }) };
}

/**
 * A revocation that was to end connections, and has not ended all of them yet, is followed by one that ends them too: the caller of
 * the first has been told that it will be enforced.
 */
async function endsStillDue(
  query: Query,
  { kind, name, endsConnections }: NewBar,
): Promise<Partial<Pick<BarRow, 'ends_connections'>>> {
  if (kind !== 'revocation' || endsConnections) return {};
  const set = query.selectFrom('bars').select('name').where('name', '=', name).where('state', '=', 'SET');
  const due = set.where('ends_connections', '=', 1).where('is_enforced', '=', 0);
  return (await due.executeTakeFirst()) === undefined ? {} : { ends_connections: 1 };
}

type BarRow = Schema['bars'];

function toRow(record: NewBar): Omit<BarRow, 'version' | 'is_enforced'> {
  return {
    name: record.name,
    kind: record.kind,
    game_id: record.gameId,
    stage_id: record.stageId ?? null,
    player_id: record.playerId ?? null,
    until: record.until ?? null,
    signed_in_before: record.signedInBefore ?? null,
    ends_connections: Number(record.endsConnections),
    reason: record.reason,
    messages: JSON.stringify(record.messages),
    evidence: record.evidence,
    actor: record.actor,
    request_id: record.requestId,
    created_at: record.createdAt,
    state: 'SET',
  };
}

function toBar(row: BarRow): BarRecord {
  return {
    name: row.name,
    kind: row.kind,
    gameId: row.game_id,
    stageId: row.stage_id ?? undefined,
    playerId: row.player_id ?? undefined,
    until: row.until ?? undefined,
    signedInBefore: row.signed_in_before ?? undefined,
    endsConnections: row.ends_connections === 1,
    reason: row.reason,
    messages: JSON.parse(row.messages) as BarRecord['messages'],
    evidence: row.evidence,
    actor: row.actor,
    requestId: row.request_id,
    createdAt: row.created_at,
    version: row.version,
    state: row.state,
    isEnforced: row.is_enforced === 1,
  };
}

function toLeaving(row: Pick<Schema['bars'], 'name' | 'stage_id' | 'player_id' | 'version'>): LeavingBar {
  const { name, version } = row;
  return { name, stageId: row.stage_id ?? undefined, playerId: row.player_id ?? undefined, version };
}
