import Libsql from 'libsql';
import type { RemovalReason } from '../../audit-chain.ts';
import { createPrivateFile, describeDatabaseFault } from '../../data-directory/private-file.ts';
import { isReadOnly } from '../../file-fault.ts';
import { andThen, type MaybePromise } from '../../maybe-promise.ts';
import { StartupError } from '../../startup-error.ts';
import { createCheckpoints } from '../checkpoints.ts';
import { assertPlainSchema } from '../plain-schema.ts';
import { leaveOpen, openWalMark, type WalMark } from '../wal-mark.ts';
import { createWalSync } from '../wal-sync.ts';
import type { AuditPosition, AuditQuery, AuditRecord } from './audit-log.ts';
import type { LateOutcome } from './journal.ts';
import { rangeOf } from './key-range.ts';
import { type AuditRow, toRecord } from './rows.ts';
import { CHAIN_MIGRATION, type ChainParts, openSqliteChain, type SqliteChain } from './sqlite-chain.ts';
import { createTransact, createWriting } from './sqlite-writing.ts';

/** Another process holds the write lock for a millisecond, and SQLite's wait for it blocks the whole server. */
const BUSY_TIMEOUT_MS = 100;
/** A command holds nothing else up while it waits. */
const SHARED_BUSY_TIMEOUT_MS = 5_000;
/** A page of the database has room for so much text, and so for about so many records. */
const TEXT_OF_PAGE = 2_000;
const RECORDS_OF_PAGE = 6;
/** Opening happens at a start, when the process has nothing else to do, so it may wait. */
const MAX_OPENINGS = 10;
const OPENING_PAUSE_MS = 20;
/** Removing these takes a millisecond or two, in which nothing else runs. */
const REMOVED_AT_ONCE = 50;
/** How many records one query looks at, which takes about a millisecond. The process does nothing else meanwhile. */
const LOOKED_AT_ONCE = 500;
/** A checkpoint synchronises the disk, so it comes rarely: when the WAL has 40 MB. */
const CHECKPOINT_PAGES = 10_000;
/** When checkpoints have not kept the WAL below so many times that size, a commit waits for one. */
const MOST_TIMES = 2;

/**
 * Each entry leads from one version of the schema (`user_version`) to the next; only ever append to this list. The
 * primary key keeps records in order of time without another index, so each write changes only the last page.
 */
const MIGRATIONS = [
  `CREATE TABLE IF NOT EXISTS audit (
     at INTEGER NOT NULL,
     request_id TEXT NOT NULL,
     access_key_id TEXT NOT NULL,
     source_address TEXT NOT NULL,
     operation TEXT NOT NULL,
     resource TEXT NOT NULL,
     player_id TEXT,
     outcome TEXT,
     PRIMARY KEY (at, request_id)
   ) STRICT, WITHOUT ROWID`,
  `ALTER TABLE audit RENAME COLUMN access_key_id TO actor;
   ALTER TABLE audit ADD COLUMN cause TEXT NOT NULL DEFAULT 'operator'`,
  'ALTER TABLE audit ADD COLUMN details TEXT',
  "CREATE INDEX audit_of_scripts ON audit (at, request_id) WHERE cause = 'script'",
  CHAIN_MIGRATION,
  'CREATE INDEX audit_by_request_id ON audit (request_id)',
];

/** The version that this program's migrations lead to. */
export const AUDIT_VERSION = MIGRATIONS.length;

