import { setImmediate } from 'node:timers/promises';
import { type InsertObject, sql } from 'kysely';
import { ServiceError } from '../../errors.ts';
import type { Database, Query } from '../database.ts';
import type { Changed } from '../remembered.ts';
import type { Schema } from '../schema.ts';

/** The states of work that is still to be done. */
export const UNFINISHED = ['PENDING', 'IN_PROGRESS'] as const;

/**
 * Where a table's queries run: a write outside a transaction is a transaction of its own. A write that changes or
 * removes games, stages or access keys, directly or by a cascade, passes the id of each to `changed`, because look-ups
 * of these are remembered.
 */
export interface Scope extends Pick<Database, 'storedBytes'> {
  readonly read: Query;
  write<T>(work: (query: Query, changed: Changed) => Promise<T>): Promise<T>;
}

/** Bytes of a text, which the database knows without reading it. */
export function octetsOf(column: string) {
  return sql<number>`octet_length(${sql.ref(column)})`;
}

/** What `gameIdOf` adds to a row. */
export interface OfGame {
  readonly game_id: string;
}

/** The game of the stage that a row is about. The row goes with its stage. */
export function gameIdOf(table: 'deployments' | 'disconnect_jobs') {
  return sql<string>`(select game_id from stages where stages.id = ${sql.ref(`${table}.stage_id`)})`.as('game_id');
}

/** What a piece of work has as `claims` once this owner has claimed it. */
export function claimsOnceClaimedBy(owner: string) {
  return sql<number>`case when claimed_by = ${owner} then claims else claims + 1 end`;
}

/** Counts the claim of this owner on an unfinished piece of work no longer. */
export async function leaveClaim(
  { write }: Scope,
  table: 'deployments' | 'generated_code_jobs',
  { id, owner }: { readonly id: string; readonly owner: string },
): Promise<void> {
  await write((query) =>
    query
      .updateTable(table)
      .set((row) => ({ claims: row('claims', '-', 1) }))
      .where('id', '=', id)
      .where('claimed_by', '=', owner)
      .where('state', 'in', UNFINISHED)
      .where('claims', '>', 0)
      .execute(),
  );
}

/**
 * Inserts the row, or throws `conflict` when it would break a uniqueness. The statement itself then does nothing rather
 * than fail, because in PostgreSQL an error would end the transaction.
 */
export async function insertUnique<T extends keyof Schema>(
  { write }: Scope,
  table: T,
  row: InsertObject<Schema, T>,
  conflictMessage: string,
): Promise<void> {
  const { numInsertedOrUpdatedRows } = await write((query) =>
    query
      .insertInto(table)
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow(),
  );
  if (numInsertedOrUpdatedRows === 0n) throw new ServiceError('conflict', conflictMessage);
}

/** To remove this many small rows takes about a millisecond. */
const REMOVED_AT_ONCE = 200;

/** Removes what a stage has in the table, some at a time, so that other calls get their turn. */
export async function removeOfStage(
  { write }: Scope,
  table: 'deployments' | 'runtimes',
  stageId: string,
): Promise<void> {
  for (;;) {
    const { numDeletedRows } = await write((query) => {
      const some = query.selectFrom(table).select('id').where('stage_id', '=', stageId).limit(REMOVED_AT_ONCE);
      return query.deleteFrom(table).where('id', 'in', some).executeTakeFirstOrThrow();
    });
    if (numDeletedRows === 0n) return;
    await setImmediate();
  }
}
