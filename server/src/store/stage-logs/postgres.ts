import { setImmediate } from 'node:timers/promises';
import { HighestPositions } from '../highest-positions.ts';
import { Batches } from '../postgres/batches.ts';
import type { Session, Sessions } from '../postgres/sessions.ts';
import { type KeptLine, toKept } from './kept-lines.ts';
import {
  LOG_LEVELS,
  type LogLine,
  type LogPage,
  type LogQuery,
  type StageLogs,
  type StageLogsLimits,
} from './stage-logs.ts';

/** A commit does not wait for the disk, as `StageLogs` allows: a crash of the database may lose the last second. */
const BEGIN = 'begin; set local synchronous_commit = off';
const REMOVED_AT_ONCE = 2_000;
/** Lines that are made ready in one turn of the event loop, and those of one statement. */
const LINES_OF_STEP = 64;
const INSERTED_AT_ONCE = 256;
/** A statement has no more than about so many bytes of lines. */
const BYTES_AT_ONCE = 1_048_576;

type Query = Pick<Session, 'query'>;

interface Append {
  readonly stageId: string;
  readonly lines: readonly KeptLine[];
}

interface Log {
  readonly stageId: string;
  first: number;
  last: number;
  /** The size of all lines that the log ever had. */
  bytes: number;
}

interface PlacedLine extends KeptLine {
  readonly log: Log;
  readonly position: number;
  readonly offset: number;
}

/**
 * Keeps stages' logs in PostgreSQL. An append locks the row of its log until its commit, so lines can be read in the order
 * of their positions, whichever node has written them.
 */
export function openPostgresStageLogs({
  sessions,
  limits,
}: {
  sessions: Sessions;
  limits: StageLogsLimits;
}): StageLogs {
  const highest = new HighestPositions();
  const batches = new Batches<Append, void>({
    subject: 'stage logs',
    async perform(appends) {
      const logs = await sessions.transact((session) => appendAll(session, appends, { limits, highest }), BEGIN);
      for (const { stageId, last } of logs) highest.note(stageId, last);
      return appends.map(() => ({ status: 'fulfilled', value: undefined }));
    },
  });
  return {
    async append(stageId, lines) {
      const kept: KeptLine[] = [];
      for (const line of lines) {
        if (kept.length % LINES_OF_STEP === LINES_OF_STEP - 1) await setImmediate();
        kept.push(toKept(line, limits));
      }
      if (kept.length === 0) return;
      const bytes = kept.reduce((sum, line) => sum + line.bytes, 0);
      await batches.write({ stageId, lines: kept }, bytes);
    },
    async read(stageId, query) {
      batches.assertOpen();
      const { page, last } = await sessions.use((session) => read(session, stageId, query));
      highest.note(stageId, last);
      return page;
    },
    async remove(stageId) {
      for (let upTo: number | undefined = Number.MAX_SAFE_INTEGER; upTo !== undefined; ) {
        batches.assertOpen();
        const last: number = upTo;
        upTo = await sessions.transact((session) => removeSome(session, stageId, last), BEGIN);
      }
      highest.forget(stageId);
    },
    close: () => batches.close(),
  };
}

/** Resolves with the logs as they are then. */
async function appendAll(
  session: Query,
  appends: readonly Append[],
  { limits, highest }: { readonly limits: StageLogsLimits; readonly highest: HighestPositions },
): Promise<readonly Log[]> {
  const logs = await lockLogs(session, [...new Set(appends.map(({ stageId }) => stageId))]);
  // A commit does not wait for the disk, so the database may have lost lines that somebody has read.
  for (const log of logs.values()) log.last = Math.max(log.last, highest.of(log.stageId));
  const placed: PlacedLine[] = [];
  for (const { stageId, lines } of appends) {
    const log = logs.get(stageId);
    if (log === undefined) throw new Error('a log of the batch was not locked');
    for (const line of lines) {
      log.last += 1;
      placed.push({ ...line, log, position: log.last, offset: log.bytes });
      log.bytes += line.bytes;
    }
  }
  let some: PlacedLine[] = [];
  let bytes = 0;
  for (const line of placed) {
    const { log, position, offset } = line;
    if (position < leastPosition(log, limits) || offset < leastOffset(log, limits)) continue;
    some.push(line);
    bytes += line.bytes;
    if (some.length < INSERTED_AT_ONCE && bytes < BYTES_AT_ONCE) continue;
    await insert(session, some);
    some = [];
    bytes = 0;
  }
  if (some.length > 0) await insert(session, some);
  for (const log of logs.values()) await dropTooMany(session, log, limits);
  return [...logs.values()];
}

async function insert(session: Query, lines: readonly PlacedLine[]): Promise<void> {
  const rows = lines.map(({ log, position, offset, line }) => {
    const { at, level, playerId = null, handler = null, requestId = null, text } = line;
    return [log.stageId, position, offset, at, LOG_LEVELS.indexOf(level), playerId, handler, requestId, text];
  });
  await session.query(
    `insert into stage_log_lines (stage_id, position, "offset", at, level, player_id, handler, request_id, text)
     select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::text[], $7::text[],
       $8::text[], $9::text[])`,
    Array.from({ length: 9 }, (_, column) => rows.map((row) => row[column])),
  );
}

