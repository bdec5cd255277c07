import { setTimeout } from 'node:timers/promises';
import {
  type DatabaseConnection,
  type Dialect,
  Kysely,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type SqliteStatement,
  sql,
} from 'kysely';
import Libsql from 'libsql';
import { type Clock, systemClock } from '../clock.ts';
import { createPrivateFile, describeDatabaseFault } from '../data-directory/private-file.ts';
import { ServiceError } from '../errors.ts';
import { isFull, isReadOnly } from '../file-fault.ts';
import { StartupError } from '../startup-error.ts';
import { type Checkpoints, createCheckpoints, createExecInThread } from './checkpoints.ts';
import type { Database, Query } from './database.ts';
import { watchForeignVersion } from './foreign-version.ts';
import { assertMigrated, migrate } from './migrations/migrate.ts';
import { assertPlainSchema } from './plain-schema.ts';
import type { Schema } from './schema.ts';
import { leaveOpen, openWalMark, type WalMark, type WalMarkInThread } from './wal-mark.ts';
import { createWriteTurns } from './write-turns.ts';

/** Another process is most likely done within this. SQLite's own wait blocks the whole process, so it is short. */
const BLOCKING_WAIT_MS = 20;
/** After each wait, reads and everything else go on for this long before the next try. */
const RETRY_PAUSE_MS = 25;
/** Another process that was found at work so lately is still at it. */
const STILL_BUSY_MS = 100;
const MAX_OPEN_WAIT_MS = 5_000;
/** A checkpoint begins when the WAL has 4 MB, as SQLite's own would. */
const CHECKPOINT_PAGES = 1_000;
/** SQLite begins one by itself, in a commit, when the WAL has so many times that size, because pages are only estimated. */
const MOST_TIMES = 4;
/** What a statement writes beside its texts, and how many characters of those fill a page. */
const PAGES_OF_STATEMENT = 2;
const TEXT_OF_PAGE = 4_000;
/** Our queries are a few dozen fixed texts; more means that a text is built from values. */
const MAX_PREPARED_STATEMENTS = 200;

/**
 * Opens the SQLite database in `file`; a missing file is made, readable by its owner only. Every commit is on disk when
 * it resolves (WAL with full synchronisation). Other processes on the same machine may use the same file; a transaction
 * waits for theirs at most about `maxWriteWaitMs`.
 */
