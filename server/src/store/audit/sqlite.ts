import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { StartupError } from '../../startup-error.ts';
import type { AuditIntent, AuditLog, AuditOutcome, AuditQuery, AuditReader, AuditRecord } from './audit-log.ts';
import { type AuditDatabase, openAuditDatabase } from './database.ts';
import { type AuditJournal, type Journaled, openAuditJournal, openRecord, readAuditJournal } from './journal.ts';

const DATABASE_FILE = 'audit.sqlite';
const JOURNAL_FILE = 'audit.journal';
/** Records that the journal, and memory, may hold; beyond that `begin` rejects, and its call is refused. */
const MAX_WAITING = 10_000;
const MOVE_PERIOD_MS = 1_000;
/** Nothing else runs meanwhile: 2 to 3 milliseconds. */
const MOVED_AT_ONCE = 256;

interface Parts {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * A journal in front of an SQLite file, both in `directory`. Only one process at a time may open it; others use
 * `openSqliteAuditReader`. What a process that was killed left in the journal is moved to the database first.
 */
export function openSqliteAuditLog({ directory, clock, log }: Parts): AuditLog {
  const database = openAuditDatabase(join(directory, DATABASE_FILE));
  const file = join(directory, JOURNAL_FILE);
  try {
    const { journaled, length, brokenLines } = readAuditJournal(file);
    if (brokenLines > 0) log.warn({ file, brokenLines }, 'broken lines of the audit journal were left out');
    const journal = openAuditJournal({ file, length });
    return new SqliteAuditLog({ database, journal, journaled, clock, log, find: createFind({ file, database }) });
  } catch (error) {
    database.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(`cannot use the audit log ${file}: ${reason}`, { cause: error });
  }
}

/** For a process beside the one that writes, or after it: nothing of what is there changes. */
export function openSqliteAuditReader({ directory }: Pick<Parts, 'directory'>): AuditReader {
  const database = openAuditDatabase(join(directory, DATABASE_FILE));
  const find = createFind({ file: join(directory, JOURNAL_FILE), database });
  let isClosed = false;
  return {
    find: async (query) => find(query),
    async close() {
      if (!isClosed) database.close();
      isClosed = true;
    },
  };
}

type Find = (query: AuditQuery) => readonly AuditRecord[];

/**
 * A record is on its way like this: appended to the journal and kept in memory, then in the database, then out of memory,
 * and out of the journal once that holds nothing else. Wherever a kill comes, moving it again changes nothing.
 */
class SqliteAuditLog implements AuditLog {
  readonly #database: AuditDatabase;
  readonly #journal: AuditJournal;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #find: Find;
  /** What is in the journal and not known to be in the database. */
  readonly #waiting: Journaled;
  /** How many intents are in the journal, whether they wait or not. */
  #journaled: number;
  #cancelMoving: (() => void) | undefined;
  #moving: Promise<void> | undefined;
  /** Whether the last move failed: then only the clock, or somebody who asks, tries again. */
  #isFailing = false;
  #isClosed = false;

