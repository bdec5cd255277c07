import { join } from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '../../clock.ts';
import { describeFileFault, isFull } from '../../file-fault.ts';
import type { Log } from '../../log.ts';
import { createRareWarnings, type WarnRarely } from '../../rare-warnings.ts';
import { StartupError } from '../../startup-error.ts';
import type {
  AuditIntent,
  AuditLog,
  AuditOutcome,
  AuditPage,
  AuditPosition,
  AuditQuery,
  AuditReader,
  AuditWriter,
  ChainReader,
} from './audit-log.ts';
import { type AuditDatabase, openAuditDatabase } from './database.ts';
import { type AuditJournal, type Journaled, openRecord, readAuditJournal, toOutcome } from './journal.ts';
import { AUDIT_JOURNAL_FILE, openJournal } from './open-journal.ts';
import { firstOf, pageOf } from './pages.ts';
import { toRecord } from './rows.ts';

/** The file in the data directory. */
export const AUDIT_DATABASE_FILE = 'audit.sqlite';
/** How many records the journal, and memory, may hold. Beyond that `begin` rejects, and its call is refused. */
const MAX_WAITING = 10_000;
const MOVE_PERIOD_MS = 1_000;
const KEPT_MS = 86_400_000;
/** How long the outcome of a record may still be to come: twice as long as a disconnect may take. */
const UNDER_WAY_MS = 120_000;
/** How often its size a log may have so that the records of the last day stay. */
const MOST_TIMES = 2;
/** How many waiting records are moved without waiting for their second to end, and how many one move takes at most. */
const MOVED_AT_ONCE = 256;
/**
 * After this time no more records join those that are being moved, because nothing else runs meanwhile. The link and the
 * commit come after it.
 */
const MOVE_MS = 0.8;
/** A command that writes one record after another leaves the server, whose wait for the file is short, its turn. */
const SHARED_PAUSE_MS = 2;
/** What is logged when the log cannot be made smaller. */
const NOT_REMOVED = 'audit records that are too many could not be removed';

interface Parts {
  readonly directory: string;
  /** The id of the installation, which a new chain begins with. */
  readonly installation?: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when the disk is full; returns whether there is room now. */
  readonly onFull?: () => boolean;
  /** How large the database may grow before it loses its oldest records. */
  readonly maxBytes?: number;
}

/**
 * Opens a journal in front of an SQLite file, both in `directory`. Only one process at a time may do so; others use
 * `openSqliteAuditBeside`. What a killed process has left in the journal is moved to the database first.
 */
export function openSqliteAuditLog({
  directory,
  installation = '',
  clock,
  log,
  onFull = () => false,
  maxBytes = Number.POSITIVE_INFINITY,
}: Parts): AuditLog {
  const database = openAuditDatabase({
    ...{ file: join(directory, AUDIT_DATABASE_FILE), isShared: false, installation },
    now: () => clock.now(),
  });
  try {
    const { journal, journaled } = openJournal({ directory, log, onFull });
    return new SqliteAuditLog({ database, journal, journaled, clock, log, onFull, maxBytes });
  } catch (error) {
    database.close();
    if (error instanceof StartupError) throw error;
    const reason = describeFileFault(error);
    throw new StartupError(`cannot use the audit log in ${directory}: ${reason}`, { cause: error });
  }
}

/**
 * For a process beside the server, or after it. The journal belongs to the server, so this process writes its own
 * records straight to the database, which takes one writer after the other, whatever process it is.
 */