/** A log that another transaction has made meanwhile breaks the key, and the batch is repeated. */
async function lockLogs(session: Query, stageIds: readonly string[]): Promise<Map<string, Log>> {
  const { rows } = await session.query<Log>(
    `select stage_id as "stageId", first, last, bytes from stage_logs where stage_id = any($1::text[])
     order by stage_id for update`,
    [stageIds],
  );
  const logs = new Map(rows.map((row) => [row.stageId, row]));
  const missing = stageIds.filter((stageId) => !logs.has(stageId));
  if (missing.length === 0) return logs;
  await session.query(
    'insert into stage_logs (stage_id, first, last, bytes) select stage_id, 1, 0, 0 from unnest($1::text[]) as stage_id',
    [missing],
  );
  for (const stageId of missing) logs.set(stageId, { stageId, first: 1, last: 0, bytes: 0 });
  return logs;
}

const leastPosition = ({ last }: Log, { maxLinesPerStage }: StageLogsLimits) => last - maxLinesPerStage + 1;
const leastOffset = ({ bytes }: Log, { maxBytesPerStage }: StageLogsLimits) => bytes - maxBytesPerStage;

async function dropTooMany(session: Query, log: Log, limits: StageLogsLimits): Promise<void> {
  const least = Math.max(log.first, leastPosition(log, limits));
  await session.query(
    `with kept as (
       select coalesce(
         (select position from stage_log_lines where stage_id = $1 and position >= $2 and "offset" >= $3
          order by position limit 1),
         $4::bigint + 1) as first
     ), gone as (
       delete from stage_log_lines line using kept where line.stage_id = $1 and line.position < kept.first
     )
     update stage_logs set first = kept.first, last = $4, bytes = $5 from kept where stage_id = $1`,
    [log.stageId, least, leastOffset(log, limits), log.last, log.bytes],
  );
}

/** Removes some lines up to the position; resolves with that of the last one unless that was all. */
async function removeSome(session: Query, stageId: string, upTo: number): Promise<number | undefined> {
  const { rows } = await session.query<Log>('select first, last from stage_logs where stage_id = $1 for update', [
    stageId,
  ]);
  const [log] = rows;
  if (log === undefined) return undefined;
  const last = Math.min(upTo, log.last);
  const first = Math.min(log.first + REMOVED_AT_ONCE, last + 1);
  await session.query('delete from stage_log_lines where stage_id = $1 and position < $2', [stageId, first]);
  if (first > log.last) await session.query('delete from stage_logs where stage_id = $1', [stageId]);
  else await session.query('update stage_logs set first = $2 where stage_id = $1', [stageId, first]);
  return first <= last ? last : undefined;
}

interface Row extends Omit<LogLine, 'level' | 'position' | 'playerId' | 'handler' | 'requestId'> {
  readonly first: number;
  readonly last: number;
  /** Null in the only row of a log that has no line for the query. */
  readonly position: number | null;
  readonly level: number;
  readonly playerId: string | null;
  readonly handler: string | null;
  readonly requestId: string | null;
}

/** One statement, so that the log and its lines are as of one moment. Resolves with the last position of the log as well. */
async function read(session: Query, stageId: string, query: LogQuery): Promise<{ page: LogPage; last: number }> {
  const { order, after, limit, minLevel = 'debug', since, until } = query;
  const isAscending = order === 'oldest_first';
  const [low, high] = isAscending
    ? [(after ?? 0) + 1, Number.MAX_SAFE_INTEGER]
    : [Number.MIN_SAFE_INTEGER, (after ?? Number.MAX_SAFE_INTEGER) - 1];
  const direction = isAscending ? 'asc' : 'desc';
  const { rows } = await session.query<Row>(
    `select log.first, log.last, line.* from stage_logs log left join lateral (
       select position, at, level, text, player_id as "playerId", handler, request_id as "requestId"
       from stage_log_lines line
       where line.stage_id = log.stage_id and position between $2 and $3 and level >= $4 and at >= $5 and at < $6
       order by position ${direction} limit $7
     ) line on true
     where log.stage_id = $1 order by line.position ${direction}`,
    [
      ...[stageId, low, high, LOG_LEVELS.indexOf(minLevel)],
      ...[since ?? Number.MIN_SAFE_INTEGER, until ?? Number.MAX_SAFE_INTEGER, limit + 1],
    ],
  );
  const { first, last } = rows[0] ?? { first: 1, last: 0 };
  const missed = isAscending && after !== undefined ? Math.max(0, first - after - 1) : 0;
  const lines = rows.flatMap(toLines);
  const isEnd = lines.length <= limit;
  lines.length = Math.min(lines.length, limit);
  const position = lines.at(-1)?.position;
  if (!isEnd) return { page: { lines, cursor: position ?? 0, isEnd, missed }, last };
  const cursor = isAscending ? Math.max(last, position ?? 0) : (position ?? after ?? 0);
  return { page: { lines, cursor, isEnd, missed }, last };
}

function toLines({ first: _, last: __, position, level, playerId, handler, requestId, at, text }: Row): LogLine[] {
  if (position === null) return [];
  const facts = { playerId: playerId ?? undefined, handler: handler ?? undefined, requestId: requestId ?? undefined };
  return [{ position, at, level: LOG_LEVELS[level] ?? 'error', text, ...facts }];
}
