import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Libsql from 'libsql';
import { describeFileFault } from '../file-fault.ts';
import { createKeyring, type Keyring } from '../keyring.ts';
import { StartupError } from '../startup-error.ts';
import { RUNNING_FILE } from './local-files.ts';
import { createPrivateFile, movePrivateFile, readIfPresent, writePrivateFile } from './private-file.ts';
import { assertTrustworthy, readOwnFile, takeDirectory } from './rights.ts';
import {
  DATABASE_FILE,
  LEFT_RESTORE_DIRECTORY,
  LOCK_FILE,
  NEXT_SECRET_KEY_FILE,
  RESTORE_DIRECTORY,
  SECRET_KEY_FILE,
} from './server-files.ts';

/**
 * The one directory that holds everything a server keeps. Only its owner may enter it (0700), unless it is a mounted
 * volume of the superuser's, and every file is 0600.
 */
export interface DataDirectory {
  /** The absolute path of the directory. */
  readonly path: string;
  readonly keyring: Keyring;
  /**
   * The keyring that a rotation of the secret key leads to. While there is one, either may be that of the database,
   * because the rotation may have been interrupted.
   */
  readonly nextKeyring: Keyring | undefined;
  /**
   * Makes a secret key for a rotation and keeps it in the directory, unless there is one already; `given` replaces it.
   * Only where the secret key is in the directory.
   */
  prepareNextKeyring(given?: string): Keyring;
  /** Puts the prepared secret key in the place of the old one. The database must be sealed with it by then. */
  adoptNextKeyring(): void;
  /** What the operator should know about it. */
  readonly warnings: readonly string[];
  /** The absolute path of a file in the directory. */
  file(name: string): string;
  /** Undefined when there is no such file. */
  readFile(name: string): string | undefined;
  /** The same for a file that may have come since the directory was opened: another user's counts as none. */
  readOwnFile(name: string): string | undefined;
  /** Writes the whole file or nothing; the file is on disk when this returns. */
  writeSecretFile(name: string, text: string): void;
  /** Does nothing when there is no such file. */
  removeFile(name: string): void;
  /**
   * Whether its path still leads to the directory that was taken. If that was moved, deleted or covered by a mount, open files
   * can still be written, but their path no longer leads to them. While the path cannot be looked
   * at, it counts as in place.
   */
  isInPlace(): boolean;
  /** Lets the next server open the directory. */
  close(): void;
}

/**
 * Opens the data directory for a server: makes what is missing, and keeps every other server out until `close` or the
 * end of the process, however it ends. With `isShared` the directory is opened for a command beside a running server:
 * the command makes nothing, keeps no server out, and needs a database. With `isMade` the directory is opened for a
 * command that keeps servers out, and neither makes anything. `secretKey` is the setting; without it the key is in a
 * file in the directory, which is made only while there is no database. Throws a `StartupError` when anything fails.
 */
export function openDataDirectory(options: {
  path: string;
  secretKey?: string | undefined;
  /** The setting, which counts only beside `secretKey`. */
  nextSecretKey?: string | undefined;
  isShared?: boolean;
  isMade?: boolean;
  /** False when the store is elsewhere: then a command beside a server may do without a directory too. */
  hasStore?: boolean;
}): DataDirectory {
  const path = resolve(options.path);
  const { secretKey, nextSecretKey, isShared = false, hasStore = true, isMade = isShared && hasStore } = options;
  const file = (name: string) => join(path, name);
  const readFile = (name: string) => readIfPresent(file(name))?.toString();
  let unlock = () => {};
  let taken: string | undefined;
  let warnings: readonly string[] = [];
  try {
    if (isMade) findDataDirectory(path);
    else if (isShared && existsSync(path)) assertTrustworthy(path);
    if (!isShared) {
      warnings = takeDirectory(path);
      unlock = lock(path);
      taken = identityOf(file(LOCK_FILE));
      assertRestored(path);
    }
    const hasDatabase = existsSync(file(DATABASE_FILE));
    const keyringOf = (source: string, text: string) => createKeyring(parseSecretKey(source, text));
    const nextFile = file(NEXT_SECRET_KEY_FILE);
    const ofFile = (text: string | undefined) => (text === undefined ? undefined : keyringOf(nextFile, text));
    const ofSetting = (text: string | undefined) =>
      text === undefined ? undefined : keyringOf('RESPARK_NEXT_SECRET_KEY', text);
    return {
      path,
      warnings,
      keyring:
        secretKey === undefined
          ? keyringOf(file(SECRET_KEY_FILE), readFile(SECRET_KEY_FILE) ?? makeSecretKey(path, hasDatabase))
          : keyringOf('RESPARK_SECRET_KEY', secretKey),
      nextKeyring: secretKey === undefined ? ofFile(readFile(NEXT_SECRET_KEY_FILE)) : ofSetting(nextSecretKey),
      prepareNextKeyring(given) {
        const text = given ?? readFile(NEXT_SECRET_KEY_FILE) ?? newSecretKey();
        const keyring = keyringOf(given === undefined ? nextFile : 'RESPARK_NEXT_SECRET_KEY', text);
        writePrivateFile(nextFile, `${text.trim()}\n`);
        return keyring;
      },
      adoptNextKeyring: () => movePrivateFile(nextFile, file(SECRET_KEY_FILE)),
      file,
      readFile,
      readOwnFile: (name) => readOwnFile(file(name)),
      writeSecretFile: (name, text) => writePrivateFile(file(name), text),
      removeFile: (name) => rmSync(file(name), { force: true }),
      isInPlace: () => taken === undefined || (identityOf(file(LOCK_FILE)) ?? taken) === taken,
      close: () => unlock(),
    };
  } catch (error) {
    unlock();
    throw directoryError(path, error);
  }
}