export interface AuditDatabase {
  /** What is read of the chain; what is written to it is this interface's matter. */
  readonly chain: Pick<SqliteChain, 'chains' | 'links' | 'looseRecords' | 'place'>;
  /**
   * Writes records and then outcomes in one transaction, until all are written or `isTimeUp`; gives how many of each are
   * written, which is some unless there are none. A throw leaves all as it was. A record that is there already stays as
   * it is, but gets an outcome that it lacks.
   */
  write(
    records: readonly AuditRecord[],
    lateOutcomes: readonly LateOutcome[],
    isTimeUp?: () => boolean,
  ): { readonly records: number; readonly lateOutcomes: number };
  /** Whether there is a record at this place. */
  has(position: AuditPosition): boolean;
  /** The time of the newest record; undefined when there is none. */
  newestAt(): number | undefined;
  /**
   * The records that match, at most one more than the limit, in the order asked for. `lookedTo` is the last place that
   * the query looked at, unless it looked at everything.
   */
  find(query: AuditQuery): { readonly records: AuditRecord[]; readonly lookedTo: AuditPosition | undefined };
  /** Bytes of what is in it. What was removed does not count, because its room is used again. */
  bytes(): number;
  /** Removes some of the oldest of the records before this time; returns whether there were any. */
  removeSomeBefore(at: number, reason: RemovalReason): boolean;
  /** The same of records of scripts, of this time and later too if they have their outcome. */
  removeSomeOfScripts(at: number, reason: RemovalReason): boolean;
  /**
   * Waits for the end of a checkpoint that is under way. What is written meanwhile is as safe as ever, but until the end
   * a copy of the file alone would not tell that it lacks it.
   */
  checkpointed(): MaybePromise<void>;
  /** Resolves when all that is committed by now is on disk. */
  synced(): Promise<void>;
  /** Closes the file, with everything in the file itself. Waits for a checkpoint that is under way. */
  close(): MaybePromise<void>;
}

/**
 * Opens an SQLite file in WAL mode with `synchronous=NORMAL`: what is written survives kill -9, but perhaps not a loss
 * of power, before it is `synced`. With `isShared` the file is opened beside its server, and a schema of another version is a `StartupError`.
 */
