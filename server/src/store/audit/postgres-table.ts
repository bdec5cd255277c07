import { outcomeText, type RemovalReason } from '../../audit-chain.ts';
import type { Session, Sessions } from '../postgres/sessions.ts';
import type { AuditCause, AuditPosition, AuditQuery, AuditRecord, ChainReader } from './audit-log.ts';
import { addToBatch, type Batch, kindOf } from './chain-rows.ts';
import type { LateOutcome } from './journal.ts';
import { rangeOf } from './key-range.ts';
import type { StoredRecords } from './pages.ts';
import {
  beginChainBatch,
  type ChainedRow,
  commitChainBatch,
  lockChains,
  noteRemovals,
  postgresChainReader,
  type Writer,
} from './postgres-chain.ts';
import { type AuditRow, toRecord, toRow } from './rows.ts';

/** How many records one query looks at, so that a search through years of them has an end. */
const LOOKED_AT_ONCE = 5_000;
/** To hash these takes a millisecond or two, in which nothing else runs. */
const REMOVED_AT_ONCE = 500;
/** How many of the newest records are measured to estimate the size of the others. */
const SAMPLED = 1_000;
/** How many records are counted; beyond that the database's own estimate is taken, which lags behind. */
const COUNTED = 1_000_000;
/** What a record takes beside its texts: the head of its row, and its place in the index. */
const BYTES_BESIDE = 130;
const KEPT_MS = 86_400_000;
/** How long the outcome of a record may still be to come: twice as long as a disconnect may take. */
const UNDER_WAY_MS = 120_000;
/** How often its size a log may have so that the records of the last day stay. */
const MOST_TIMES = 2;
/** A number that no other program uses for a lock on the same database. */
const SHRINKING_LOCK = 7_305_808_870;

/** About how large a log is. */
interface AuditSize {
  readonly bytes: number;
  readonly bytesOfRecord: number;
}

/** The records of all nodes. */
export interface AuditTable {
  readonly chain: ChainReader;
  /**
   * Writes records and then outcomes in one transaction. A record of this node that is there already stays as it is, but
   * gets an outcome that it lacks.
   */
  write(records: readonly AuditRecord[], lateOutcomes: readonly LateOutcome[]): Promise<void>;
  /** Whether this node has written a record at this place. */
  has(position: AuditPosition): Promise<boolean>;
  /** The time of the newest record; undefined when there is none. */
  newestAt(): Promise<number | undefined>;
  find(query: AuditQuery): Promise<StoredRecords>;
  /** Removes some of the records before this time; resolves with whether there may be more. */
  removeSomeBefore(at: number): Promise<boolean>;
  /**
   * Removes about as many records as are too many, in the order that `AuditLog.removeBefore` promises. Returns what the log
   * has then; undefined when another node is about it.
   */
  shrink(limits: { readonly maxBytes: number; readonly now: number }): Promise<AuditSize | undefined>;
}

/** Some of the records are in the table already, as after a commit without an answer. */
class AlreadyThere extends Error {}

/** `node` names the place of the journal from which records come. */
export function openAuditTable({
  sessions,
  node,
  ...parts
}: Writer & { readonly sessions: Sessions; readonly node: string }): AuditTable {
  const write = (records: readonly AuditRecord[], lateOutcomes: readonly LateOutcome[], isNew: boolean) =>
    sessions.transact(async (session) => {
      const batch = await beginChainBatch(session, parts);
      const place = { node, chain: parts.writer };
      const { missing, completed } = isNew ? allNew(records) : await sortOut(session, node, records);
      if (missing.length > 0) await insert(session, place, batch, missing);
      const late = new Map([...completed, ...lateOutcomes].map((each) => [`${each.at} ${each.requestId}`, each]));
      if (late.size > 0) await update(session, place, batch, [...late.values()]);
      await commitChainBatch(session, parts, batch);
    });
  return {
    chain: postgresChainReader(sessions),
    async write(records, lateOutcomes) {
      try {
        await write(records, lateOutcomes, true);
      } catch (error) {
        if (!(error instanceof AlreadyThere)) throw error;
        await write(records, lateOutcomes, false);
      }
    },
    async has({ at, requestId }) {
      const { rows } = await sessions.use(({ query }) =>
        query('select 1 from audit where at = $1 and request_id = $2 and node = $3', [at, requestId, node]),
      );
      return rows.length > 0;
    },
    async newestAt() {
      const { rows } = await sessions.use(({ query }) =>
        query<{ at: number }>('select at from audit order by at desc, request_id desc limit 1'),
      );
      return rows[0]?.at;
    },
    find: (query) => sessions.use((session) => find(session, query)),
    async removeSomeBefore(at) {
      const removed = await sessions.transact(async (session) => {
        await lockChains(session);
        return await remove(session, { count: REMOVED_AT_ONCE, before: at, reason: 'retention', at: parts.now() });
      });
      return removed === REMOVED_AT_ONCE;
    },
    shrink: (limits) => sessions.transact((session) => shrink(session, limits)),
  };
}

