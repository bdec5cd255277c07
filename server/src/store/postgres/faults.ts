import pg from 'pg';
import { ServiceError } from '../../errors.ts';

const RETRY_AFTER_MS = 1_000;

/**
 * The SQLSTATE classes and codes of failures that pass: the connection (08), resources (53), the intervention of an
 * operator or a fail-over (57), the system (58), conflicts of transactions (40), a lock that was not given in time, a
 * transaction that was idle for too long, and a server that has become a standby.
 */
const PASSING = /^(?:08|53|57|58|40|55P03$|25P03$|25006$)/;
/** A serialization failure, a deadlock, and a key that another transaction has inserted first. */
const CONFLICT = /^(?:40001|40P01|23505)$/;
/** A lock timeout, or a cancelled statement. */
const TOO_LATE = /^(?:55P03|57014)$/;

function codeOf(error: unknown): string {
  const cause = error instanceof ServiceError ? error.cause : error;
  return cause instanceof pg.DatabaseError ? (cause.code ?? '') : '';
}

/** Whether the same statement may succeed later; false for a bug. */
export function isPassing(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return PASSING.test(codeOf(error));
  // All other errors are those of the driver about its connections, and programming errors.
  return error instanceof Error && !(error instanceof TypeError) && !(error instanceof RangeError);
}

/** Whether a transaction failed only because of another at the same time, so that it may be repeated at once. */
export function isConflictOfTransactions(error: unknown): boolean {
  return CONFLICT.test(codeOf(error));
}

/** Whether the database has as many connections as it, or its user, may have. */
export function isWithoutRoom(error: unknown): boolean {
  return codeOf(error) === '53300';
}

/** Whether the statement was given up because it took too long, most likely because it waited for a lock. */
export function isTooLate(error: unknown): boolean {
  return TOO_LATE.test(codeOf(error));
}

/** Whether the statement was given up because another session held a lock for too long. */
export function isLockTimeout(error: unknown): boolean {
  return codeOf(error) === '55P03';
}

/** What is wrong, as a part of a sentence. Neither the driver nor the server puts a password into an error. */
export function describeFault(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describeFault(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' ? `${error.message} (${code})` : error.message;
}

/** The code of a failed migration → what to do about it. */
const MIGRATION_ADVICE: readonly (readonly [code: RegExp, advice: string])[] = [
  [/^42501$/, 'make the user the owner of the database and its tables, or GRANT it CREATE on the schema'],
  [TOO_LATE, 'end the session that holds a lock on its tables, which pg_stat_activity shows, and start again'],
  [
    /^25006$/,
    'it can only be read: have RESPARK_DATABASE_URL name the primary, and default_transaction_read_only be off for the user there',
  ],
  [/^3F000$/, 'make a schema that the search_path of the user names'],
  [/^53/, 'give the database server more of what it lacks, and start again'],
  [/^42(?:P06|P07|710)$/, 'use a database in which no other program has tables'],
];

/** The code of a connection that was refused → what to do about it. */
const CONNECTION_ADVICE: readonly (readonly [code: RegExp, advice: string])[] = [
  [/^28/, 'check the user and the password in RESPARK_DATABASE_URL, and pg_hba.conf of the server'],
  [/^3D000$/, 'make it with "createdb -E UTF8", or name another in RESPARK_DATABASE_URL'],
  [
    /^53300$/,
    'end other sessions, or raise the limit that is reached: max_connections of the server, or CONNECTION LIMIT of the database or user',
  ],
  // The server has answered. On a full disk it refuses a connection with the code of an internal error.
  [/^(?:53|58|XX)/, 'see the log of the database server, and whether its disk is full'],
  [/^57/, 'see the log of the database server, which is starting, stopping or recovering'],
];

/** Why a connection could not be opened and what to do. */
export function describeConnectionFault(error: unknown): string {
  const [, advice] = CONNECTION_ADVICE.find(([pattern]) => pattern.test(codeOf(error))) ?? [];
  return `${describeFault(error)}: ${advice ?? 'check RESPARK_DATABASE_URL, and whether the server runs and lets this machine in'}`;
}

/** Why a migration failed and what to do; undefined when the database is not at fault. */
export function describeMigrationFault(error: unknown): string | undefined {
  const cause = error instanceof ServiceError ? (error.cause ?? error) : error;
  if (!(cause instanceof pg.DatabaseError) && !(error instanceof ServiceError)) return undefined;
  const code = codeOf(error);
  const [, advice] = MIGRATION_ADVICE.find(([pattern]) => pattern.test(code)) ?? [];
  return `${describeFault(cause)}: ${advice ?? 'see the log of the database server, and start again'}`;
}

/** The error that callers get. A failure that passes becomes one that may be tried again; any other stays as it is. */
export function failureOf(error: unknown): unknown {
  if (error instanceof ServiceError || !isPassing(error)) return error;
  const what = codeOf(error) === '53100' ? 'the disk of the database is full' : 'the database cannot be reached';
  return unavailable(what, error);
}

export function unavailable(what: string, cause?: unknown): ServiceError {
  return new ServiceError('internal', `${what}: try again`, { cause, retryAfterMs: RETRY_AFTER_MS });
}