export function openSqliteAuditBeside({
  directory,
  installation = '',
}: Pick<Parts, 'directory' | 'installation'>): AuditReader & AuditWriter {
  const database = openAuditDatabase({
    ...{ file: join(directory, AUDIT_DATABASE_FILE), isShared: true, installation },
    now: () => systemClock.now(),
  });
  const file = join(directory, AUDIT_JOURNAL_FILE);
  let isClosed = false;
  return {
    chain: chainReaderOf(database),
    // The journal is read first: what has left it by then is in the database.
    async find(query) {
      const { journaled } = readAuditJournal(file);
      return pageOf(query, journaled, database.find(query));
    },
    async begin(intent) {
      if (database.has(intent)) throw new Error(`there is already an audit record ${intent.requestId}`);
      database.write([openRecord(intent)], []);
      await sleep(SHARED_PAUSE_MS);
    },
    async finish({ requestId, at }, outcome) {
      if (!database.has({ requestId, at })) throw new Error(`there is no audit record ${requestId} to finish`);
      database.write([], [{ requestId, at, outcome: toOutcome(outcome) }]);
      await sleep(SHARED_PAUSE_MS);
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await database.close();
    },
  };
}

function chainReaderOf({ chain, synced }: AuditDatabase): ChainReader {
  return {
    async chains() {
      const chains = chain.chains();
      await synced();
      return chains;
    },
    links: async ({ after, limit }) => chain.links(after, limit),
    looseRecords: async () => chain.looseRecords(),
    async place(requestId) {
      const place = chain.place(requestId);
      if (place === undefined) return undefined;
      const { row, ...rest } = place;
      return { record: toRecord(row), ...rest };
    },
  };
}

/**
 * The way of a record: it is appended to the journal and kept in memory, then written to the database, then dropped
 * from memory, and it leaves the journal once that holds nothing that still waits. A kill may come at any step, because
 * moving a record again changes nothing.
 */
class SqliteAuditLog implements AuditLog {
  readonly chain: ChainReader;
  readonly #database: AuditDatabase;
  readonly #journal: AuditJournal;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #warnRarely: WarnRarely;
  readonly #onFull: () => boolean;
  readonly #maxBytes: number;
  /** What is in the journal and not known to be in the database. */
  readonly #waiting: Journaled;
  /** No record of this process that is in the database is of a later time. */
  #movedTo: number;
  /** How many intents are in the journal, including those that the database has already. */
  #journaled: number;
  #cancelMoving: (() => void) | undefined;
  #moving: Promise<void> | undefined;
  #shrinking: Promise<void> | undefined;
  /** Whether the last move failed. While it is true, only the clock or a probe tries again. */
  #isFailing = false;
  #isClosed = false;

