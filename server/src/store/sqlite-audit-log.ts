import Libsql from 'libsql';
import { createPrivateFile } from '../private-file.ts';
import { StartupError } from '../startup-error.ts';
import type { AuditLog, AuditOutcome, AuditRecord } from './audit-log.ts';

/** Records that may wait to be written; beyond that `begin` rejects, and its call is refused. */
const MAX_WAITING = 10_000;
/** Only a foreign tool ever holds the write lock, and SQLite's wait for it blocks the whole process. */
const BUSY_TIMEOUT_MS = 100;
const REMOVED_AT_ONCE = 1_000;
/** Writing the log's pages to their place synchronises the disk, which holds everybody up: rarely, at 40 MB. */
const CHECKPOINT_PAGES = 10_000;

/** In order of time without another index: each write changes the last page only. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS audit (
    at INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    access_key_id TEXT NOT NULL,
    source_address TEXT NOT NULL,
    operation TEXT NOT NULL,
    resource TEXT NOT NULL,
    player_id TEXT,
    outcome TEXT,
    PRIMARY KEY (at, request_id)
  ) STRICT, WITHOUT ROWID;
`;

interface Row {
  request_id: string;
  at: number;
  access_key_id: string;
  source_address: string;
  operation: string;
  resource: string;
  player_id: string | null;
  outcome: string | null;
}

interface Waiting {
  readonly write: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * An SQLite file in WAL mode with `synchronous=NORMAL`: a record is in the operating system's hands when its write
 * resolves, so it survives a kill -9, though not a loss of power; that costs a fraction of a full synchronisation.
 */
export function openSqliteAuditLog({ file }: { file: string }): AuditLog {
  const database = connect(file);
  const insert = database.prepare(
    'INSERT INTO audit (at, request_id, access_key_id, source_address, operation, resource, player_id) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const update = database.prepare('UPDATE audit SET outcome = ? WHERE at = ? AND request_id = ?');
  const { enqueue, whenFlushed } = createBatches(database);

  return {
    begin: ({ requestId, at, accessKeyId, sourceAddress, operation, resource, playerId }) =>
      enqueue(() =>
        insert.run(
          at,
          requestId,
          accessKeyId,
          sourceAddress,
          operation,
          resource,
          playerId === undefined ? null : playerId,
        ),
      ),

    finish: ({ at, requestId }, outcome) =>
      enqueue(() => {
        const { changes } = update.run(JSON.stringify(outcome), at, requestId);
        if (changes !== 1) throw new Error(`no audit record ${requestId} to complete`);
      }),

    async find({ playerId, operation, since, limit }) {
      const rows = database
        .prepare(
          `SELECT * FROM audit
           WHERE at >= ?1 AND (?2 IS NULL OR player_id = ?2) AND (?3 IS NULL OR operation = ?3)
           ORDER BY at DESC, request_id DESC LIMIT ?4`,
        )
        .all(since ?? 0, playerId ?? null, operation ?? null, limit) as Row[];
      return rows.reverse().map(toRecord);
    },

    async removeBefore(at) {
      // In steps, so that calls in between are not held up by years of records.
      const remove = database.prepare(
        `DELETE FROM audit WHERE (at, request_id) IN
           (SELECT at, request_id FROM audit WHERE at < ? ORDER BY at LIMIT ${REMOVED_AT_ONCE})`,
      );
      while (database.open && remove.run(at).changes > 0) await new Promise((resolve) => setImmediate(resolve));
    },

    probe: () => enqueue(() => database.exec('PRAGMA user_version = 0')),

    async close() {
      await whenFlushed();
      if (!database.open) return;
      // The binding lets go of the file when its statements are collected; until then the file alone is complete.
      database.exec('PRAGMA wal_checkpoint(PASSIVE)');
      database.close();
    },
  };
}

/** Writes that come in the same turn of the event loop are one transaction: all of them or none. */
function createBatches(database: Libsql.Database) {
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;

  function enqueue(write: () => void): Promise<void> {
    if (waiting.length >= MAX_WAITING) return Promise.reject(new Error(`${MAX_WAITING} audit records wait already`));
    flushing ??= new Promise((resolve) => {
      setImmediate(() => {
        flush();
        resolve();
      });
    });
    return new Promise((resolve, reject) => void waiting.push({ write, resolve, reject }));
  }

  function flush(): void {
    const batch = waiting;
    waiting = [];
    flushing = undefined;
    try {
      // Its statements would go on working.
      if (!database.open) throw new Error('the audit log is closed');
      write(batch);
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const { resolve } of batch) resolve();
  }

  function write(batch: readonly Waiting[]): void {
    // A statement by itself is a transaction, at half of the cost.
    const [only] = batch;
    if (only !== undefined && batch.length === 1) {
      only.write();
      return;
    }
    begin.run();
    try {
      for (const { write } of batch) write();
      commit.run();
    } catch (error) {
      if (database.inTransaction) rollback.run();
      throw error;
    }
  }

  return { enqueue, whenFlushed: async () => await flushing };
}

function connect(file: string): Libsql.Database {
  let database: Libsql.Database | undefined;
  try {
    createPrivateFile(file);
    database = new Libsql(file);
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL`);
    database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; ${SCHEMA}`);
    return database;
  } catch (error) {
    database?.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(`cannot use the audit log ${file}: ${reason}`, { cause: error });
  }
}

function toRecord(row: Row): AuditRecord {
  return {
    requestId: row.request_id,
    at: row.at,
    accessKeyId: row.access_key_id,
    sourceAddress: row.source_address,
    operation: row.operation,
    resource: row.resource,
    playerId: row.player_id ?? undefined,
    outcome: row.outcome === null ? undefined : (JSON.parse(row.outcome) as AuditOutcome),
  };
}