type Query = Pick<Session, 'query'>;

interface Place {
  readonly node: string;
  readonly chain: string;
}

interface SortedOut {
  readonly missing: readonly AuditRecord[];
  /** Outcomes of records that may be there without them. */
  readonly completed: readonly LateOutcome[];
}

function allNew(missing: readonly AuditRecord[]): SortedOut {
  return { missing, completed: [] };
}

/** Finds which of the records are in the table already. */
async function sortOut({ query }: Query, node: string, records: readonly AuditRecord[]): Promise<SortedOut> {
  const { rows } = await query<{ at: number; requestId: string }>(
    `select audit.at, audit.request_id as "requestId"
     from audit join unnest($2::bigint[], $3::text[]) as asked (at, request_id) using (at, request_id)
     where audit.node = $1`,
    [node, records.map(({ at }) => at), records.map(({ requestId }) => requestId)],
  );
  const places = new Set(rows.map(({ at, requestId }) => `${at} ${requestId}`));
  const isThere = ({ at, requestId }: AuditPosition) => places.has(`${at} ${requestId}`);
  return {
    missing: records.filter((record) => !isThere(record)),
    completed: records
      .filter(isThere)
      .flatMap(({ at, requestId, outcome }) => (outcome === undefined ? [] : [{ at, requestId, outcome }])),
  };
}

async function insert(
  { query }: Query,
  { node, chain }: Place,
  batch: Batch,
  records: readonly AuditRecord[],
): Promise<void> {
  const rows = records.map((record) => addToBatch(batch, toRow(record)));
  const columns = Array.from({ length: 12 }, (_, column) => rows.map((row) => row[column] ?? null));
  const { rowCount } = await query(
    `insert into audit (node, chain, at, request_id, cause, actor, source_address, operation, resource, player_id,
       details, outcome, intent_link, outcome_link)
     select $1, $2, * from unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
       $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[])
     on conflict (at, request_id, node) do nothing`,
    [node, chain, ...columns],
  );
  if (rowCount !== rows.length) throw new AlreadyThere();
}

/** Writes outcomes that come after their records, unless those have one already, or were removed meanwhile. */
async function update(
  { query }: Query,
  { node, chain }: Place,
  batch: Batch,
  lateOutcomes: readonly LateOutcome[],
): Promise<void> {
  const { rows } = await query<{ at: number; requestId: string; cause: AuditCause; outcome: string }>(
    `select audit.at, audit.request_id as "requestId", cause, late.outcome
     from audit join unnest($2::bigint[], $3::text[], $4::text[]) as late (at, request_id, outcome) using (at, request_id)
     where audit.node = $1 and audit.outcome is null`,
    [
      node,
      lateOutcomes.map(({ at }) => at),
      lateOutcomes.map(({ requestId }) => requestId),
      lateOutcomes.map(({ outcome }) => JSON.stringify(outcome)),
    ],
  );
  if (rows.length === 0) return;
  const links = rows.map(({ at, requestId, cause, outcome }) =>
    batch.add(kindOf(cause), at, outcomeText(at, requestId, outcome)),
  );
  const { rowCount } = await query(
    `update audit set outcome = late.outcome, outcome_link = late.link, chain = $2
     from unnest($3::bigint[], $4::text[], $5::text[], $6::bigint[]) as late (at, request_id, outcome, link)
     where audit.at = late.at and audit.request_id = late.request_id and audit.node = $1`,
    [
      ...[node, chain, rows.map(({ at }) => at), rows.map(({ requestId }) => requestId)],
      ...[rows.map(({ outcome }) => outcome), links],
    ],
  );
  // Removals lock the chain first, so nothing was removed in between.
  if (rowCount !== rows.length) throw new Error('an audit record was removed while its outcome was written');
}

