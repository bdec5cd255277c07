import Libsql from 'libsql';
import { createPrivateFile } from '../../data-directory/private-file.ts';
import { StartupError } from '../../startup-error.ts';
import type { AuditIntent, AuditOutcome, AuditQuery, AuditRecord } from './audit-log.ts';
import type { LateOutcome } from './journal.ts';

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

export interface AuditDatabase {
  /** All of them or none. What is there already stays, but for an outcome that was missing. */
  write(records: Iterable<AuditRecord>, lateOutcomes: Iterable<LateOutcome>): void;
  has(intent: Pick<AuditIntent, 'requestId' | 'at'>): boolean;
  /** Oldest first. */
  find(query: AuditQuery): AuditRecord[];
  /** Removes some of the records before this time; returns whether there were any. */
  removeSomeBefore(at: number): boolean;
  /** Leaves everything in the file itself. */
  close(): void;
}

/** An SQLite file in WAL mode with `synchronous=NORMAL`: it survives a kill -9, though not a loss of power. */
export function openAuditDatabase(file: string): AuditDatabase {
  const database = connect(file);
  const insert = database.prepare(
    `INSERT INTO audit (at, request_id, access_key_id, source_address, operation, resource, player_id, outcome)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (at, request_id) DO UPDATE SET outcome = coalesce(excluded.outcome, outcome)`,
  );
  const update = database.prepare('UPDATE audit SET outcome = ? WHERE at = ? AND request_id = ?');
  const select = database.prepare('SELECT 1 FROM audit WHERE at = ? AND request_id = ?');
  // In steps, so that calls in between are not held up by years of records.
  const remove = database.prepare(
    `DELETE FROM audit WHERE (at, request_id) IN
       (SELECT at, request_id FROM audit WHERE at < ? ORDER BY at LIMIT ${REMOVED_AT_ONCE})`,
  );
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');

  return {
    write(records, lateOutcomes) {
      begin.run();
      try {
        for (const { at, requestId, accessKeyId, sourceAddress, operation, resource, playerId, outcome } of records) {
          const nullable = [playerId ?? null, outcome === undefined ? null : JSON.stringify(outcome)];
          insert.run(at, requestId, accessKeyId, sourceAddress, operation, resource, ...nullable);
        }
        for (const { at, requestId, outcome } of lateOutcomes) update.run(JSON.stringify(outcome), at, requestId);
        commit.run();
      } catch (error) {
        if (database.inTransaction) rollback.run();
        throw error;
      }
    },
    has: ({ at, requestId }) => select.all(at, requestId).length > 0,
    find({ playerId, operation, since, limit }) {
      const rows = database
        .prepare(
          `SELECT * FROM audit
           WHERE at >= ?1 AND (?2 IS NULL OR player_id = ?2) AND (?3 IS NULL OR operation = ?3)
           ORDER BY at DESC, request_id DESC LIMIT ?4`,
        )
        .all(since ?? 0, playerId ?? null, operation ?? null, limit) as Row[];
      return rows.reverse().map(toRecord);
    },
    removeSomeBefore: (at) => remove.run(at).changes > 0,
    close() {
      // The binding lets go of the file when its statements are collected; until then the file alone is complete.
      try {
        database.exec('PRAGMA wal_checkpoint(PASSIVE)');
      } finally {
        database.close();
      }
    },
  };
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
