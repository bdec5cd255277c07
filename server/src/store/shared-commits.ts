import { setImmediate, setTimeout } from 'node:timers/promises';
import Libsql from 'libsql';
import AsyncLibsql from 'libsql/promise';
import type { Clock } from '../clock.ts';
import { createPrivateFile, describeDatabaseFault } from '../data-directory/private-file.ts';
import { ServiceError } from '../errors.ts';
import { isReadOnly } from '../file-fault.ts';
import type { Log } from '../log.ts';
import { StartupError } from '../startup-error.ts';
import { assertPlainSchema, DISTRUST_SCHEMA } from './plain-schema.ts';
import { leaveOpen, openWalMark, type WalMarkInThread } from './wal-mark.ts';

/** How long writes hold the event loop up before everything else has its turn. */
const TURN_MS = 1;
/** After this time no more writes join a transaction, because its lock keeps other processes from writing. */
const TRANSACTION_MS = 10;
const MAX_WRITES_OF_TRANSACTION = 1_000;
/** What waits beyond this is refused, and so is more than so many bytes of it. */
const MAX_WAITING = 10_000;
const MAX_WAITING_BYTES = 67_108_864;
/** Another process holds the lock for some milliseconds. */
const BUSY_PAUSE_MS = 2;
const MAX_BUSY_WAIT_MS = 5_000;
/** Readers wait for nothing but the recovery of a WAL that a killed process has left. */
const READER_BUSY_MS = 100;
/** A commit that leaves this many pages in the WAL moves them into the file, and those who wait for it wait longer. */
const CHECKPOINT_PAGES = 2_000;

/**
 * A part of a transaction. It yields after each small step, so that others may have their turn of the event loop there.
 * A `ServiceError` refuses it alone, so it must come before anything is written; any other error undoes the transaction.
 */
export type Work<Shared, T> = (shared: Shared) => Generator<void, T, void>;

/** What the writes of one transaction share. */
interface Ending {
  /** Writes what is to be written once for all of them. */
  end(): Generator<void, void, void>;
}

/** A prepared statement of the connection that writes. */
export type WriteStatement = Pick<Libsql.Statement<unknown[]>, 'run' | 'get'>;

/** `exec` runs in a thread of the binding. Until it has ended, nothing else may use the connection. */
interface Writer {
  readonly inTransaction: boolean;
  exec(sql: string): Promise<void>;
  prepare(sql: string): Promise<WriteStatement>;
  close(): void;
}

export interface SharedCommitsOptions<Shared extends Ending> {
  readonly file: string;
  /** What is in the file, in messages. */
  readonly subject: string;
  /** With FULL a commit is on disk when it ends; with NORMAL it survives the process, but perhaps not a loss of power. */
  readonly synchronous: 'FULL' | 'NORMAL';
  /** Each entry leads from one version of the schema (`user_version`) to the next. */
  readonly migrations: readonly string[];
  /** Prepares the statements. The function that it resolves with makes what the writes of one transaction share. */
  readonly prepare: (prepare: Writer['prepare']) => Promise<() => Shared>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Pick<Log, 'warn'>;
  /** How long a transaction waits for those of other processes. */
  readonly maxBusyWaitMs?: number;
}

/** A write that waits. `take` does it, and returns a function that settles its promise when the transaction is committed. */
interface Waiting<Shared> {
  readonly bytes: number;
  take(shared: Shared): Promise<() => void>;
  reject(reason: unknown): void;
}

interface Parts<Shared extends Ending>
  extends Pick<SharedCommitsOptions<Shared>, 'file' | 'subject' | 'clock' | 'log'> {
  readonly maxBusyWaitMs: number;
  readonly reader: Libsql.Database;
  readonly writer: Writer;
  readonly mark: WalMarkInThread;
  readonly begin: WriteStatement;
  readonly rollback: WriteStatement;
  readonly share: () => Shared;
}

/**
 * An SQLite file whose writers share commits. A write waits, then it runs in a transaction with all that have come in
 * the same turn of the event loop or while the commit before was under way, then it ends with the commit of all.
 *
 * Statements run in the event loop, some at a time. What waits for the disk runs in a thread of the binding: commits,
 * checkpoints and marks (`wal-mark.ts`). Reads have a connection of their own, so they wait for no commit, and they see
 * nothing that is not committed.
 */
export class SharedCommits<Shared extends Ending> {
  readonly #parts: Parts<Shared>;
  readonly #waiting: Waiting<Shared>[] = [];
  #waitingBytes = 0;
  #draining: Promise<void> | undefined;
  /** When the present turn of the event loop has lasted long enough. */
  #turnEndsAt = 0;
  /** Whether the last transaction failed, which is logged once. */
  #isFailing = false;
  /** Whether the statement that begins has found the file locked. It goes on until it runs again. */
  #isBeginning = false;
  #closing: Promise<void> | undefined;

