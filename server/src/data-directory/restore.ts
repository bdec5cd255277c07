import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describeFileFault } from '../file-fault.ts';
import { createKeyring, type Keyring } from '../keyring.ts';
import { StartupError } from '../startup-error.ts';
import { type Manifest, type Progress, readArchive } from './archive.ts';
import { assertRoom, type LiveFiles } from './backup.ts';
import { lockDataDirectory, parseSecretKey } from './data-directory.ts';
import { readIfPresent, syncDirectory } from './private-file.ts';
import {
  DATABASE_FILE,
  isServerFile,
  LEFT_RESTORE_DIRECTORY,
  NEXT_SECRET_KEY_FILE,
  RESERVE_FILE,
  RESTORE_DIRECTORY,
  SECRET_KEY_FILE,
  UNPACKING_DIRECTORY,
} from './server-files.ts';

/** The secret key, and the one that an interrupted rotation leads to. */
const KEY_FILES = [SECRET_KEY_FILE, NEXT_SECRET_KEY_FILE];

/** The keys that the next server will try; in a rotation that was interrupted there are two. */
export type Keyrings = readonly [Keyring, ...Keyring[]];

export interface RestoreOptions {
  readonly dataDir: string;
  readonly file: string;
  /** Whether a directory with data in it may be used; its files are set aside, not removed. */
  readonly isForced: boolean;
  /** The setting. Without it the key is in the backup, or already in the directory. */
  readonly secretKey: string | undefined;
  /** The setting, which counts only beside `secretKey`. */
  readonly nextSecretKey: string | undefined;
  readonly live: LiveFiles;
  readonly now: () => number;
  readonly progress?: Progress;
  /** Checks and completes what was unpacked into `directory`, before anything is put in its place. May throw. */
  readonly accept: (unpacked: { directory: string; keyrings: Keyrings; manifest: Manifest }) => Promise<void>;
}

export interface Restored {
  readonly manifest: Manifest;
  /** Where the files are that were there before, if there were any. */
  readonly setAside: string | undefined;
}

