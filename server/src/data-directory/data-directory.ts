import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Libsql from 'libsql';
import { createKeyring, type Keyring } from '../keyring.ts';
import { StartupError } from '../startup-error.ts';
import { createPrivateFile, readIfPresent, writePrivateFile } from './private-file.ts';

/** Named here because a secret key is made only while there is no database. */
export const DATABASE_FILE = 'respark.sqlite';
const LOCK_FILE = 'lock';
const SECRET_KEY_FILE = 'secret.key';

/**
 * The one directory that holds everything a server keeps. Only its owner may enter it (0700), and every file is 0600.
 */
export interface DataDirectory {
  /** The absolute path of the directory. */
  readonly path: string;
  readonly keyring: Keyring;
  /** The absolute path of a file in the directory. */
  file(name: string): string;
  /** Undefined when there is no such file. */
  readFile(name: string): string | undefined;
  /** Writes the whole file or nothing; the file is on disk when this returns. */
  writeSecretFile(name: string, text: string): void;
  /** Does nothing when there is no such file. */
  removeFile(name: string): void;
  /** Lets the next server open the directory. */
  close(): void;
}

/**
 * Opens the data directory for a server: makes what is missing, and keeps every other server out until `close` or the
 * end of the process, however it ends. With `isShared` the directory is opened for a command beside a running server:
 * the command makes nothing, keeps no server out, and needs a database. `secretKey` is the setting; without it the key
 * is in a file in the directory, which is made only while there is no database. Throws a `StartupError` when anything
 * fails.
 */
export function openDataDirectory(options: {
  path: string;
  secretKey?: string | undefined;
  isShared?: boolean;
}): DataDirectory {
  const path = resolve(options.path);
  const isShared = options.isShared ?? false;
  const file = (name: string) => join(path, name);
  const readFile = (name: string) => readIfPresent(file(name))?.toString();
  let unlock = () => {};
  try {
    takeDirectory(path, isShared);
    if (!isShared) unlock = lock(path);
    const hasDatabase = existsSync(file(DATABASE_FILE));
    if (isShared && !hasDatabase) {
      throw new StartupError(`there is no database in ${path}: start the server, or set RESPARK_DATA_DIR`);
    }
    const secretKey =
      options.secretKey === undefined
        ? parseSecretKey(file(SECRET_KEY_FILE), readFile(SECRET_KEY_FILE) ?? makeSecretKey(path, hasDatabase))
        : parseSecretKey('RESPARK_SECRET_KEY', options.secretKey);
    return {
      path,
      keyring: createKeyring(secretKey),
      file,
      readFile,
      writeSecretFile: (name, text) => writePrivateFile(file(name), text),
      removeFile: (name) => rmSync(file(name), { force: true }),
      close: () => unlock(),
    };
  } catch (error) {
    unlock();
    if (error instanceof StartupError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(
      `cannot use the data directory ${path}: ${reason}: set RESPARK_DATA_DIR to a directory of your own`,
      {
        cause: error,
      },
    );
  }
}

function takeDirectory(path: string, isShared: boolean): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    if (isShared)
      throw new StartupError(`there is no data directory ${path}: start the server, or set RESPARK_DATA_DIR`);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return;
  }
  if (!found.isDirectory())
    throw new StartupError(`the data directory ${path} is not a directory: set RESPARK_DATA_DIR`);
  const isOpenToOthers = process.platform !== 'win32' && (found.mode & 0o077) !== 0;
  if (!isOpenToOthers) return;
  // A new volume is often open to other users, and some become so at each mount: that is corrected. But a home
  // directory that was named by mistake must stay as it is.
  const names = readdirSync(path);
  if (names.length > 0 && !names.includes(LOCK_FILE)) {
    const mode = (found.mode & 0o777).toString(8);
    throw new StartupError(
      `the data directory ${path} contains files that are not Respark's, and other users may enter it (mode ${mode}): set RESPARK_DATA_DIR to a new directory, or run "chmod 700 ${path}"`,
    );
  }
  chmodSync(path, 0o700);
}

/** Locks an empty SQLite database: the operating system releases that lock when the process ends, even by kill -9. */
function lock(path: string): () => void {
  const file = join(path, LOCK_FILE);
  createPrivateFile(file);
  const connection = new Libsql(file);
  try {
    connection.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    connection.close();
    if (!(error instanceof Libsql.SqliteError && error.code === 'SQLITE_BUSY')) throw error;
    throw new StartupError(`another server is using the data directory ${path}: stop it, or set RESPARK_DATA_DIR`, {
      cause: error,
    });
  }
  return () => {
    if (connection.open) connection.close();
  };
}

function makeSecretKey(path: string, hasDatabase: boolean): string {
  if (hasDatabase) {
    throw new StartupError(
      `the database in ${path} was made with a secret key, but ${SECRET_KEY_FILE} is missing: put it back, or set RESPARK_SECRET_KEY`,
    );
  }
  const text = randomBytes(32).toString('base64');
  writePrivateFile(join(path, SECRET_KEY_FILE), `${text}\n`);
  return text;
}

/** The value is a secret, so a message only tells its length. */
function parseSecretKey(source: string, value: string): Uint8Array {
  const text = value.trim();
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) {
    throw new StartupError(
      `${source} must be 32 random bytes in base64, as "openssl rand -base64 32" prints them; got ${text.length} characters`,
    );
  }
  return Buffer.from(text, 'base64');
}