  constructor(parts: Parts<Shared>) {
    this.#parts = parts;
  }

  /** Resolves with what `work` gives once that is committed. `bytes` is about how much memory it takes meanwhile. */
  async write<T>(bytes: number, work: Work<Shared, T>): Promise<T> {
    this.#assertOpen();
    const isFull = this.#waitingBytes > 0 && this.#waitingBytes + bytes > MAX_WAITING_BYTES;
    if (isFull || this.#waiting.length >= MAX_WAITING) {
      const message = `too many writes are waiting for the ${this.#parts.subject}: try again`;
      throw new ServiceError('internal', message, { retryAfterMs: 1_000 });
    }
    return await new Promise<T>((resolve, reject) => {
      this.#waitingBytes += bytes;
      this.#waiting.push({
        ...{ bytes, reject },
        take: async (shared) => {
          try {
            const result = await this.#inTurns(work(shared));
            return () => resolve(result);
          } catch (error) {
            if (error instanceof ServiceError) return () => reject(error);
            throw error;
          }
        },
      });
      this.#draining ??= this.#drain();
    });
  }

  /** Returns what `work` reads, at once. */
  read<T>(work: () => T): T {
    this.#assertOpen();
    try {
      return work();
    } catch (error) {
      throw this.#failureOf(error, 'read');
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { mark, writer, reader } = this.#parts;
    await this.#draining;
    if (!this.#endBeginning() || !(await mark.mayClose())) {
      leaveOpen(reader);
      return;
    }
    // The binding keeps the file open until its statements are collected; it is complete without its WAL until then.
    try {
      await writer.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch (error) {
      // Then nothing was written either.
      if (!isReadOnly(error)) throw error;
    } finally {
      writer.close();
      reader.close();
    }
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return;
    const message = `the file of the ${this.#parts.subject} is closed: try again when the server has started`;
    throw new ServiceError('internal', message);
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#nextTurn();
      await this.#transact();
    }
    this.#draining = undefined;
  }

  async #nextTurn(): Promise<void> {
    await setImmediate();
    this.#turnEndsAt = this.#parts.clock.monotonic() + TURN_MS;
  }

  async #inTurns<T>(steps: Generator<void, T, void>): Promise<T> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      if (this.#parts.clock.monotonic() >= this.#turnEndsAt) await this.#nextTurn();
    }
  }

  /** Never rejects: what goes wrong is told to those whose writes it undoes. */
  async #transact(): Promise<void> {
    const { writer, mark, share } = this.#parts;
    const taken: Waiting<Shared>[] = [];
    try {
      await this.#begin();
      const shared = share();
      const settle = await this.#takeSome(shared, taken);
      await this.#inTurns(shared.end());
      await writer.exec('COMMIT');
      await mark.committed();
      this.#isFailing = false;
      for (const each of settle) each();
    } catch (error) {
      const failure = this.#failureOf(error, 'write');
      // The next transaction tries again to undo what cannot be undone now.
      await this.#rollBack().catch(() => {});
      if (taken.length === 0) taken.push(...this.#waiting.splice(0));
      for (const { reject } of taken) reject(failure);
    }
    for (const { bytes } of taken) this.#waitingBytes -= bytes;
  }

  /** Runs what waits, until it is enough for a transaction. Adds it to `taken`; returns what settles its promises. */
  async #takeSome(shared: Shared, taken: Waiting<Shared>[]): Promise<(() => void)[]> {
    const { clock } = this.#parts;
    const settle: (() => void)[] = [];
    const until = clock.monotonic() + TRANSACTION_MS;
    while (taken.length < MAX_WRITES_OF_TRANSACTION && (taken.length === 0 || clock.monotonic() < until)) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      taken.push(next);
      settle.push(await next.take(shared));
      if (clock.monotonic() >= this.#turnEndsAt) await this.#nextTurn();
    }
    return settle;
  }

  /** Takes the write lock first: a transaction that read before it cannot wait for another writer, it can only fail. */
  async #begin(): Promise<void> {
    const { begin, subject, maxBusyWaitMs } = this.#parts;
    await this.#rollBack();
    for (let waitedMs = 0; waitedMs <= maxBusyWaitMs; waitedMs += BUSY_PAUSE_MS) {
      try {
        begin.run();
        this.#isBeginning = false;
        return;
      } catch (error) {
        this.#isBeginning = isBusy(error);
        if (!this.#isBeginning) throw error;
      }
      // Unlike the clock's, this timer keeps the process alive: a command must not end silently while it waits.
      await setTimeout(BUSY_PAUSE_MS);
    }
    const message = `another process keeps the ${subject} busy: try again`;
    throw new ServiceError('internal', message, { retryAfterMs: 1_000 });
  }

  /** Until that statement has ended, nothing is committed that the connection executes. Returns whether it has. */
  #endBeginning(): boolean {
    if (!this.#isBeginning) return true;
    try {
      this.#parts.begin.run();
      this.#parts.rollback.run();
      return true;
    } catch {
      return false;
    }
  }

  /** A full disk or a failed write has ended the transaction already; the error of another rollback would hide why. */
  async #rollBack(): Promise<void> {
    if (this.#parts.writer.inTransaction) this.#parts.rollback.run();
  }

  /** The error that callers get. One of SQLite becomes one that may be tried again; any other is a bug, and stays. */
  #failureOf(error: unknown, verb: 'read' | 'write'): unknown {
    if (!(error instanceof Libsql.SqliteError)) return error;
    const { file, subject, log } = this.#parts;
    if (!this.#isFailing) log.warn({ err: error, file }, `cannot ${verb} the ${subject}`);
    this.#isFailing = true;
    const message = `cannot ${verb} the ${subject}, because ${describeDatabaseFault(error, file)}, and try again`;
    return new ServiceError('internal', message, { cause: error, retryAfterMs: 1_000 });
  }
}