export function openAuditDatabase({
  file,
  isShared,
  checkpointPages = CHECKPOINT_PAGES,
  ...parts
}: ChainParts & {
  file: string;
  isShared: boolean;
  checkpointPages?: number;
}): AuditDatabase {
  const { database, mark } = connect(file, isShared);
  const checkpoints = createCheckpoints({ file, pages: checkpointPages, settled: mark.committed });
  const chain = openSqliteChain(database, parts);
  const write = createWriting(database, chain);
  const select = database.prepare('SELECT 1 FROM audit WHERE at = ? AND request_id = ?');
  const newest = database.prepare('SELECT at FROM audit ORDER BY at DESC LIMIT 1');
  const removalOf = createRemoval(database, chain);
  // Records are removed in steps, so that years of them do not hold up the calls in between.
  const removeSome = (remove: (before: number, reason: RemovalReason) => boolean) => {
    return (before: number, reason: RemovalReason) => {
      const isSome = remove(before, reason);
      if (isSome) checkpoints.committed(REMOVED_AT_ONCE / RECORDS_OF_PAGE);
      return isSome;
    };
  };
  const size = database.prepare(
    `SELECT (page_count - freelist_count) * page_size AS bytes
     FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
  );

  return {
    chain,
    write(records, lateOutcomes, isTimeUp) {
      const { characters, ...written } = write(records, lateOutcomes, isTimeUp);
      checkpoints.committed(characters / TEXT_OF_PAGE + written.lateOutcomes);
      return written;
    },
    has: ({ at, requestId }) => select.all(at, requestId).length > 0,
    newestAt: () => (newest.all()[0] as { at: number } | undefined)?.at,
    find: (query) => find(database, query),
    bytes: () => (size.all()[0] as { bytes: number }).bytes,
    removeSomeBefore: removeSome(removalOf('at < ?', false)),
    removeSomeOfScripts: removeSome(removalOf("cause = 'script' AND (at < ? OR outcome IS NOT NULL)", true)),
    checkpointed: checkpoints.end,
    synced: createWalSync(file),
    close: () =>
      andThen(checkpoints.end(), () => {
        if (!mark.mayClose()) {
          leaveOpen(database);
          return;
        }
        // The binding keeps the file open until its statements are collected; it is complete without its WAL until then.
        try {
          database.exec('PRAGMA wal_checkpoint(PASSIVE)');
        } catch (error) {
          // Then nothing was written either.
          if (!isReadOnly(error)) throw error;
        } finally {
          database.close();
        }
      }),
  };
}

/** Returns a function that removes some of the oldest rows, and puts that into the chain, in one transaction. */
function createRemoval(database: Libsql.Database, chain: SqliteChain) {
  const transact = createTransact(database);
  return (condition: string, onlyScripts: boolean) => {
    const oldest = `FROM audit WHERE ${condition} ORDER BY at, request_id LIMIT ${REMOVED_AT_ONCE}`;
    const select = database.prepare(`SELECT * ${oldest}`);
    const remove = database.prepare(`DELETE FROM audit WHERE (at, request_id) IN (SELECT at, request_id ${oldest})`);
    return (before: number, reason: RemovalReason) =>
      transact(() => {
        const rows = select.all(before) as AuditRow[];
        if (rows.length === 0) return false;
        remove.run(before);
        chain.removed(rows, { reason, before, onlyScripts });
        return true;
      });
  };
}

/** Looks from one place in the primary key to another, neither sorting nor scanning beyond that. */
function find(database: Libsql.Database, query: AuditQuery): ReturnType<AuditDatabase['find']> {
  const { playerId = null, operation = null, actor = null, limit } = query;
  const whole = rangeOf(query);
  const [end] = database
    .prepare(
      `SELECT at, request_id FROM audit WHERE ${whole.where('?')} ${whole.orderBy} LIMIT 1 OFFSET ${LOOKED_AT_ONCE - 1}`,
    )
    .all(...whole.values) as Pick<AuditRow, 'at' | 'request_id'>[];
  const lookedTo = end && { at: end.at, requestId: end.request_id };
  const range = lookedTo === undefined ? whole : whole.upTo(lookedTo);
  const rows = database
    .prepare(
      `SELECT * FROM audit
       WHERE ${range.where('?')}
         AND (?5 IS NULL OR player_id = ?5) AND (?6 IS NULL OR operation = ?6) AND (?7 IS NULL OR actor = ?7)
       ${range.orderBy} LIMIT ?8`,
    )
    .all(...range.values, playerId, operation, actor, limit + 1) as AuditRow[];
  return { records: rows.map(toRecord), lookedTo };
}

/** SQLite does not wait for another process that makes the file, or closes it, at the same moment. */
function connect(file: string, isShared: boolean): { database: Libsql.Database; mark: WalMark } {
  for (let attempt = 1; ; attempt += 1) {
    let database: Libsql.Database | undefined;
    try {
      createPrivateFile(file);
      // The version of the schema has the other number.
      const marks = openWalMark({ file, name: 'application_id' });
      marks.assertWhole();
      database = new Libsql(file);
      const busyTimeoutMs = isShared ? SHARED_BUSY_TIMEOUT_MS : BUSY_TIMEOUT_MS;
      database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL`);
      database.exec(`PRAGMA wal_autocheckpoint = ${MOST_TIMES * CHECKPOINT_PAGES}`);
      assertPlainSchema(database);
      const mark = marks.watch(database);
      migrate(database, isShared);
      return { database, mark };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!/locked/.test(reason) || attempt === MAX_OPENINGS) {
        if (database !== undefined) leaveOpen(database);
        throw new StartupError(`cannot use the audit log ${file}: ${describeDatabaseFault(error, file)}`, {
          cause: error,
        });
      }
      database?.close();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OPENING_PAUSE_MS);
    }
  }
}

/** Another process may open the file at the same time, so its version is read again once no other can change it. */
function migrate(database: Libsql.Database, isShared: boolean): void {
  if (versionOf(database) === MIGRATIONS.length) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    const version = versionOf(database);
    if (version > MIGRATIONS.length) {
      throw new Error(
        `it has version ${version}, but this program only knows versions up to ${MIGRATIONS.length}: use a newer respark`,
      );
    }
    if (version < MIGRATIONS.length && isShared && hasTable(database)) {
      throw new Error(
        `it has version ${version}, but this program needs ${MIGRATIONS.length}: start the server once first`,
      );
    }
    for (const statements of MIGRATIONS.slice(version)) database.exec(statements);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`);
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function versionOf(database: Libsql.Database): number {
  const [{ version }] = database.prepare('SELECT user_version AS version FROM pragma_user_version').all() as [
    { version: number },
  ];
  return version;
}

/** A file without the table is empty, and any process may create its schema. */
function hasTable(database: Libsql.Database): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'audit'").all().length > 0;
}