export function openSqlite({
  file,
  clock = systemClock,
  maxWriteWaitMs = 5_000,
  onFull = () => {},
}: {
  file: string;
  clock?: Pick<Clock, 'monotonic'>;
  maxWriteWaitMs?: number;
  /** Called when a write fails because the disk is full, which the caller of the write is told as well. */
  onFull?: () => void;
}): Database {
  const { connection, mark, markInThread, foreignVersion } = connect(file, clock);
  const { committed: settled, checkpoint } = markInThread;
  const checkpoints = createCheckpoints({ file, pages: CHECKPOINT_PAGES, settled, checkpoint });
  const written = { pages: 0 };
  const database = withPreparedStatements({ connection, mark, written });
  const query = new Kysely<Schema>({ dialect: createDialect({ connection, database, checkpoints, written }) });
  const inTurn = createWriteTurns({ clock });

  /** Since when each try has found another process at work, and when the last one did. */
  let busy: { readonly since: number; readonly foundAt: number } | undefined;

  /** Whether work that was asked for at `askedAt` has waited for the other process for too long. */
  function isLate(askedAt: number): boolean {
    return busy !== undefined && clock.monotonic() - Math.max(askedAt, busy.since) > maxWriteWaitMs;
  }

  /** Others that wait for their turn wait for the pause, too: otherwise as many tries as there are writes would leave none. */
  async function attempt<T>(work: (query: Query) => Promise<T>, askedAt: number): Promise<T> {
    // Each try takes a while, so very many writes that are late would keep each other waiting.
    if (busy !== undefined && isLate(askedAt) && clock.monotonic() - busy.foundAt < STILL_BUSY_MS)
      throw new WriterBusy();
    // A checkpoint writes the mark of the file, for which it takes the lock of writers without a wait.
    await checkpoints.end();
    try {
      const result = await query.transaction().execute(work);
      busy = undefined;
      return result;
    } catch (error) {
      const foundAt = clock.monotonic();
      busy = error instanceof WriterBusy ? { since: busy?.since ?? foundAt, foundAt } : undefined;
      if (busy === undefined) throw error;
      // Unlike the clock's, this timer keeps the process alive: a command must not end silently while it waits.
      await setTimeout(RETRY_PAUSE_MS);
      throw error;
    }
  }

  async function transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const askedAt = clock.monotonic();
    for (let waitedMs = 0; ; waitedMs += BLOCKING_WAIT_MS + RETRY_PAUSE_MS) {
      try {
        return await inTurn(() => attempt(work, askedAt));
      } catch (error) {
        if (error instanceof Libsql.SqliteError && /^SQLITE_(?:FULL|IOERR)/.test(error.code)) {
          throw failedWrite(error, { file, onFull });
        }
        if (!(error instanceof WriterBusy)) throw error;
      }
      // Each try waits for its turn behind those of all other writes, which may take much longer than the try itself.
      if (waitedMs > maxWriteWaitMs || isLate(askedAt)) break;
    }
    throw new ServiceError('internal', 'another process keeps the database busy: try again', { retryAfterMs: 1_000 });
  }

  return {
    query,
    transaction,
    foreignVersion,
    // Every commit does so.
    async announce() {},
    async storedBytes(within) {
      const { rows } = await sql<{ bytes: number }>`
        select ((select page_count from pragma_page_count) - (select freelist_count from pragma_freelist_count))
          * (select page_size from pragma_page_size) as bytes`.execute(within);
      return rows[0]?.bytes ?? 0;
    },
    migrate: () => migrate({ transaction }),
    assertMigrated: () => assertMigrated({ query }),
    async close() {
      // What waits for its turn was asked for before, and would find no connection any more.
      await inTurn(async () => {});
      await checkpoints.end();
      await query.destroy();
      // Kysely closes the database only if it has used it.
      database.close();
    },
  };
}

function connect(
  file: string,
  clock: Pick<Clock, 'monotonic'>,
): {
  connection: Libsql.Database;
  /** For the close, with which the process has nothing else to do. */
  mark: Pick<WalMark, 'mayClose'>;
  markInThread: Pick<WalMarkInThread, 'committed' | 'checkpoint'>;
  foreignVersion: () => number;
} {
  let connection: Libsql.Database | undefined;
  try {
    createPrivateFile(file);
    const marks = openWalMark({ file, name: 'user_version' });
    marks.assertWhole();
    connection = new Libsql(file);
    connection.exec(`PRAGMA busy_timeout = ${MAX_OPEN_WAIT_MS}; PRAGMA journal_mode = WAL`);
    assertPlainSchema(connection);
    connection.exec(`PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON`);
    assertPragma(connection, 'journal_mode', 'wal');
    assertPragma(connection, 'synchronous', 2);
    assertPragma(connection, 'foreign_keys', 1);
    const mark = marks.watch(connection);
    // Writes wait for this, and have a wait of their own for other processes.
    const busyTimeout = `PRAGMA busy_timeout = ${BLOCKING_WAIT_MS}`;
    const exec = createExecInThread(file);
    const markInThread = marks.watchInThread(connection, (sql) => exec(`${busyTimeout}; ${sql}`));
    const foreignVersion = watchForeignVersion({ connection, file, clock });
    connection.exec(`PRAGMA wal_autocheckpoint = ${MOST_TIMES * CHECKPOINT_PAGES}`);
    connection.exec(`PRAGMA busy_timeout = ${BLOCKING_WAIT_MS}`);
    return { connection, mark, markInThread, foreignVersion };
  } catch (error) {
    if (connection !== undefined) leaveOpen(connection);
    throw new StartupError(`cannot use the database ${file}: ${describeDatabaseFault(error, file)}`, { cause: error });
  }
}

/** Not every full disk is one to SQLite, which may only say that it could not write. */
function failedWrite(error: Error, { file, onFull }: { file: string; onFull: () => void }): Error {
  const reason = describeDatabaseFault(error, file);
  if (!isFull(error) && !/\((?:ENOSPC|EDQUOT)\)/.test(reason)) return error;
  onFull();
  return new ServiceError('internal', `Nothing was done, because ${reason}, and try again.`, { cause: error });
}

