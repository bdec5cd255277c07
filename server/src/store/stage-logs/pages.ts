import type Libsql from 'libsql';
import type { Clock } from '../../clock.ts';
import { LOG_LEVELS, type LogLine, type LogPage, type LogQuery } from './stage-logs.ts';

/** How long all reads together hold the event loop up before everything else has its turn. */
const TURN_MS = 1;
/** How many positions, and how many lines that the query asks for, one step looks at. Either takes half a millisecond. */
const POSITIONS_OF_STEP = 1_000;
const LINES_OF_STEP = 256;
/** The first step shows how long the lines are; the others then read about so many characters. */
const LINES_OF_FIRST_STEP = 16;
const CHARACTERS_OF_STEP = 524_288;

interface Row {
  readonly position: number;
  readonly at: number;
  readonly level: number;
  readonly text: string;
  readonly playerId: string | null;
  readonly handler: string | null;
  readonly requestId: string | null;
}

/** What one step has found, at one moment. */
interface Step {
  /** The first and the last position of the log. */
  readonly first: number;
  readonly last: number;
  readonly rows: readonly Row[];
  /** Where the next step begins. */
  readonly next: number;
  /** Whether there is nothing there. */
  readonly isEnd: boolean;
}

/** Reads a page in steps, between which other work of the process has its turn, because a query may leave most lines out. */
export function createReadPage({
  reader,
  clock,
  read,
}: {
  reader: Libsql.Database;
  clock: Pick<Clock, 'monotonic'>;
  /** Runs what reads, and sees to its errors. */
  read: <T>(work: () => T) => T;
}): (stageId: string, query: LogQuery) => Promise<LogPage> {
  const look = createLook(reader);
  const turn = createTurn(clock);
  return async (stageId, query) => {
    const { order, after, limit } = query;
    const isAscending = order === 'oldest_first';
    const lines: LogLine[] = [];
    const endOf = (last: number) =>
      isAscending ? Math.max(last, lines.at(-1)?.position ?? 0) : (lines.at(-1)?.position ?? after ?? 0);
    let missed: number | undefined;
    let next = isAscending ? (after ?? 0) + 1 : (after ?? Number.MAX_SAFE_INTEGER) - 1;
    let most = LINES_OF_FIRST_STEP;
    for (;;) {
      await turn();
      const step = read(() => look(stageId, query, next, Math.min(most, limit + 1 - lines.length)));
      const dropped = isAscending ? Math.max(0, step.first - next) : 0;
      // Lines that were dropped since the step before end the page, so that the next page tells how many it has missed.
      if (missed !== undefined && dropped > 0) return { lines, cursor: next - 1, isEnd: false, missed };
      missed ??= after === undefined ? 0 : dropped;
      lines.push(...step.rows.map(toLine));
      if (lines.length > limit) {
        lines.length = limit;
        return { lines, cursor: lines.at(-1)?.position ?? 0, isEnd: false, missed };
      }
      if (step.isEnd) return { lines, cursor: endOf(step.last), isEnd: true, missed };
      next = step.next;
      most = linesOfStep(step.rows);
    }
  };
}

/** Returns a function that waits for the next turn of the event loop when reads have taken their time of this one. */
function createTurn(clock: Pick<Clock, 'monotonic'>): () => Promise<void> {
  let endsAt: number | undefined;
  let next = Promise.resolve();
  return async () => {
    while (endsAt !== undefined && clock.monotonic() >= endsAt) await next;
    if (endsAt !== undefined) return;
    endsAt = clock.monotonic() + TURN_MS;
    next = new Promise((resolve) => {
      setImmediate(() => {
        endsAt = undefined;
        resolve();
      });
    });
  };
}

function createLook(reader: Libsql.Database) {
  const begin = reader.prepare('BEGIN');
  const commit = reader.prepare('COMMIT');
  const find = reader.prepare('SELECT id, first, last FROM logs WHERE stage_id = ?');
  const selectIn = (direction: 'ASC' | 'DESC') =>
    reader.prepare(
      `SELECT position, at, level, text, player_id AS playerId, handler, request_id AS requestId
       FROM lines WHERE log = ? AND position BETWEEN ? AND ? AND level >= ? AND at >= ? AND at < ?
       ORDER BY position ${direction} LIMIT ?`,
    );
  const select = { oldest_first: selectIn('ASC'), newest_first: selectIn('DESC') };

  /** Looks at the positions from `from` on, up to the first `most` lines that the query asks for. */
  function look(stageId: string, { order, minLevel, since, until }: LogQuery, from: number, most: number): Step {
    const isAscending = order === 'oldest_first';
    const log = (find.get(stageId) ?? { id: 0, first: 1, last: 0 }) as { id: number; first: number; last: number };
    const start = isAscending ? Math.max(from, log.first) : Math.min(from, log.last);
    const end = isAscending
      ? Math.min(start + POSITIONS_OF_STEP - 1, log.last)
      : Math.max(start - POSITIONS_OF_STEP + 1, log.first);
    const [low, high] = isAscending ? [start, end] : [end, start];
    const level = LOG_LEVELS.indexOf(minLevel ?? 'debug');
    const times = [since ?? Number.MIN_SAFE_INTEGER, until ?? Number.MAX_SAFE_INTEGER];
    const rows = low > high ? [] : (select[order].all(log.id, low, high, level, ...times, most) as Row[]);
    // A step that has found as many as it may has not looked at what follows.
    const reached = rows.length === most ? (rows.at(-1)?.position ?? end) : end;
    const isEnd = isAscending ? reached >= log.last : reached <= log.first;
    return { first: log.first, last: log.last, rows, next: isAscending ? reached + 1 : reached - 1, isEnd };
  }

  /** A log and its lines are read as of one moment: between two, some of the lines may be dropped. */
  return (...parameters: Parameters<typeof look>): Step => {
    begin.run();
    try {
      return look(...parameters);
    } finally {
      commit.run();
    }
  };
}

function linesOfStep(rows: readonly Row[]): number {
  if (rows.length === 0) return LINES_OF_STEP;
  const characters = rows.reduce((sum, { text }) => sum + text.length, 0);
  return Math.max(1, Math.min(LINES_OF_STEP, Math.floor((CHARACTERS_OF_STEP * rows.length) / (characters + 1))));
}

function toLine({ level, playerId, handler, requestId, ...rest }: Row): LogLine {
  return {
    ...rest,
    level: LOG_LEVELS[level] ?? 'error',
    playerId: playerId ?? undefined,
    handler: handler ?? undefined,
    requestId: requestId ?? undefined,
  };
}
