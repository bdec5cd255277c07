import Libsql from 'libsql';
import { createPrivateFile } from '../private-file.ts';
import { StartupError } from '../startup-error.ts';
import type { AuditLog, AuditOutcome, AuditRecord } from './audit-log.ts';

/** Records that may wait to be written; beyond that `begin` rejects, and its call is refused. */
const MAX_WAITING = 10_000;
const BUSY_TIMEOUT_MS = 1_000;
const REMOVED_AT_ONCE = 1_000;

/**
 * Rows are only ever appended, an intent and later its outcome, so that a write touches one page: nothing is indexed but
 * the order, which is that of time, and whoever reads the log looks back from its end.
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS audit (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    access_key_id TEXT,
    source_address TEXT,
    operation TEXT,
    resource TEXT,
    player_id TEXT,
    outcome TEXT
  ) STRICT
`;

const INSERT_INTENT = `
  INSERT INTO audit (request_id, at, access_key_id, source_address, operation, resource, player_id)
  VALUES (?, ?, ?, ?, ?, ?, ?)
`;

const FIND = `
  SELECT intent.*, (
    SELECT later.outcome FROM audit AS later
    WHERE later.seq > intent.seq AND later.request_id = intent.request_id AND later.outcome IS NOT NULL
    ORDER BY later.seq LIMIT 1
  ) AS found_outcome
  FROM audit AS intent
  WHERE intent.seq >= ?1 AND intent.outcome IS NULL
    AND (?2 IS NULL OR intent.player_id = ?2) AND (?3 IS NULL OR intent.operation = ?3)
  ORDER BY intent.seq DESC LIMIT ?4
`;

interface Row {
  request_id: string;
  at: number;
  access_key_id: string;
  source_address: string;
  operation: string;
  resource: string;
  player_id: string | null;
  found_outcome: string | null;
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
  const insertIntent = database.prepare(INSERT_INTENT);
  const insertOutcome = database.prepare('INSERT INTO audit (request_id, at, outcome) VALUES (?, ?, ?)');
  const seqRange = database.prepare('SELECT min(seq) AS low, max(seq) AS high FROM audit');
  const atFrom = database.prepare('SELECT at FROM audit WHERE seq >= ? ORDER BY seq LIMIT 1');
  const find = database.prepare(FIND);
  const removeStep = database.prepare(
    `DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE seq < ? ORDER BY seq LIMIT ${REMOVED_AT_ONCE})`,
  );
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;

  /** Joins the batch that is written when this turn of the event loop is over. */
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
      writeTogether(batch);
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const { resolve } of batch) resolve();
  }

  function writeTogether(batch: readonly Waiting[]): void {
    const [first] = batch;
    // One statement is a transaction by itself.
    if (batch.length === 1 && first !== undefined) {
      first.write();
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

  /** Where the records at or after a time begin: looked for by halves, since the order of rows is that of time. */
  function firstSeqAt(at: number): number {
    const { low, high } = seqRange.get() as { low: number | null; high: number | null };
    let from = low ?? 0;
    let to = (high ?? 0) + 1;
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      const row = atFrom.get(middle) as { at: number } | undefined;
      if (row !== undefined && row.at < at) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  return {
    begin: ({ requestId, at, accessKeyId, sourceAddress, operation, resource, playerId = null }) =>
      enqueue(() => insertIntent.run(requestId, at, accessKeyId, sourceAddress, operation, resource, playerId)),

    finish: (requestId, outcome) => enqueue(() => insertOutcome.run(requestId, outcome.at, JSON.stringify(outcome))),

    async find({ playerId = null, operation = null, since, limit }) {
      const rows = find.all(since === undefined ? 0 : firstSeqAt(since), playerId, operation, limit) as Row[];
      return rows.reverse().map(toRecord);
    },

    async removeBefore(at) {
      const end = firstSeqAt(at);
      // In steps, so that calls in between are not held up by years of records.
      while (removeStep.run(end).changes > 0) await new Promise((resolve) => setImmediate(resolve));
    },

    async close() {
      await flushing;
      if (database.open) database.close();
    },
  };
}

function connect(file: string): Libsql.Database {
  let database: Libsql.Database | undefined;
  try {
    createPrivateFile(file);
    database = new Libsql(file);
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL`);
    database.exec(SCHEMA);
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
    outcome: row.found_outcome === null ? undefined : (JSON.parse(row.found_outcome) as AuditOutcome),
  };
}
