import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Libsql from 'libsql';
import { createKeyring, type Keyring } from '../keyring.ts';
import { StartupError } from '../startup-error.ts';
import { createPrivateFile, readIfPresent, writePrivateFile } from './private-file.ts';

/** Named here because the secret key belongs to what is in it. */
export const DATABASE_FILE = 'respark.sqlite';
const LOCK_FILE = 'lock';
const SECRET_KEY_FILE = 'secret.key';

/** The one directory that holds all a server keeps: its owner's alone (0700), every file in it 0600. */
export interface DataDirectory {
  /** Absolute. */
  readonly path: string;
  readonly keyring: Keyring;
  /** The absolute path of a file in it. */
  file(name: string): string;
  /** Undefined when there is no such file. */
  readFile(name: string): string | undefined;
  /** Writes all of it or nothing; it is on disk when this returns. */
  writeSecretFile(name: string, text: string): void;
  /** Does nothing when there is no such file. */
  removeFile(name: string): void;
  /** Lets the next server have the directory. */
  close(): void;
}

/**
 * Opens the data directory for a server: makes what is missing, and keeps every other server out until `close` or the end
 * of the process, however it ends. With `isShared` it is opened for a command beside a running server: nothing is made and
 * nobody is kept out, and there must be a database. `secretKey` is the setting; without it the key is in a file of the
 * directory, which is made only before the database is. Throws a `StartupError` for whatever stands in the way.
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
      `cannot use the data directory ${path}: ${reason}: set RESPARK_DATA_DIR to one of your own`,
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
  // Volumes come open, and some are opened again at each mount; but a home directory named by mistake must stay as it is.
  const names = readdirSync(path);
  if (names.length > 0 && !names.includes(LOCK_FILE)) {
    const mode = (found.mode & 0o777).toString(8);
    throw new StartupError(
      `the data directory ${path} holds other files and others may enter it (mode ${mode}): set RESPARK_DATA_DIR to a new directory, or run "chmod 700 ${path}"`,
    );
  }
  chmodSync(path, 0o700);
}

/** A lock of SQLite's on an empty database: the system releases it when the process ends, even by kill -9. */
function lock(path: string): () => void {
  const file = join(path, LOCK_FILE);
  createPrivateFile(file);
  const connection = new Libsql(file);
  try {
    connection.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    connection.close();
    if (!(error instanceof Libsql.SqliteError && error.code === 'SQLITE_BUSY')) throw error;
    throw new StartupError(`another server runs on the data directory ${path}: stop it, or set RESPARK_DATA_DIR`, {
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
      `the database in ${path} was made with a secret key, and there is no ${SECRET_KEY_FILE}: put it back, or set RESPARK_SECRET_KEY`,
    );
  }
  const text = randomBytes(32).toString('base64');
  writePrivateFile(join(path, SECRET_KEY_FILE), `${text}\n`);
  return text;
}

/** The message tells the length only: the value is a secret. */
function parseSecretKey(source: string, value: string): Uint8Array {
  const text = value.trim();
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) {
    throw new StartupError(
      `${source} must be 32 random bytes in base64, as "openssl rand -base64 32" prints them; got ${text.length} characters`,
    );
  }
  return Buffer.from(text, 'base64');
}
