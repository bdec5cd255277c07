import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** Typed queries, either each on its own or all within one transaction. */
export type Query = Kysely<Schema>;

/** What the queries run on. All databases share one typed code path; a driver only has to keep these promises. */
export interface Database {
  /**
   * For reads outside a transaction; they see every write that was committed before, by this process or another. The
   * work of a transaction must not use it: the two would wait for each other for ever.
   */
  readonly query: Query;

  /**
   * Runs `work` once, while no other writer runs. Resolves with its result when everything it wrote is on disk. When
   * `work` rejects, writes nothing and rejects with the same reason. Rejects with a retryable
   * `ServiceError('internal')`, without calling `work`, when another process does not release the database in time. When
   * the connection to the database is lost, rejects so too; only where that happens at the commit, all may be written.
   */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;

  /**
   * A number that changes when another process, or another object over the same database, commits: from the moment at
   * which a query here could see that commit. Commits of this object's `transaction` leave it as it is, but for those after
   * which SQLite's file is marked (`wal-mark.ts`). What was read
   * by a query that began after one call still stands when a later call gives the same number, unless this object has
   * committed in between. Undefined where finding out would cost as much as reading.
   *
   * In PostgreSQL only commits that were announced change it, also those of this object, and it may do so up to a second
   * after the commit was answered. It is undefined while that cannot be kept.
   */
  foreignVersion(): number | undefined;

  /**
   * Has the commit of this transaction change the `foreignVersion` of other processes. To be called when the transaction
   * has changed what they may remember.
   */
  announce(query: Query): Promise<void>;

  /** Bytes of everything, without what was removed, as this query or transaction sees it. */
  storedBytes(query: Query): Promise<number>;

  /**
   * Brings the schema up to this program's version; several processes may try at once. Throws a `StartupError` when the
   * database is newer than the program.
   */
  migrate(): Promise<void>;

  /** Throws a `StartupError` unless the schema is at this program's version. Changes nothing. */
  assertMigrated(): Promise<void>;

  /** Waits for the running transaction, then releases the database. Later calls reject. */
  close(): Promise<void>;
}
