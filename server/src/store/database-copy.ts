import { accessSync, constants, copyFileSync, existsSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Libsql from 'libsql';
import { createPrivateFile, describeDatabaseFault } from '../data-directory/private-file.ts';
import { StartupError } from '../startup-error.ts';
import { excerpt, MAX_SENTENCE_CHARACTERS } from '../text.ts';
import { AUDIT_VERSION } from './audit/database.ts';
import { EVENTS_VERSION } from './events/sqlite.ts';
import { SCHEMA_VERSION } from './migrations/migrate.ts';
import { assertPlainSchema } from './plain-schema.ts';
import { PLAYER_DATA_VERSION } from './player-data/sqlite.ts';
import { STAGE_LOGS_VERSION } from './stage-logs/sqlite.ts';
import { closeWhole, leaveOpen, markWhole, openWalMark } from './wal-mark.ts';

/** A copy begins at a moment at which nothing else writes the beginning of the WAL, so a wait is short. */
const BUSY_TIMEOUT_MS = 5_000;

/** What there is to know of a database to copy it, and to judge a copy of it. */
export interface DatabaseForm {
  /** Where `wal-mark.ts` keeps its mark. */
  readonly mark: 'user_version' | 'application_id';
  /** Returns the version of its schema. */
  readonly version: string;
  /** The newest version that this program knows. */
  readonly newest: number;
}

export const STORE_FORM: DatabaseForm = {
  mark: 'user_version',
  version: 'SELECT max(version) AS version FROM schema_version',
  newest: SCHEMA_VERSION,
};

const BY_USER_VERSION = {
  mark: 'application_id',
  version: 'SELECT user_version AS version FROM pragma_user_version',
} as const;

export const AUDIT_FORM: DatabaseForm = { ...BY_USER_VERSION, newest: AUDIT_VERSION };
export const PLAYER_DATA_FORM: DatabaseForm = { ...BY_USER_VERSION, newest: PLAYER_DATA_VERSION };
export const EVENTS_FORM: DatabaseForm = { ...BY_USER_VERSION, newest: EVENTS_VERSION };
export const STAGE_LOGS_FORM: DatabaseForm = { ...BY_USER_VERSION, newest: STAGE_LOGS_VERSION };

/**
 * Copies a database to `to`, as it is at one moment not before the call, while other processes go on writing it. The
 * copy is private, has no WAL, and is no larger than what is in it. Throws a `StartupError` for one without its WAL.
 */
export function copyDatabase({ form, from, to }: { form: DatabaseForm; from: string; to: string }): void {
  if (isReadOnly(dirname(from))) copyReadOnly({ form, from, to });
  else vacuum({ form, from, to });
}

/** SQLite cannot open a database where it cannot write. But nothing else writes there either, so files may be copied. */
function copyReadOnly({ form, from, to }: { form: DatabaseForm; from: string; to: string }): void {
  const source = `${to}.source`;
  try {
    for (const suffix of ['', '-wal']) {
      if (existsSync(`${from}${suffix}`)) copyFileSync(`${from}${suffix}`, `${source}${suffix}`);
    }
    vacuum({ form, from: source, to });
  } finally {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${source}${suffix}`, { force: true });
  }
}

function isReadOnly(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return false;
  } catch (error) {
    return Object(error).code === 'EROFS';
  }
}

function vacuum({ form, from, to }: { form: DatabaseForm; from: string; to: string }): void {
  let connection: Libsql.Database | undefined;
  try {
    const marks = openWalMark({ file: from, name: form.mark });
    marks.assertWhole();
    connection = new Libsql(from);
    connection.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    assertPlainSchema(connection);
    marks.watch(connection);
    createPrivateFile(to);
    connection.exec(`VACUUM INTO '${to.replaceAll("'", "''")}'`);
    closeWhole(connection, form.mark);
  } catch (error) {
    if (connection !== undefined) leaveOpen(connection);
    throw new StartupError(`cannot copy the database ${from}: ${describeDatabaseFault(error, from, to)}`, {
      cause: error,
    });
  }
}

/**
 * Checks every page of a copy, and marks it as whole: one that was made just when the mark changed says that it has lost its
 * WAL. Returns the version of its schema. Throws a `StartupError` when the file is damaged, is not such a database, or is newer
 * than this program.
 */
export function examineDatabase({ form, file }: { form: DatabaseForm; file: string }): number {
  let connection: Libsql.Database | undefined;
  try {
    connection = new Libsql(file);
    assertPlainSchema(connection);
    const faults = connection.prepare('PRAGMA integrity_check(1)').all() as { integrity_check: string }[];
    if (faults[0]?.integrity_check !== 'ok')
      throw new Error(`it is damaged: ${excerpt(String(faults[0]?.integrity_check), MAX_SENTENCE_CHARACTERS)}`);
    const [{ version }] = connection.prepare(form.version).all() as [{ version: number | null }];
    if (version !== null && version <= form.newest) {
      markWhole(connection, form.mark);
      return version;
    }
    throw new Error(
      `it has version ${version}, but this program only knows versions up to ${form.newest}: use a newer respark`,
    );
  } catch (error) {
    throw new StartupError(`cannot use ${file}: ${describeDatabaseFault(error, file)}`, { cause: error });
  } finally {
    connection?.close();
  }
}

/**
 * Throws a `StartupError` when a database is damaged, which may be in use by a server. Changes nothing, and leaves its connection
 * open, because to close it could move the WAL into the file.
 */
export function assertUndamaged(file: string): void {
  try {
    const connection = new Libsql(file, { readonly: true, fileMustExist: true });
    leaveOpen(connection);
    assertPlainSchema(connection);
    const faults = connection.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
    if (faults[0]?.quick_check !== 'ok')
      throw new Error(
        `it is damaged: ${excerpt(String(faults[0]?.quick_check), MAX_SENTENCE_CHARACTERS)}: restore a backup`,
      );
  } catch (error) {
    throw new StartupError(`cannot use ${file}: ${describeDatabaseFault(error, file)}`, { cause: error });
  }
}

/** The version of a schema older than this program's; undefined for any other, and when there is no schema yet. */
export function findOutdated({ form, file }: { form: DatabaseForm; file: string }): number | undefined {
  if (!existsSync(file)) return undefined;
  const marks = openWalMark({ file, name: form.mark });
  let connection: Libsql.Database | undefined;
  try {
    marks.assertWhole();
    connection = new Libsql(file);
    assertPlainSchema(connection);
    marks.watch(connection);
    const version = findVersion(connection, form);
    closeWhole(connection, form.mark);
    return version !== undefined && version < form.newest ? version : undefined;
  } catch {
    // Opening it for the server says what is wrong. To close it could move a WAL into it that is not of the same time.
    if (connection !== undefined) leaveOpen(connection);
    return undefined;
  }
}

function findVersion(connection: Libsql.Database, form: DatabaseForm): number | undefined {
  if (connection.prepare('SELECT 1 FROM sqlite_schema').all().length === 0) return undefined;
  const [{ version }] = connection.prepare(form.version).all() as [{ version: number | null }];
  return version ?? undefined;
}

/** An upper bound of the bytes that a copy needs. */
export function sizeOfDatabase(file: string): number {
  const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return size(file) + size(`${file}-wal`);
}