/**
 * Puts a backup into a data directory on which no server is running. Nothing is put in its place before all of it has
 * been unpacked and verified. When the process ends while files are put in their places, the next server refuses the
 * directory. Throws a `StartupError` when anything fails.
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const dataDir = resolve(options.dataDir);
  const file = resolve(options.file);
  const cannotRestore = (error: unknown) => {
    if (error instanceof StartupError) return error;
    return new StartupError(`cannot restore ${file} into ${dataDir}: ${describeFileFault(error)}`, { cause: error });
  };
  // Before the lock: until somebody writes to a pipe, opening it waits, and that must keep no server from the directory.
  const source = await open(file, 'r').catch((error: unknown) => {
    throw cannotRestore(error);
  });
  try {
    return await restoreFrom(source, { ...options, dataDir, file });
  } catch (error) {
    throw cannotRestore(error);
  } finally {
    await source.close();
  }
}

async function restoreFrom(source: FileHandle, options: RestoreOptions): Promise<Restored> {
  const { dataDir, file } = options;
  const lock = lockDataDirectory(dataDir);
  const unpacking = join(dataDir, UNPACKING_DIRECTORY);
  try {
    assertMayRestore(dataDir, options.isForced);
    rmSync(unpacking, { recursive: true, force: true });
    mkdirSync(unpacking, { mode: 0o700 });
    const manifest = await unpack(options, { source, file, directory: unpacking });
    const keyrings = readKeyrings(options, { dataDir, directory: unpacking });
    await options.accept({ directory: unpacking, keyrings, manifest });
    return { manifest, setAside: putInPlace({ ...options, dataDir, unpacking }) };
  } finally {
    rmSync(unpacking, { recursive: true, force: true });
    lock.release();
  }
}

function assertMayRestore(dataDir: string, isForced: boolean): void {
  const isHeld = readdirSync(dataDir).some(
    (name) => isServerFile(name) && ![RESERVE_FILE, ...KEY_FILES].includes(name),
  );
  if (!isHeld || isForced) return;
  throw new StartupError(
    `the data directory ${dataDir} holds data already: restore into an empty one, or add --force, which sets the data aside in a directory of its own`,
  );
}

async function unpack(
  { live, progress = () => {} }: RestoreOptions,
  { source, file, directory }: { source: FileHandle; file: string; directory: string },
): Promise<Manifest> {
  const names = [...live.names, ...KEY_FILES];
  const manifest = await readArchive({
    ...{ source, file, directory, names, progress },
    begin({ parts }) {
      if (!parts.some(({ name }) => name === DATABASE_FILE)) {
        throw new StartupError(`the backup ${file} has no ${DATABASE_FILE}: use another one`);
      }
      const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
      assertRoom(directory, { bytes, purpose: `what is in ${file}` });
    },
  });
  for (const { name } of manifest.parts) {
    if (live.names.includes(name)) live.examine(name, join(directory, name));
  }
  syncDirectory(directory);
  return manifest;
}

function readKeyrings(
  { secretKey, nextSecretKey }: RestoreOptions,
  { dataDir, directory }: { dataDir: string; directory: string },
): Keyrings {
  const keyringsOf = (source: string, text: string | undefined) =>
    text === undefined ? [] : [createKeyring(parseSecretKey(source, text))];
  const keyringsIn = (place: string, name: string) =>
    keyringsOf(join(place, name), readIfPresent(join(place, name))?.toString());
  if (secretKey !== undefined) {
    const next = keyringsOf('RESPARK_NEXT_SECRET_KEY', nextSecretKey);
    return [createKeyring(parseSecretKey('RESPARK_SECRET_KEY', secretKey)), ...next];
  }
  for (const place of [directory, dataDir]) {
    const [keyring] = keyringsIn(place, SECRET_KEY_FILE);
    if (keyring !== undefined) return [keyring, ...keyringsIn(place, NEXT_SECRET_KEY_FILE)];
  }
  throw new StartupError(
    `the backup was made without its secret key: put ${SECRET_KEY_FILE} into ${dataDir}, or set RESPARK_SECRET_KEY or RESPARK_SECRET_KEY_FILE`,
  );
}

/** Sets aside what is there, moves what was unpacked to its place, the database last, and puts all of it on disk. */
function putInPlace({
  dataDir,
  unpacking,
  live,
  now,
}: RestoreOptions & { readonly unpacking: string }): string | undefined {
  const ready = join(dataDir, RESTORE_DIRECTORY);
  const left = join(dataDir, LEFT_RESTORE_DIRECTORY);
  // One of the two is there at every moment from now on, so that no server takes what is half in its place for all.
  if (existsSync(ready)) {
    rmSync(left, { recursive: true, force: true });
    renameSync(ready, left);
  }
  renameSync(unpacking, ready);
  syncDirectory(dataDir);
  rmSync(left, { recursive: true, force: true });

  const others = live.names.filter((name) => name !== DATABASE_FILE);
  const names = [...KEY_FILES, ...others, DATABASE_FILE].filter((name) => existsSync(join(ready, name)));
  const hasOwnKey = names.includes(SECRET_KEY_FILE);
  // A secret key that the backup lacks, and that was verified, stays for the next server.
  const staying = hasOwnKey ? [RESERVE_FILE] : [RESERVE_FILE, ...KEY_FILES];
  const old = readdirSync(dataDir).filter((name) => isServerFile(name) && !staying.includes(name));
  const setAside = join(dataDir, `replaced-${new Date(now()).toISOString().replace(/\W/g, '')}`);
  if (old.length > 0) {
    mkdirSync(setAside, { mode: 0o700 });
    for (const name of old) renameSync(join(dataDir, name), join(setAside, name));
    syncDirectory(setAside);
  }
  for (const name of names) renameSync(join(ready, name), join(dataDir, name));
  syncDirectory(dataDir);
  rmSync(ready, { recursive: true });
  syncDirectory(dataDir);
  return old.length > 0 ? setAside : undefined;
}
