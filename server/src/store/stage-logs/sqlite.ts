import { ServiceError } from '../../errors.ts';
import { openSharedCommits, type SharedCommitsOptions, type WriteStatement } from '../shared-commits.ts';
import { type KeptLine, toKept } from './kept-lines.ts';
import { createReadPage } from './pages.ts';
import { LOG_LEVELS, type NewLogLine, type StageLogs, type StageLogsLimits } from './stage-logs.ts';

/** The file in the data directory. */
export const STAGE_LOGS_FILE = 'stage-logs.sqlite';
/** Lines of one statement. To run a statement costs a third of what it costs to insert a line by itself. */
const INSERTED_AT_ONCE = 16;
/** A statement has no more than about so many bytes of lines, because nothing else runs meanwhile. */
const BYTES_AT_ONCE = 65_536;
/** Removing these takes a millisecond, in which no other write runs. */
const REMOVED_AT_ONCE = 256;

/**
 * Each entry leads from one version of the schema (`user_version`) to the next; only ever append to this list. The lines
 * of a log have all positions from its first to its last. An offset is how many bytes the log had before the line, so
 * the first line that a limit of bytes allows is found without adding up those behind it.
 */
const MIGRATIONS = [
  `CREATE TABLE logs (
     id INTEGER PRIMARY KEY,
     stage_id TEXT NOT NULL UNIQUE,
     first INTEGER NOT NULL,
     last INTEGER NOT NULL,
     bytes INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE lines (
     log INTEGER NOT NULL,
     position INTEGER NOT NULL,
     "offset" INTEGER NOT NULL,
     at INTEGER NOT NULL,
     level INTEGER NOT NULL,
     player_id TEXT,
     handler TEXT,
     request_id TEXT,
     text TEXT NOT NULL,
     PRIMARY KEY (log, position)
   ) STRICT, WITHOUT ROWID`,
];

/** The version that this program's migrations lead to. */
export const STAGE_LOGS_VERSION = MIGRATIONS.length;

const insertOf = (lines: number) =>
  `INSERT INTO lines (log, position, "offset", at, level, player_id, handler, request_id, text)
   VALUES ${Array(lines).fill('(?, ?, ?, ?, ?, ?, ?, ?, ?)').join(', ')}`;

const QUERIES = {
  find: 'SELECT id, first, last, bytes FROM logs WHERE stage_id = ?',
  make: 'INSERT INTO logs (stage_id, first, last, bytes) VALUES (?, 1, 0, 0)',
  update: 'UPDATE logs SET first = ?, last = ?, bytes = ? WHERE id = ?',
  remove: 'DELETE FROM logs WHERE id = ?',
  insert: insertOf(1),
  insertMany: insertOf(INSERTED_AT_ONCE),
  findFrom: `SELECT position FROM lines WHERE log = ? AND position >= ? AND position < ? AND "offset" >= ?
             ORDER BY position LIMIT 1`,
  removeLines: 'DELETE FROM lines WHERE log = ? AND position < ?',
} as const;

type Statements = Readonly<Record<keyof typeof QUERIES, WriteStatement>>;

interface Options extends Pick<SharedCommitsOptions<never>, 'file' | 'clock' | 'log'> {
  readonly limits: StageLogsLimits;
  /** Whether the room that is left on the disk is needed for more urgent things than what scripts log. */
  readonly isShort?: () => boolean;
}

/**
 * Keeps stages' logs in an SQLite file of its own. Lines that come at the same time share a commit, which survives the
 * process, but perhaps not a loss of power. Other processes on the same machine may use the same file. Throws a
 * `StartupError`.
 */
export async function openSqliteStageLogs({
  file,
  limits,
  clock,
  log,
  isShort = () => false,
}: Options): Promise<StageLogs> {
  const { commits, reader } = await openSharedCommits<Writes>({
    ...{ file, clock, log, subject: 'stage logs', synchronous: 'NORMAL', migrations: MIGRATIONS },
    async prepare(prepare) {
      const entries = Object.entries(QUERIES).map(async ([name, text]) => [name, await prepare(text)] as const);
      const statements = Object.fromEntries(await Promise.all(entries)) as Statements;
      return () => new Writes(statements, limits);
    },
  });
  const readPage = createReadPage({ reader, clock, read: (work) => commits.read(work) });

  return {
    async append(stageId, lines) {
      if (isShort()) {
        const message = 'the disk of the server is full, so nothing was logged: make room on it, and try again';
        throw new ServiceError('internal', message, { retryAfterMs: 1_000 });
      }
      const characters = lines.reduce((sum, { text }) => sum + text.length, 0);
      await commits.write(characters, (writes) => writes.append(stageId, lines));
    },
    read: readPage,
    async remove(stageId) {
      let upTo: number | undefined = Number.MAX_SAFE_INTEGER;
      while (upTo !== undefined) {
        const last: number = upTo;
        upTo = await commits.write(0, (writes) => writes.removeSome(stageId, last));
      }
    },
    close: () => commits.close(),
  };
}

