import { randomUUID } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describeFileFault } from '../file-fault.ts';
import { StartupError } from '../startup-error.ts';
import { type Manifest, type Progress, writeArchive } from './archive.ts';
import { findDataDirectory } from './data-directory.ts';
import { readIfPresent, syncDirectory, writePrivateFile } from './private-file.ts';
import { NEXT_SECRET_KEY_FILE, SECRET_KEY_FILE } from './server-files.ts';

/** What a backup is made in, beside its file. */
const PARTIAL = /\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.partial$/;
/** A backup that has written nothing for so long was killed. */
const MAX_SILENCE_MS = 43_200_000;

/** The files of a data directory that its server writes all the time, each of which knows how it is copied. */
export interface LiveFiles {
  /**
   * In the order in which they must be copied: a record of a change is written before the change is made, so the records
   * are copied after the changes, and a copy never has a change without its record.
   */
  readonly names: readonly string[];
  /** Copies a file that exists as it is at one moment not before the call, into a new private file. */
  copy(name: string, from: string, to: string): void;
  /** Throws a `StartupError` when a copy is damaged, or newer than this program. */
  examine(name: string, file: string): void;
  /** An upper bound of the bytes that a copy needs; 0 for a file that is not there. */
  sizeOf(file: string): number;
}

export interface BackupOptions {
  readonly dataDir: string;
  /** The new file; its directory must exist. */
  readonly file: string;
  readonly hasSecretKey: boolean;
  readonly live: LiveFiles;
  readonly version: string;
  readonly now: () => number;
  readonly progress?: Progress;
  /** Once aborted, nothing more is done, and what was written is removed. */
  readonly signal?: AbortSignal;
}

/**
 * Writes a backup of a data directory into one private file, whether or not a server is running on it. Every change that
 * was answered before the call is in it. The file appears whole or not at all, and is on disk at the end. Throws a
 * `StartupError` when anything fails.
 */
export async function backUp(options: BackupOptions): Promise<Manifest> {
  const { hasSecretKey, live, version, now, signal, progress = () => {} } = options;
  const dataDir = resolve(options.dataDir);
  const file = resolve(options.file);
  findDataDirectory(dataDir);
  assertNew(file);
  removeLeft(dirname(file), now());
  const partial = `${file}.${randomUUID()}.partial`;
  try {
    mkdirSync(partial, { mode: 0o700 });
    const madeAt = new Date(now()).toISOString();
    const secretKey = readIfPresent(join(dataDir, SECRET_KEY_FILE));
    const found = live.names.filter((name) => existsSync(join(dataDir, name)));
    // The copies are made before they are packed: without this check they could fill the disk of a running server.
    const bytes = found.reduce((sum, name) => sum + live.sizeOf(join(dataDir, name)), 0);
    assertRoom(dirname(file), { bytes, purpose: 'a backup' });
    for (const name of found) {
      signal?.throwIfAborted();
      live.copy(name, join(dataDir, name), join(partial, name));
      live.examine(name, join(partial, name));
    }
    const keys = hasSecretKey ? copyKeys(dataDir, { secretKey, to: partial }) : [];
    const names = [...found, ...keys];
    const archive = join(partial, 'archive');
    const manifest = await writeArchive({
      ...{ file: archive, directory: partial, names, version, madeAt },
      progress(done, all) {
        signal?.throwIfAborted();
        progress(done, all);
      },
    });
    assertNew(file);
    renameSync(archive, file);
    syncDirectory(dirname(file));
    return manifest;
  } catch (error) {
    if (error instanceof StartupError || signal?.aborted === true) throw error;
    throw new StartupError(`cannot write the backup ${file}: ${describeFileFault(error)}`, { cause: error });
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/**
 * Copies the secret key, and the one that a rotation leads to, when the copies of the databases are there: either may be
 * theirs. The next key is read first, because it becomes the secret key at the end of a rotation. Returns the names of the
 * copies. Throws a `StartupError` when the secret key is no longer the one from before the copies were made.
 */
function copyKeys(
  dataDir: string,
  { secretKey, to }: { readonly secretKey: Buffer | undefined; readonly to: string },
): string[] {
  const next = readIfPresent(join(dataDir, NEXT_SECRET_KEY_FILE));
  const current = readIfPresent(join(dataDir, SECRET_KEY_FILE));
  if (current?.toString() !== secretKey?.toString()) {
    throw new StartupError(`the secret key in ${dataDir} was replaced during the backup: make it again`);
  }
  const names: string[] = [];
  for (const [name, key] of [
    [SECRET_KEY_FILE, current],
    [NEXT_SECRET_KEY_FILE, next],
  ] as const) {
    if (key === undefined) continue;
    writePrivateFile(join(to, name), key.toString());
    names.push(name);
  }
  return names;
}

/**
 * Removes what backups that were killed have left. Each is as large as the databases and may have the secret key, and no rule for
 * the age of backups, which goes by the names of their files, has it removed. What another user has made stays: the superuser could
 * remove it all the same, and its owner could lead that elsewhere meanwhile.
 */
function removeLeft(directory: string, now: number): void {
  const changedAt = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const removeIfLeft = (partial: string) => {
    const { uid } = lstatSync(partial);
    if (uid !== (process.getuid?.() ?? uid)) return;
    const paths = [partial, ...readdirSync(partial).map((part) => join(partial, part))];
    if (now - Math.max(...paths.map(changedAt)) > MAX_SILENCE_MS) rmSync(partial, { recursive: true, force: true });
  };
  // A leftover of another user, or a directory that may not be listed, does not prevent a backup.
  orNothing(() => {
    const names = readdirSync(directory).filter((name) => PARTIAL.test(name));
    for (const name of names) orNothing(() => removeIfLeft(join(directory, name)));
  });
}

function orNothing(work: () => void): void {
  try {
    work();
  } catch {
    // Nothing depends on it.
  }
}

function assertNew(file: string): void {
  const directory = dirname(file);
  if (!(statSync(directory, { throwIfNoEntry: false })?.isDirectory() ?? false)) {
    throw new StartupError(`cannot write the backup ${file}: there is no directory ${directory}: make it first`);
  }
  // A link that leads nowhere counts too: it would be replaced.
  if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return;
  throw new StartupError(`there is already a file ${file}: remove it, or give another name`);
}

/** Throws a `StartupError` unless the file system of the directory has room for more than so many bytes. */
export function assertRoom(directory: string, { bytes, purpose }: { bytes: number; purpose: string }): void {
  const { bavail, bsize } = statfsSync(directory);
  const free = bavail * bsize;
  if (free > bytes) return;
  // Rounded apart, so that the message never names the same number twice.
  const needed = Math.ceil((bytes + 1) / 1_048_576);
  throw new StartupError(
    `there is not enough room in ${directory} for ${purpose}: it needs ${needed} MiB, and ${Math.floor(free / 1_048_576)} MiB are free`,
  );
}