  constructor(
    parts: Omit<Parts, 'directory'> & {
      database: AuditDatabase;
      journal: AuditJournal;
      journaled: Journaled;
      find: Find;
    },
  ) {
    this.#database = parts.database;
    this.#journal = parts.journal;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#find = parts.find;
    this.#waiting = parts.journaled;
    this.#journaled = parts.journaled.records.size;
    try {
      while (this.#move());
    } catch {
      this.#planMove();
    }
  }

  async begin(intent: AuditIntent): Promise<void> {
    this.#assertOpen();
    if (this.#journaled >= MAX_WAITING) throw new Error(`${MAX_WAITING} audit records wait already`);
    const record = openRecord(intent);
    this.#journal.append(record);
    this.#journaled += 1;
    this.#waiting.records.set(record.requestId, record);
    this.#planMove();
  }

  async finish({ requestId, at }: Pick<AuditIntent, 'requestId' | 'at'>, outcome: AuditOutcome): Promise<void> {
    this.#assertOpen();
    const record = this.#waiting.records.get(requestId);
    if (record === undefined && !this.#database.has({ requestId, at })) {
      throw new Error(`no audit record ${requestId} to complete`);
    }
    const late = { requestId, at, outcome };
    this.#journal.append(late);
    if (record === undefined) this.#waiting.lateOutcomes.set(requestId, late);
    else record.outcome = outcome;
    this.#planMove();
  }

  async find(query: AuditQuery): Promise<readonly AuditRecord[]> {
    return this.#find(query);
  }

  async removeBefore(at: number): Promise<void> {
    await this.#moveAll();
    while (!this.#isClosed && this.#database.removeSomeBefore(at)) await setImmediate();
  }

  async probe(): Promise<void> {
    this.#assertOpen();
    if (this.#journaled >= MAX_WAITING) await this.#moveAll();
    this.#journal.probe();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelMoving?.();
    try {
      while (this.#move());
    } catch {
      // The journal keeps it for the next start.
    }
    try {
      this.#journal.close();
    } finally {
      this.#database.close();
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Error('the audit log is closed');
  }

  #planMove(): void {
    this.#cancelMoving ??= this.#clock.after(MOVE_PERIOD_MS, () => this.#moveInBackground());
    const isDue = this.#waiting.records.size >= MOVED_AT_ONCE && !this.#isFailing;
    if (isDue && this.#moving === undefined) this.#moveInBackground();
  }

  #moveInBackground(): void {
    this.#cancelMoving?.();
    this.#cancelMoving = undefined;
    this.#moveAll().catch(() => this.#planMove());
  }

  /** Rejects when something cannot be moved: it goes on waiting then. */
  #moveAll(): Promise<void> {
    this.#moving ??= this.#moveInSteps().finally(() => {
      this.#moving = undefined;
    });
    return this.#moving;
  }

  async #moveInSteps(): Promise<void> {
    do await setImmediate();
    while (!this.#isClosed && this.#move());
  }

  /** Moves as much as may be moved at once; returns whether more waits. */
  #move(): boolean {
    if (this.#journal.isEmpty) return false;
    const { records, lateOutcomes } = this.#waiting;
    try {
      const batch = firstOf(records.values(), MOVED_AT_ONCE);
      this.#database.write(batch, lateOutcomes.values());
      for (const { requestId } of batch) records.delete(requestId);
      lateOutcomes.clear();
      if (records.size === 0) {
        this.#journal.clear();
        this.#journaled = 0;
      }
    } catch (error) {
      if (!this.#isFailing) this.#log.warn({ err: error }, 'audit records wait in the journal for their database');
      this.#isFailing = true;
      throw error;
    }
    this.#isFailing = false;
    return records.size > 0;
  }
}

function firstOf<T>(values: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const value of values) {
    if (first.length === count) break;
    first.push(value);
  }
  return first;
}

/** What is in the journal `file` or the database; of what is in both, whichever knows the outcome. */
function createFind({ file, database }: { file: string; database: AuditDatabase }): Find {
  return (query) => {
    // The journal first: what has left it by then is in the database.
    const { records, lateOutcomes } = readAuditJournal(file).journaled;
    const found = new Map(database.find(query).map((record) => [record.requestId, record]));
    for (const record of records.values()) {
      if (matches(record, query) && found.get(record.requestId)?.outcome === undefined) {
        found.set(record.requestId, record);
      }
    }
    for (const { requestId, outcome } of lateOutcomes.values()) {
      const record = found.get(requestId);
      if (record !== undefined) found.set(requestId, { ...record, outcome });
    }
    const inOrder = [...found.values()].sort(byTime);
    return inOrder.slice(Math.max(0, inOrder.length - query.limit));
  };
}

function matches(record: AuditRecord, { playerId, operation, since = 0 }: AuditQuery): boolean {
  const isOfPlayer = playerId === undefined || record.playerId === playerId;
  return record.at >= since && isOfPlayer && (operation === undefined || record.operation === operation);
}

function byTime(a: AuditRecord, b: AuditRecord): number {
  return a.at - b.at || (a.requestId < b.requestId ? -1 : 1);
}