/** Opens the file; a missing one is made, readable by its owner only. Throws a `StartupError` when it cannot be used. */
export async function openSharedCommits<Shared extends Ending>({
  migrations,
  synchronous,
  prepare,
  maxBusyWaitMs = MAX_BUSY_WAIT_MS,
  ...parts
}: SharedCommitsOptions<Shared>): Promise<{ commits: SharedCommits<Shared>; reader: Libsql.Database }> {
  const { file, subject } = parts;
  const opened: Pick<Writer, 'close'>[] = [];
  try {
    createPrivateFile(file);
    // The version of the schema has the other number.
    const marks = openWalMark({ file, name: 'application_id' });
    marks.assertWhole();
    const reader = new Libsql(file);
    opened.push({ close: () => leaveOpen(reader) });
    reader.exec(`PRAGMA busy_timeout = ${MAX_BUSY_WAIT_MS}; PRAGMA journal_mode = WAL`);
    assertPlainSchema(reader);
    const writer: Writer = new AsyncLibsql(file, {}) as AsyncLibsql & Pick<Writer, 'inTransaction'>;
    opened.push(writer);
    await writer.exec(`PRAGMA busy_timeout = ${MAX_BUSY_WAIT_MS}; PRAGMA synchronous = ${synchronous}`);
    await writer.exec(DISTRUST_SCHEMA);
    await writer.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    await assertPragma(writer, 'journal_mode', 'wal');
    await assertPragma(writer, 'synchronous', synchronous === 'FULL' ? 2 : 1);
    const mark = marks.watchInThread(reader, (sql) => writer.exec(sql));
    migrate(reader, migrations);
    const share = await prepare((sql) => writer.prepare(sql));
    const [begin, rollback] = [await writer.prepare('BEGIN IMMEDIATE'), await writer.prepare('ROLLBACK')];
    // From now on the wait for a lock is a pause of our own, in which everything else goes on.
    await writer.exec('PRAGMA busy_timeout = 0');
    reader.exec(`PRAGMA busy_timeout = ${READER_BUSY_MS}`);
    const all = { ...parts, maxBusyWaitMs, reader, writer, mark, begin, rollback, share };
    return { commits: new SharedCommits(all), reader };
  } catch (error) {
    for (const each of opened) each.close();
    const reason = describeDatabaseFault(error, file);
    throw new StartupError(`cannot use the ${subject} ${file}: ${reason}`, { cause: error });
  }
}

/** Another process may open the file at the same time, so its version is read again once no other can change it. */
function migrate(database: Libsql.Database, migrations: readonly string[]): void {
  const versionOf = () => {
    const [row] = database.prepare('SELECT user_version AS version FROM pragma_user_version').all();
    return (row as { version: number }).version;
  };
  if (versionOf() === migrations.length) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    const version = versionOf();
    if (version > migrations.length) {
      throw new Error(
        `it has version ${version}, but this program only knows versions up to ${migrations.length}: use a newer respark`,
      );
    }
    for (const statements of migrations.slice(version)) database.exec(statements);
    database.exec(`PRAGMA user_version = ${migrations.length}; COMMIT`);
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** SQLite ignores a pragma that it cannot honour (WAL on a network file system), so what is promised is read back. */
async function assertPragma(writer: Writer, name: string, expected: unknown): Promise<void> {
  const statement = await writer.prepare(`SELECT ${name} AS value FROM pragma_${name}`);
  const { value } = statement.get() as { value: unknown };
  if (value !== expected) throw new Error(`PRAGMA ${name} must be ${expected}, got ${value}`);
}

function isBusy(error: unknown): boolean {
  return error instanceof Libsql.SqliteError && error.code.startsWith('SQLITE_BUSY');
}