/** SQLite ignores a pragma that it cannot honour (WAL on a network file system), so what is promised is read back. */
function assertPragma(connection: Libsql.Database, name: string, expected: unknown): void {
  const actual = connection.prepare(`SELECT ${name} AS value FROM pragma_${name}`).all()[0] as { value: unknown };
  if (actual.value !== expected) throw new Error(`PRAGMA ${name} must be ${expected}, got ${actual.value}`);
}

/** Another process holds the write lock. */
class WriterBusy extends Error {
  override readonly name = 'WriterBusy';
}

interface DriverParts {
  readonly connection: Libsql.Database;
  /** Over the connection. */
  readonly database: SqliteDatabase;
  readonly checkpoints: Checkpoints;
  readonly written: Written;
}

/** About how many pages have been written since the last commit. */
interface Written {
  pages: number;
}

function createDialect(parts: DriverParts): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new ImmediateDriver(parts),
    createIntrospector: (query) => new SqliteIntrospector(query),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** One connection, which one query or one transaction uses at a time while the others wait. */
class ImmediateDriver extends SqliteDriver {
  readonly #connection: Libsql.Database;
  readonly #checkpoints: Checkpoints;
  readonly #written: Written;

  constructor({ connection, database, checkpoints, written }: DriverParts) {
    super({ database });
    this.#connection = connection;
    this.#checkpoints = checkpoints;
    this.#written = written;
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await super.commitTransaction(connection);
    const { pages } = this.#written;
    this.#written.pages = 0;
    await this.#checkpoints.committed(pages);
  }

  /** Takes the write lock first: a transaction that read before it cannot wait for another writer, it can only fail. */
  override async beginTransaction(): Promise<void> {
    try {
      // A prepared statement that has failed goes on until it runs again, and with it what reads see in the meantime.
      this.#connection.exec('begin immediate');
    } catch (error) {
      if (error instanceof Libsql.SqliteError && error.code.startsWith('SQLITE_BUSY')) {
        throw new WriterBusy('the write lock is taken', { cause: error });
      }
      throw error;
    }
  }

  /** A full disk or a failed write has ended the transaction already; the error of another rollback would hide why. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#connection.inTransaction) await super.rollbackTransaction(connection);
  }

  override async destroy(): Promise<void> {
    await this.acquireConnection();
    try {
      await super.destroy();
    } finally {
      await this.releaseConnection();
    }
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof Libsql.SqliteError && error.code === 'SQLITE_LOCKED';
}

/** Prepares each query text only once, and counts what is written. To close it a second time does nothing. */
function withPreparedStatements({
  connection,
  mark,
  written,
}: {
  connection: Libsql.Database;
  mark: Pick<WalMark, 'mayClose'>;
  written: Written;
}): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  let isClosed = false;
  return {
    prepare(text) {
      const known = statements.get(text);
      if (known !== undefined) return known;
      const statement = counted(connection.prepare<[readonly unknown[]]>(text), written);
      if (statements.size >= MAX_PREPARED_STATEMENTS) statements.clear();
      statements.set(text, statement);
      return statement;
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      statements.clear();
      if (!mark.mayClose()) {
        leaveOpen(connection);
        return;
      }
      // The binding keeps the file open until its statements are collected; it is complete without its WAL until then.
      try {
        connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      } catch (error) {
        // Then nothing was written either, or the WAL stays, as the mark in the file says: a statement has not ended.
        if (!isReadOnly(error) && !isLocked(error)) throw error;
      } finally {
        connection.close();
      }
    },
  };
}

/** A statement that gives rows is taken to write nothing. */
function counted(statement: SqliteStatement, written: Written): SqliteStatement {
  if (statement.reader) return statement;
  return {
    reader: false,
    all: (parameters) => statement.all(parameters),
    iterate: (parameters) => statement.iterate(parameters),
    run(parameters) {
      const characters = parameters.reduce<number>(
        (sum, value) => sum + (typeof value === 'string' ? value.length : 0),
        0,
      );
      written.pages += PAGES_OF_STATEMENT + characters / TEXT_OF_PAGE;
      return statement.run(parameters);
    },
  };
}