/**
 * Makes sure that there is a data directory with a database, which a command may read beside a running server. Makes
 * nothing. Throws a `StartupError`.
 */
export function findDataDirectory(path: string): void {
  withCause(path, () => {
    assertTrustworthy(path);
    assertRestored(path);
    if (!existsSync(join(path, DATABASE_FILE))) {
      throw new StartupError(`there is no database in ${path}: start the server, or set RESPARK_DATA_DIR`);
    }
  });
}

/** Takes a data directory, which is made if it is missing, and keeps every server out. Throws a `StartupError`. */
export function lockDataDirectory(path: string): { release(): void } {
  return withCause(path, () => {
    takeDirectory(path);
    return { release: lock(path) };
  });
}

/** What goes wrong with the directory is told by its cause, and is never the server's own fault. */
function withCause<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw directoryError(path, error);
  }
}

/** The error that an operator sees for one that came from the data directory. A `StartupError` stays as it is. */
export function directoryError(path: string, error: unknown): StartupError {
  if (error instanceof StartupError) return error;
  return new StartupError(
    `cannot use the data directory ${path}: ${describeFileFault(error)}, or set RESPARK_DATA_DIR to another directory`,
    { cause: error },
  );
}

function assertRestored(path: string): void {
  if (![RESTORE_DIRECTORY, LEFT_RESTORE_DIRECTORY].some((name) => existsSync(join(path, name)))) return;
  throw new StartupError(
    `a restore into the data directory ${path} was interrupted: run "respark restore" again, with --force`,
  );
}

const LOCK_WAIT_MS = 100;

/** Locks an empty SQLite database: the operating system releases that lock when the process ends, even by kill -9. */
function lock(path: string): () => void {
  const file = join(path, LOCK_FILE);
  createPrivateFile(file);
  const connection = new Libsql(file);
  try {
    // A command that looks whether a server holds the lock has it for less than a millisecond.
    connection.exec(`PRAGMA busy_timeout = ${LOCK_WAIT_MS}; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE`);
  } catch (error) {
    connection.close();
    if (!(error instanceof Libsql.SqliteError && error.code === 'SQLITE_BUSY')) throw error;
    const url = runningUrl(path);
    const it = url === undefined ? 'it' : `it (${url})`;
    throw new StartupError(`a server is using the data directory ${path}: stop ${it}, or set RESPARK_DATA_DIR`, {
      cause: error,
    });
  }
  try {
    forgetAddresses(path);
  } catch (error) {
    connection.close();
    throw error;
  }
  return () => {
    if (connection.open) connection.close();
  };
}

/**
 * Removes the addresses that a killed server has left: other programs may listen there by now. Commands would take them for the
 * addresses of the next process that holds the lock, even of a server that cannot start because its port is taken.
 */
function forgetAddresses(path: string): void {
  const file = join(path, RUNNING_FILE);
  try {
    const text = readIfPresent(file)?.toString();
    if (text === undefined) return;
    // The boot id stays: it tells the server that starts whether the machine was restarted.
    const { bootId } = Object(JSON.parse(text)) as { bootId?: unknown };
    writePrivateFile(file, JSON.stringify({ bootId }));
  } catch {
    rmSync(file, { force: true });
  }
}

/**
 * A text that stays the same for as long as the path leads to the same file, and another one where it leads to none; undefined
 * when the disk, or its rights, do not tell.
 */
function identityOf(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file, { throwIfNoEntry: false, bigint: true }) ?? { dev: '-', ino: '-' };
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}

/** Where the server is that holds the directory; undefined while it starts, or when its file cannot be read. */
function runningUrl(path: string): string | undefined {
  try {
    const { url } = Object(JSON.parse(readIfPresent(join(path, RUNNING_FILE))?.toString() ?? '')) as { url?: string };
    return new URL(String(url)).origin;
  } catch {
    return undefined;
  }
}

function makeSecretKey(path: string, hasDatabase: boolean): string {
  if (hasDatabase) {
    throw new StartupError(
      `the database in ${path} was made with a secret key, but ${SECRET_KEY_FILE} is missing: put it back, or set RESPARK_SECRET_KEY`,
    );
  }
  const text = newSecretKey();
  writePrivateFile(join(path, SECRET_KEY_FILE), `${text}\n`);
  return text;
}

function newSecretKey(): string {
  return randomBytes(32).toString('base64');
}

/** The value is a secret, so a message only tells its length. */
export function parseSecretKey(source: string, value: string): Uint8Array {
  const text = value.trim();
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) {
    throw new StartupError(
      `${source} must be 32 random bytes in base64, as "openssl rand -base64 32" prints them; got ${text.length} characters`,
    );
  }
  return Buffer.from(text, 'base64');
}