/** A log as it will be after the transaction. */
interface Log {
  readonly id: number;
  /** The position of the last line that is in the table, or was removed from it. */
  readonly inserted: number;
  first: number;
  last: number;
  /** The size of all lines that the log ever had. */
  bytes: number;
}

interface WaitingLine extends KeptLine {
  readonly log: Log;
  readonly position: number;
  readonly offset: number;
}

/** The writes of one transaction. Lines are inserted at its end, all together, without those that are too many by then. */
class Writes {
  readonly #statements: Statements;
  readonly #limits: StageLogsLimits;
  readonly #logs = new Map<string, Log>();
  readonly #waiting: WaitingLine[] = [];

  constructor(statements: Statements, limits: StageLogsLimits) {
    this.#statements = statements;
    this.#limits = limits;
  }

  *append(stageId: string, lines: readonly NewLogLine[]): Generator<void, void> {
    if (lines.length === 0) return;
    const kept: KeptLine[] = [];
    for (const line of lines) {
      kept.push(toKept(line, this.#limits));
      if (kept.length % INSERTED_AT_ONCE === 0) yield;
    }
    const log = this.#find(stageId) ?? this.#make(stageId);
    for (const line of kept) {
      log.last += 1;
      this.#waiting.push({ ...line, log, position: log.last, offset: log.bytes });
      log.bytes += line.bytes;
      if (log.last % INSERTED_AT_ONCE === 0) yield;
    }
    yield;
  }

  /** Removes some lines up to the position that are in the table; returns that of the last one unless that was all. */
  *removeSome(stageId: string, upTo: number): Generator<void, number | undefined> {
    const log = this.#find(stageId);
    if (log === undefined) return undefined;
    const last = Math.min(upTo, log.inserted);
    yield* this.#removeBefore(log, Math.max(log.first, Math.min(log.first + REMOVED_AT_ONCE, last + 1)));
    return log.first <= last ? last : undefined;
  }

  *end(): Generator<void, void> {
    const { insert, insertMany, update, remove } = this.#statements;
    for (const rows of this.#rows()) {
      if (rows.length === INSERTED_AT_ONCE) insertMany.run(rows.flat());
      else for (const row of rows) insert.run(row);
      yield;
    }
    for (const log of this.#logs.values()) {
      yield* this.#dropTooMany(log);
      if (log.first > log.last) remove.run(log.id);
      else update.run(log.first, log.last, log.bytes, log.id);
      yield;
    }
  }

  /** The rows of each small step, which has none where lines are too many by then. */
  *#rows(): Generator<(string | number | null)[][], void> {
    let rows: (string | number | null)[][] = [];
    let bytes = 0;
    for (const [index, line] of this.#waiting.entries()) {
      if (this.#isKept(line)) {
        rows.push(valuesOf(line));
        bytes += line.bytes;
      }
      const isStep = rows.length === 0 && index % INSERTED_AT_ONCE === 0;
      if (!isStep && rows.length < INSERTED_AT_ONCE && bytes < BYTES_AT_ONCE) continue;
      yield rows;
      rows = [];
      bytes = 0;
    }
    yield rows;
  }

  #find(stageId: string): Log | undefined {
    const known = this.#logs.get(stageId);
    if (known !== undefined) return known;
    const found = this.#statements.find.get(stageId) as Omit<Log, 'inserted'> | undefined;
    return found && this.#remember(stageId, { ...found, inserted: found.last });
  }

  #make(stageId: string): Log {
    const id = Number(this.#statements.make.run(stageId).lastInsertRowid);
    return this.#remember(stageId, { id, inserted: 0, first: 1, last: 0, bytes: 0 });
  }

  #remember(stageId: string, log: Log): Log {
    this.#logs.set(stageId, log);
    return log;
  }

  #isKept({ log, position, offset }: WaitingLine): boolean {
    return position > log.last - this.#limits.maxLinesPerStage && offset >= log.bytes - this.#limits.maxBytesPerStage;
  }

  *#dropTooMany(log: Log): Generator<void, void> {
    const { maxLinesPerStage, maxBytesPerStage } = this.#limits;
    const leastPosition = log.last - maxLinesPerStage + 1;
    const leastOffset = log.bytes - maxBytesPerStage;
    while (log.first <= log.last) {
      const end = Math.min(log.first + REMOVED_AT_ONCE, log.last + 1);
      if (log.first < leastPosition) {
        yield* this.#removeBefore(log, Math.min(end, leastPosition));
        continue;
      }
      if (leastOffset <= 0) return;
      const found = this.#statements.findFrom.get(log.id, log.first, end, leastOffset) as
        | { position: number }
        | undefined;
      if (found?.position === log.first) return;
      yield* this.#removeBefore(log, found?.position ?? end);
    }
  }

  *#removeBefore(log: Log, position: number): Generator<void, void> {
    this.#statements.removeLines.run(log.id, position);
    log.first = position;
    yield;
  }
}

function valuesOf({ log, position, offset, line }: WaitingLine): (string | number | null)[] {
  const { at, level, playerId = null, handler = null, requestId = null, text } = line;
  return [log.id, position, offset, at, LOG_LEVELS.indexOf(level), playerId, handler, requestId, text];
}
