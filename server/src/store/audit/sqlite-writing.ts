import type Libsql from 'libsql';
import { outcomeText } from '../../audit-chain.ts';
import type { AuditCause, AuditRecord } from './audit-log.ts';
import { addToBatch, type Batch, kindOf } from './chain-rows.ts';
import type { LateOutcome } from './journal.ts';
import { type AuditRow, toRow } from './rows.ts';
import type { SqliteChain } from './sqlite-chain.ts';

/** Rows of one statement. To run a statement costs a third of what it costs to insert a row by itself. */
const INSERTED_AT_ONCE = 16;

export interface Written {
  readonly records: number;
  readonly lateOutcomes: number;
  /** How much text the transaction has written. */
  readonly characters: number;
}

/** Some of the records are in the file already, as after a kill between a commit and the end of the journal. */
class AlreadyThere extends Error {}

/**
 * Returns a function that writes records, then outcomes, and their items of the chain, in one transaction until `isTimeUp`.
 * To look for each record before it is written would cost as much as to write it, so that is done only after a collision.
 */
export function createWriting(database: Libsql.Database, chain: SqliteChain) {
  const transact = createTransact(database);
  const insertOf = (rows: number) =>
    database.prepare(
      `INSERT INTO audit (at, request_id, cause, actor, source_address, operation, resource, player_id, details, outcome,
         intent_link, outcome_link)
       VALUES ${Array(rows).fill('(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join(', ')} ON CONFLICT (at, request_id) DO NOTHING`,
    );
  const insert = insertOf(1);
  const insertMany = insertOf(INSERTED_AT_ONCE);
  const select = database.prepare(
    'SELECT cause, outcome IS NULL AS is_open FROM audit WHERE at = ? AND request_id = ?',
  );
  const update = database.prepare('UPDATE audit SET outcome = ?, outcome_link = ? WHERE at = ? AND request_id = ?');
  const find = (at: number, requestId: string) =>
    (select.all(at, requestId) as { cause: AuditCause; is_open: number }[])[0];

  /** Writes an outcome that comes after its record, unless that has one already, or was removed meanwhile. */
  function complete(batch: Batch, at: number, requestId: string, outcome: string): void {
    const record = find(at, requestId);
    if (record?.is_open !== 1) return;
    update.run(outcome, batch.add(kindOf(record.cause), at, outcomeText(at, requestId, outcome)), at, requestId);
  }

  function insertNew(batch: Batch, rows: readonly AuditRow[]): number {
    const values = rows.map((row) => addToBatch(batch, row));
    const isFull = rows.length === INSERTED_AT_ONCE;
    let inserted = isFull ? insertMany.run(values.flat()).changes : 0;
    if (!isFull) for (const each of values) inserted += insert.run(each).changes;
    if (inserted < rows.length) throw new AlreadyThere();
    return values.reduce((sum, each) => sum + charactersOf(each), 0);
  }

  /** A record that is there already stays as it is, but gets an outcome that it lacks. */
  function insertOrComplete(batch: Batch, rows: readonly AuditRow[]): number {
    let characters = 0;
    for (const row of rows) {
      if (find(row.at, row.request_id) === undefined) characters += insertNew(batch, [row]);
      else if (row.outcome !== null) complete(batch, row.at, row.request_id, row.outcome);
    }
    return characters;
  }

  function attempt(
    insertRows: typeof insertNew,
    records: readonly AuditRecord[],
    lateOutcomes: readonly LateOutcome[],
    isTimeUp: () => boolean,
  ): Written {
    const written = { records: 0, lateOutcomes: 0, characters: 0 };
    const batch = chain.begin();
    while (written.records < records.length && (written.records === 0 || !isTimeUp())) {
      const rows = records.slice(written.records, written.records + INSERTED_AT_ONCE).map(toRow);
      written.characters += insertRows(batch, rows);
      written.records += rows.length;
    }
    for (const { at, requestId, outcome } of lateOutcomes) {
      if (written.records + written.lateOutcomes > 0 && isTimeUp()) break;
      complete(batch, at, requestId, JSON.stringify(outcome));
      written.lateOutcomes += 1;
    }
    chain.commit(batch);
    return written;
  }

  return (
    records: readonly AuditRecord[],
    lateOutcomes: readonly LateOutcome[],
    isTimeUp: () => boolean = () => false,
  ): Written => {
    try {
      return transact(() => attempt(insertNew, records, lateOutcomes, isTimeUp));
    } catch (error) {
      if (!(error instanceof AlreadyThere)) throw error;
      return transact(() => attempt(insertOrComplete, records, lateOutcomes, isTimeUp));
    }
  };
}

/** Runs `work` in a transaction that no other process writes in. */
export function createTransact(database: Libsql.Database): <T>(work: () => T) => T {
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');
  return (work) => {
    // A prepared statement that finds the file locked would hold on to what it has read, and so would every query after it.
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      commit.run();
      return result;
    } catch (error) {
      if (database.inTransaction) rollback.run();
      throw error;
    }
  };
}

function charactersOf(values: readonly (string | number | null)[]): number {
  return values.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 0), 0);
}