/** Looks from one place in the primary key to another, neither sorting nor scanning beyond that. */
async function find({ query: ask }: Query, query: AuditQuery): Promise<StoredRecords> {
  const { playerId = null, operation = null, actor = null, limit } = query;
  const whole = rangeOf(query);
  // Without a filter, as many records are looked at as are found.
  const isSearch = playerId !== null || operation !== null || actor !== null;
  const ends = isSearch
    ? await ask<{ at: number; requestId: string }>(
        `select at, request_id as "requestId" from audit where ${whole.where('$')} ${whole.orderBy}
         limit 1 offset ${LOOKED_AT_ONCE - 1}`,
        [...whole.values],
      )
    : undefined;
  const lookedTo = ends?.rows[0];
  const range = lookedTo === undefined ? whole : whole.upTo(lookedTo);
  const { rows } = await ask<AuditRow>(
    `select * from audit where ${range.where('$')}
       and ($5::text is null or player_id = $5) and ($6::text is null or operation = $6) and ($7::text is null or actor = $7)
     ${range.orderBy} limit $8`,
    [...range.values, playerId, operation, actor, limit + 1],
  );
  return { records: rows.map(toRecord), lookedTo };
}

const OF_SCRIPTS = "cause = 'script' and (at < $1 or outcome is not null)";

/** Removes the oldest, and puts that into the chains, which the caller has locked. */
async function remove(
  session: Query,
  {
    condition = 'at < $1',
    count,
    before,
    reason,
    at,
  }: {
    condition?: 'at < $1' | typeof OF_SCRIPTS;
    count: number;
    before: number;
    reason: RemovalReason;
    at: number;
  },
): Promise<number> {
  let removed = 0;
  for (let isMore = true; isMore && removed < count; ) {
    const step = Math.min(REMOVED_AT_ONCE, count - removed);
    const { rows } = await session.query<ChainedRow>(
      `delete from audit where (at, request_id, node) in
         (select at, request_id, node from audit where ${condition} order by at, request_id, node limit $2)
       returning *`,
      [before, step],
    );
    await noteRemovals(session, rows, { reason, before, onlyScripts: condition === OF_SCRIPTS, at });
    removed += rows.length;
    isMore = rows.length === step;
  }
  return removed;
}

/**
 * How large the table is says little, because the room of what was removed is still its own. So records are counted, and
 * some of them measured.
 */
async function shrink(
  session: Query,
  { maxBytes, now }: { readonly maxBytes: number; readonly now: number },
): Promise<AuditSize | undefined> {
  const { rows: lock } = await session.query<{ taken: boolean }>(
    `select pg_try_advisory_xact_lock(${SHRINKING_LOCK}) as taken`,
  );
  // Another node is about it.
  if (lock[0]?.taken !== true) return undefined;
  const { rows } = await session.query<{ count: number; each: number }>(
    `with newest as (
       select pg_column_size(audit.*) as bytes from audit order by at desc, request_id desc limit ${SAMPLED}
     ), counted as (
       select count(*) as count from (select 1 from audit limit ${COUNTED}) as first_ones
     )
     select case when count < ${COUNTED} then count
         else greatest(pg_stat_get_live_tuples('audit'::regclass), count) end as count,
       (select coalesce(avg(bytes), 0)::float8 from newest) + ${BYTES_BESIDE} as each
     from counted`,
  );
  const { count, each } = rows[0] ?? { count: 0, each: BYTES_BESIDE };
  const bytes = Math.round(count * each);
  if (bytes <= maxBytes) return { bytes, bytesOfRecord: each };
  const tooMany = Math.ceil((bytes - maxBytes) / each);
  const before = bytes > MOST_TIMES * maxBytes ? Number.MAX_SAFE_INTEGER : now - KEPT_MS;
  await lockChains(session);
  const why = { reason: 'size', at: now } as const;
  const ofScripts = { ...why, condition: OF_SCRIPTS, before: now - UNDER_WAY_MS } as const;
  let removed = await remove(session, { ...ofScripts, count: tooMany });
  if (removed < tooMany) removed += await remove(session, { ...why, before, count: tooMany - removed });
  return { bytes: Math.floor((count - removed) * each), bytesOfRecord: each };
}