  constructor(
    parts: Required<Omit<Parts, 'directory' | 'installation'>> & {
      database: AuditDatabase;
      journal: AuditJournal;
      journaled: Journaled;
    },
  ) {
    this.chain = chainReaderOf(parts.database);
    this.#database = parts.database;
    this.#journal = parts.journal;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#warnRarely = createRareWarnings(parts);
    this.#onFull = parts.onFull;
    this.#maxBytes = parts.maxBytes;
    this.#waiting = parts.journaled;
    this.#journaled = parts.journaled.records.size;
    this.#movedTo = parts.database.newestAt() ?? Number.NEGATIVE_INFINITY;
    try {
      while (this.#move());
    } catch {
      this.#planMove();
    }
  }

  begin(intent: AuditIntent): void {
    this.#assertOpen();
    if (this.#journaled >= MAX_WAITING) throw new Error(`${MAX_WAITING} audit records are already waiting`);
    const record = openRecord(intent);
    // The time comes first: to ask the database costs more than all the rest.
    const isMoved = record.at <= this.#movedTo && this.#database.has(record);
    if (isMoved || this.#waiting.records.has(record.requestId)) {
      throw new Error(`there is already an audit record ${record.requestId}`);
    }
    this.#journal.append(record);
    this.#journaled += 1;
    this.#waiting.records.set(record.requestId, record);
    this.#planMove();
  }

  finish({ requestId, at }: AuditPosition, outcome: AuditOutcome): void {
    this.#assertOpen();
    const record = this.#waiting.records.get(requestId);
    if (record === undefined && !this.#database.has({ requestId, at })) {
      throw new Error(`there is no audit record ${requestId} to complete`);
    }
    const late = { requestId, at, outcome };
    this.#journal.append(late);
    if (record === undefined) this.#waiting.lateOutcomes.set(requestId, late);
    else record.outcome = outcome;
    this.#planMove();
  }

  async find(query: AuditQuery): Promise<AuditPage> {
    return pageOf(query, this.#waiting, this.#database.find(query));
  }

  async removeBefore(at: number): Promise<void> {
    await this.#moveAll();
    while (!this.#isClosed && this.#database.removeSomeBefore(at, 'retention')) await this.#nextStep();
    await this.#shrink();
  }

  /** Makes the log smaller if it is too large, once at a time. */
  #shrink(): Promise<void> {
    this.#shrinking ??= this.#shrinkInSteps().finally(() => {
      this.#shrinking = undefined;
    });
    return this.#shrinking;
  }

  /**
   * Other records of the last day stay, because a flood of calls must not wash away its own traces, unless the log has
   * twice its size: then the disk would be full before the day is over.
   */
  async #shrinkInSteps(): Promise<void> {
    while (!this.#isClosed && this.#database.bytes() > this.#maxBytes) {
      const bytes = this.#database.bytes();
      const now = this.#clock.now();
      const before = bytes > MOST_TIMES * this.#maxBytes ? Number.MAX_SAFE_INTEGER : now - KEPT_MS;
      const isSmaller =
        this.#database.removeSomeOfScripts(now - UNDER_WAY_MS, 'size') ||
        this.#database.removeSomeBefore(before, 'size');
      if (!isSmaller) {
        const facts = { bytes, maxBytes: this.#maxBytes };
        this.#warnRarely('size', facts, 'the audit log is larger than it may be, but all of it is of the last day');
        return;
      }
      await this.#nextStep();
    }
  }

  async settle(): Promise<void> {
    this.#assertOpen();
    // A move that is under way may have begun before the newest of them came.
    await this.#moving;
    if (!this.#journal.isEmpty) await this.#moveAll();
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
    await this.#database.checkpointed();
    try {
      while (this.#move());
    } catch {
      // The journal keeps the records for the next start.
    }
    try {
      this.#journal.close();
    } finally {
      await this.#database.close();
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
    this.#moveAll().then(
      () => this.#shrink().catch((error: unknown) => this.#warnRarely('removal', { err: error }, NOT_REMOVED)),
      () => this.#planMove(),
    );
  }

  /** Rejects when something cannot be moved, which then goes on waiting. */
  #moveAll(): Promise<void> {
    this.#moving ??= this.#moveInSteps().finally(() => {
      this.#moving = undefined;
    });
    return this.#moving;
  }

  async #moveInSteps(): Promise<void> {
    do await this.#nextStep();
    while (!this.#isClosed && this.#move());
  }

  /** When the next records may be moved or removed: once other calls had their turn. */
  async #nextStep(): Promise<void> {
    await setImmediate();
    await this.#database.checkpointed();
  }

  /** Moves as much as may be moved at once; returns whether more waits. */
  #move(): boolean {
    if (this.#journal.isEmpty) return false;
    const { records, lateOutcomes } = this.#waiting;
    try {
      const until = this.#clock.monotonic() + MOVE_MS;
      const batch = firstOf(records.values(), MOVED_AT_ONCE);
      const lateBatch = firstOf(lateOutcomes.values(), MOVED_AT_ONCE);
      const written = this.#database.write(batch, lateBatch, () => this.#clock.monotonic() >= until);
      for (const { requestId, at } of batch.slice(0, written.records)) {
        records.delete(requestId);
        this.#movedTo = Math.max(this.#movedTo, at);
      }
      for (const { requestId } of lateBatch.slice(0, written.lateOutcomes)) lateOutcomes.delete(requestId);
      if (records.size === 0 && lateOutcomes.size === 0) {
        this.#journal.clear();
        this.#journaled = 0;
      }
    } catch (error) {
      if (isFull(error)) this.#onFull();
      if (!this.#isFailing) this.#log.warn({ err: error }, 'audit records wait in the journal for their database');
      this.#isFailing = true;
      throw error;
    }
    this.#isFailing = false;
    return records.size > 0 || lateOutcomes.size > 0;
  }
}
