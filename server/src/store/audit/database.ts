import Libsql from 'libsql';
import { createPrivateFile, describeDatabaseFault } from '../../data-directory/private-file.ts';
import { isReadOnly } from '../../file-fault.ts';
import { andThen, type MaybePromise } from '../../maybe-promise.ts';
import { StartupError } from '../../startup-error.ts';
import { openWalMark, type WalMark } from '../wal-mark.ts';
import type { AuditCause, AuditOutcome, AuditPosition, AuditQuery, AuditRecord } from './audit-log.ts';
import { createCheckpoints } from './checkpoints.ts';
import { type LateOutcome, toOutcome } from './journal.ts';

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
/** Removing these takes a millisecond, in which nothing else runs. */
const REMOVED_AT_ONCE = 500;
/** Rows of one statement. To run a statement costs a third of what it costs to insert a row by itself. */
const INSERTED_AT_ONCE = 16;
/** How many records one query looks at, which takes some milliseconds. The process does nothing else meanwhile. */
const LOOKED_AT_ONCE = 5_000;
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
];

/** The version that this program's migrations lead to. */
export const AUDIT_VERSION = MIGRATIONS.length;

interface Row {
  request_id: string;
  at: number;
  actor: string;
  source_address: string;
  operation: string;
  resource: string;
  player_id: string | null;
  outcome: string | null;
  cause: AuditCause;
  details: string | null;
}

export interface AuditDatabase {
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
  removeSomeBefore(at: number): boolean;
  /** The same of records of scripts, of this time and later too if they have their outcome. */
  removeSomeOfScripts(at: number): boolean;
  /**
   * Waits for the end of a checkpoint that is under way. What is written meanwhile is as safe as ever, but until the end
   * a copy of the file alone would not tell that it lacks it.
   */
  checkpointed(): MaybePromise<void>;
  /** Closes the file, with everything in the file itself. Waits for a checkpoint that is under way. */
  close(): MaybePromise<void>;
}

/**
 * Opens an SQLite file in WAL mode with `synchronous=NORMAL`: what is written survives kill -9, but perhaps not a loss
 * of power. With `isShared` the file is opened beside its server, and a schema of another version is a `StartupError`.
 */
