import type { Session, Sessions } from '../postgres/sessions.ts';
import type { AuditCause, AuditOutcome, AuditPosition, AuditQuery, AuditRecord } from './audit-log.ts';
import { type LateOutcome, toOutcome } from './journal.ts';
import type { StoredRecords } from './pages.ts';

/** How many records one query looks at, so that a search through years of them has an end. */
const LOOKED_AT_ONCE = 50_000;
const REMOVED_AT_ONCE = 5_000;
/** From so many of the newest records it is told how large the others are. */
const SAMPLED = 1_000;
/** So many are counted; how many more there are the database knows about, a while later. */
const COUNTED = 1_000_000;
/** What a record takes beside its texts: the head of its row, and its place in the index. */
const BYTES_BESIDE = 130;
const KEPT_MS = 86_400_000;
/** For so long the outcome of a record may still be to come: twice as long as a disconnect may take. */
const UNDER_WAY_MS = 120_000;
/** How often its size a log may have so that the records of the last day stay. */
const MOST_TIMES = 2;
/** A number that no other program uses for a lock on the same database. */
const SHRINKING_LOCK = 7_305_808_870;

interface Row {
  readonly at: number;
  readonly request_id: string;
  readonly cause: AuditCause;
  readonly actor: string;
  readonly source_address: string;
  readonly operation: string;
  readonly resource: string;
  readonly player_id: string | null;
  readonly details: string | null;
  readonly outcome: string | null;
}

/** About how large a log is. */
interface AuditSize {
  readonly bytes: number;
  readonly bytesOfRecord: number;
}

/** The records of all nodes. */
export interface AuditTable {
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
  /** Removes some of the records before this time; gives whether there may be more. */
  removeSomeBefore(at: number): Promise<boolean>;
  /**
   * Removes about as many records as are too many, in the order that `AuditLog.removeBefore` promises. Gives what the log
   * has then; undefined when another node is about it.
   */
  shrink(limits: { readonly maxBytes: number; readonly now: number }): Promise<AuditSize | undefined>;
}

/** `node` names the place of the journal from which records come. */
export function openAuditTable({ sessions, node }: { sessions: Sessions; node: string }): AuditTable {
  return {
    write: (records, lateOutcomes) =>
      sessions.transact(async (session) => {
        if (records.length > 0) await insert(session, node, records);
        if (lateOutcomes.length > 0) await update(session, node, lateOutcomes);
      }),
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
      const removed = await sessions.transact((session) => remove(session, REMOVED_AT_ONCE, at));
      return removed === REMOVED_AT_ONCE;
    },
    shrink: (limits) => sessions.transact((session) => shrink(session, limits)),
  };
}

type Query = Pick<Session, 'query'>;

async function insert({ query }: Query, node: string, records: readonly AuditRecord[]): Promise<void> {
  const rows = records.map(valuesOf);
  const columns = Array.from({ length: 10 }, (_, column) => rows.map((row) => row[column] ?? null));
  await query(
    `insert into audit (node, at, request_id, cause, actor, source_address, operation, resource, player_id, details, outcome)
     select $1, * from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
       $9::text[], $10::text[], $11::text[])
     on conflict (at, request_id, node) do update set outcome = coalesce(excluded.outcome, audit.outcome)`,
    [node, ...columns],
  );
}

async function update({ query }: Query, node: string, lateOutcomes: readonly LateOutcome[]): Promise<void> {
  await query(
    `update audit set outcome = late.outcome
     from unnest($2::bigint[], $3::text[], $4::text[]) as late (at, request_id, outcome)
     where audit.at = late.at and audit.request_id = late.request_id and audit.node = $1`,
    [
      node,
      lateOutcomes.map(({ at }) => at),
      lateOutcomes.map(({ requestId }) => requestId),
      lateOutcomes.map(({ outcome }) => JSON.stringify(outcome)),
    ],
  );
}

/** Looks from one place in the primary key to another, neither sorting nor scanning beyond that. */
async function find({ query: ask }: Query, query: AuditQuery): Promise<StoredRecords> {
  const { playerId = null, operation = null, actor = null, since = 0, until = Number.MAX_SAFE_INTEGER } = query;
  const { order, after, limit } = query;
  const isAscending = order === 'oldest_first';
  const inOrder = isAscending ? 'order by at, request_id' : 'order by at desc, request_id desc';
  // No request id sorts before the empty one.
  let lower = { than: '>=', at: since, requestId: '' };
  let upper = { than: '<', at: until, requestId: '' };
  if (after !== undefined && isAscending) lower = { than: '>', ...after };
  else if (after !== undefined) upper = { than: '<', ...after };
  const range = () => `(at, request_id) ${lower.than} ($1, $2) and (at, request_id) ${upper.than} ($3, $4)`;
  const bounds = () => [lower.at, lower.requestId, upper.at, upper.requestId];

  const ends = await ask<{ at: number; requestId: string }>(
    `select at, request_id as "requestId" from audit where ${range()} ${inOrder} limit 1 offset ${LOOKED_AT_ONCE - 1}`,
    bounds(),
  );
  const lookedTo = ends.rows[0];
  if (lookedTo !== undefined && isAscending) upper = { than: '<=', ...lookedTo };
  else if (lookedTo !== undefined) lower = { than: '>=', ...lookedTo };
  const { rows } = await ask<Row>(
    `select * from audit where ${range()}
       and ($5::text is null or player_id = $5) and ($6::text is null or operation = $6) and ($7::text is null or actor = $7)
     ${inOrder} limit $8`,
    [...bounds(), playerId, operation, actor, limit + 1],
  );
  return { records: rows.map(toRecord), lookedTo };
}

const OF_SCRIPTS = "cause = 'script' and (at < $1 or outcome is not null)";

async function remove(
  { query }: Query,
  count: number,
  before: number,
  condition: 'at < $1' | typeof OF_SCRIPTS = 'at < $1',
): Promise<number> {
  const { rowCount } = await query(
    `delete from audit where (at, request_id, node) in
       (select at, request_id, node from audit where ${condition} order by at, request_id, node limit $2)`,
    [before, count],
  );
  return rowCount ?? 0;
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
  let removed = await remove(session, tooMany, now - UNDER_WAY_MS, OF_SCRIPTS);
  if (removed < tooMany) removed += await remove(session, tooMany - removed, before);
  return { bytes: Math.floor((count - removed) * each), bytesOfRecord: each };
}

/** U+0000, which no text of PostgreSQL has, stands in JSON as an escape. */
function valuesOf(record: AuditRecord): (string | number | null)[] {
  const { at, requestId, cause, actor, sourceAddress, operation, resource, playerId, details, outcome } = record;
  const json = (value: object | undefined) => (value === undefined ? null : JSON.stringify(value));
  const texts = [requestId, cause, actor, sourceAddress, operation, resource, playerId ?? null];
  return [at, ...texts.map((text) => text?.replaceAll('\0', '\ufffd') ?? null), json(details), json(outcome)];
}

function toRecord(row: Row): AuditRecord {
  return {
    requestId: row.request_id,
    at: row.at,
    cause: row.cause,
    actor: row.actor,
    sourceAddress: row.source_address,
    operation: row.operation,
    resource: row.resource,
    playerId: row.player_id ?? undefined,
    ...(row.details !== null && { details: JSON.parse(row.details) as Record<string, string> }),
    outcome: row.outcome === null ? undefined : toOutcome(JSON.parse(row.outcome) as AuditOutcome),
  };
}