export function openAuditDatabase({
  file,
  isShared,
  checkpointPages = CHECKPOINT_PAGES,
}: {
  file: string;
  isShared: boolean;
  checkpointPages?: number;
}): AuditDatabase {
  const { database, mark } = connect(file, isShared);
  const checkpoints = createCheckpoints({ file, pages: checkpointPages, settled: mark.committed });
  const insertOf = (rows: number) =>
    database.prepare(
      `INSERT INTO audit (at, request_id, cause, actor, source_address, operation, resource, player_id, details, outcome)
       VALUES ${Array(rows).fill('(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join(', ')}
       ON CONFLICT (at, request_id) DO UPDATE SET outcome = coalesce(excluded.outcome, outcome)`,
    );
  const insert = insertOf(1);
  const insertMany = insertOf(INSERTED_AT_ONCE);
  const update = database.prepare('UPDATE audit SET outcome = ? WHERE at = ? AND request_id = ?');
  const select = database.prepare('SELECT 1 FROM audit WHERE at = ? AND request_id = ?');
  const newest = database.prepare('SELECT at FROM audit ORDER BY at DESC LIMIT 1');
  // Records are removed in steps, so that years of them do not hold up the calls in between.
  const removalOf = (condition: string) => {
    const remove = database.prepare(
      `DELETE FROM audit WHERE (at, request_id) IN
         (SELECT at, request_id FROM audit WHERE ${condition} ORDER BY at, request_id LIMIT ${REMOVED_AT_ONCE})`,
    );
    return (at: number) => {
      const isSome = remove.run(at).changes > 0;
      if (isSome) checkpoints.committed(REMOVED_AT_ONCE / RECORDS_OF_PAGE);
      return isSome;
    };
  };
  const size = database.prepare(
    `SELECT (page_count - freelist_count) * page_size AS bytes
     FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
  );
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');

  return {
    write(records, lateOutcomes, isTimeUp = () => false) {
      const written = { records: 0, lateOutcomes: 0 };
      let characters = 0;
      begin.run();
      try {
        while (written.records < records.length && (written.records === 0 || !isTimeUp())) {
          const rows = records.slice(written.records, written.records + INSERTED_AT_ONCE).map(valuesOf);
          if (rows.length === INSERTED_AT_ONCE) insertMany.run(rows.flat());
          else for (const row of rows) insert.run(row);
          for (const row of rows) characters += charactersOf(row);
          written.records += rows.length;
        }
        for (const { at, requestId, outcome } of lateOutcomes) {
          if (written.records + written.lateOutcomes > 0 && isTimeUp()) break;
          update.run(JSON.stringify(outcome), at, requestId);
          written.lateOutcomes += 1;
        }
        commit.run();
      } catch (error) {
        if (database.inTransaction) rollback.run();
        throw error;
      }
      checkpoints.committed(characters / TEXT_OF_PAGE + written.lateOutcomes);
      return written;
    },
    has: ({ at, requestId }) => select.all(at, requestId).length > 0,
    newestAt: () => (newest.all()[0] as { at: number } | undefined)?.at,
    find: (query) => find(database, query),
    bytes: () => (size.all()[0] as { bytes: number }).bytes,
    removeSomeBefore: removalOf('at < ?'),
    removeSomeOfScripts: removalOf("cause = 'script' AND (at < ? OR outcome IS NOT NULL)"),
    checkpointed: checkpoints.end,
    close: () =>
      andThen(checkpoints.end(), () => {
        // Left open, the connection leaves the WAL where it is when the process ends.
        if (!mark.mayClose()) return;
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

/**
 * Looks from one place in the primary key to another, neither sorting nor scanning beyond that. SQLite makes a range of one
 * lower and one upper bound only: an `OR`, or a second bound, would have it read everything before or behind, page by page.
 */
function find(database: Libsql.Database, query: AuditQuery): ReturnType<AuditDatabase['find']> {
  const { playerId = null, operation = null, actor = null, since = 0, until = Number.MAX_SAFE_INTEGER } = query;
  const { order, after, limit } = query;
  const isAscending = order === 'oldest_first';
  const inOrder = isAscending ? 'ORDER BY at, request_id' : 'ORDER BY at DESC, request_id DESC';
  // No request id sorts before the empty one.
  let lower = { than: '>=', at: since, requestId: '' };
  let upper = { than: '<', at: until, requestId: '' };
  if (after !== undefined && isAscending) lower = { than: '>', ...after };
  else if (after !== undefined) upper = { than: '<', ...after };
  const range = () => `(at, request_id) ${lower.than} (?1, ?2) AND (at, request_id) ${upper.than} (?3, ?4)`;
  const bounds = () => [lower.at, lower.requestId, upper.at, upper.requestId];

  const [end] = database
    .prepare(`SELECT at, request_id FROM audit WHERE ${range()} ${inOrder} LIMIT 1 OFFSET ${LOOKED_AT_ONCE - 1}`)
    .all(...bounds()) as Pick<Row, 'at' | 'request_id'>[];
  const lookedTo = end && { at: end.at, requestId: end.request_id };
  if (lookedTo !== undefined && isAscending) upper = { than: '<=', ...lookedTo };
  else if (lookedTo !== undefined) lower = { than: '>=', ...lookedTo };
  const rows = database
    .prepare(
      `SELECT * FROM audit
       WHERE ${range()}
         AND (?5 IS NULL OR player_id = ?5) AND (?6 IS NULL OR operation = ?6) AND (?7 IS NULL OR actor = ?7)
       ${inOrder} LIMIT ?8`,
    )
    .all(...bounds(), playerId, operation, actor, limit + 1) as Row[];
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
      const mark = marks.watch(database);
      migrate(database, isShared);
      return { database, mark };
    } catch (error) {
      database?.close();
      const reason = error instanceof Error ? error.message : String(error);
      if (!/locked/.test(reason) || attempt === MAX_OPENINGS) {
        throw new StartupError(`cannot use the audit log ${file}: ${describeDatabaseFault(error, file)}`, {
          cause: error,
        });
      }
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

function valuesOf(record: AuditRecord): (string | number | null)[] {
  const { at, requestId, cause, actor, sourceAddress, operation, resource, playerId, details, outcome } = record;
  const json = (value: object | undefined) => (value === undefined ? null : JSON.stringify(value));
  const nullable = [playerId ?? null, json(details), json(outcome)];
  return [at, requestId, cause, actor, sourceAddress, operation, resource, ...nullable];
}

function charactersOf(values: readonly (string | number | null)[]): number {
  return values.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 0), 0);
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
