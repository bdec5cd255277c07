import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  type Stats,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeDirectories } from '../make-directories.ts';
import { StartupError } from '../startup-error.ts';
import { isSecretFile, isServerFile, isWrittenInPlace, LOCK_FILE } from './server-files.ts';

/** What a new file system, or the storage that it comes from, may have in it of its own. */
const OF_FILE_SYSTEM = ['lost+found', '.snapshot', '.snapshots', '.zfs', '.trashcan', 'System Volume Information'];
const ROOT_USER = 0;

/**
 * Makes sure that a server may use the directory, which is made if it is missing, and that nobody else can read what is
 * in it, as far as this process can see to that. Returns warnings for the operator. Throws a `StartupError`.
 *
 * The directory must belong to this user or to the superuser. One of the superuser is a mounted volume, which gives this
 * user its rights by a group or to everybody: it stays as it is. One of any other user was put there by them.
 */
export function takeDirectory(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    // As when what it leads to is not mounted. To make a directory would fail with the news that the link exists.
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
      throw new StartupError(
        `the data directory ${path} is a symbolic link to ${readlinkSync(path)}, which does not exist: mount or make that, or set RESPARK_DATA_DIR`,
      );
    }
    makeDirectories(path, 0o700);
    return [];
  }
  assertDirectory(path, found);
  if (process.geteuid === undefined) return [];
  assertOwner(path, found, chownAdvice(path));
  const warnings: string[] = [];
  const isOpenToOthers = (found.mode & 0o077) !== 0;
  const names = readdirSync(path).filter((name) => !OF_FILE_SYSTEM.includes(name));
  // A home directory that was named by mistake must stay as it is.
  if (isOpenToOthers && names.length > 0 && !names.includes(LOCK_FILE)) {
    throw new StartupError(
      `the data directory ${path} contains files that are not Respark's, and other users may enter it (mode ${modeOf(found)}): set RESPARK_DATA_DIR to a new directory, or run "chmod 700 ${path}"`,
    );
  }
  // A new volume is often open to other users, and some become so at each mount: that is corrected.
  if (isOpenToOthers && isOwn(found)) chmodSync(path, 0o700);
  if (!isOwn(found)) {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    if ((found.mode & 0o007) !== 0) {
      warnings.push(
        `every user of this machine may enter the data directory ${path} (mode ${modeOf(found)}), which belongs to the superuser. The server's files are closed to them, but use a directory of your own where you can, such as ${join(path, 'respark')}.`,
      );
    }
  }
  for (const name of names) if (isServerFile(name) || name === LOCK_FILE) takeFile(join(path, name), name);
  return warnings;
}

/** Makes sure that a command may trust what is in the directory. Changes nothing. Throws a `StartupError`. */
export function assertTrustworthy(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new StartupError(`there is no data directory ${path}: start the server, or set RESPARK_DATA_DIR`);
  }
  assertDirectory(path, found);
  if (process.geteuid === undefined) return;
  assertOwner(path, found, `run the command as that user ("sudo -u '#${found.uid}' respark …")`);
  for (const name of readdirSync(path)) {
    const found = isServerFile(name) ? assertFile(join(path, name), name) : undefined;
    if (found !== undefined) assertUsable(join(path, name), { name, found });
  }
}

/** Makes sure that a command may trust a file of a server. Throws a `StartupError`. */
export function assertOwnFile(path: string, found: Stats): void {
  if (process.geteuid === undefined || isOwn(found) || found.uid === ROOT_USER) return;
  throw new StartupError(
    `${path} belongs to user ${found.uid}, but this runs as user ${process.geteuid()}: run the command as that user ("sudo -u '#${found.uid}' respark …"), or set RESPARK_DATA_DIR to a directory of your own`,
  );
}

/** On Windows these flags are undefined, which adds nothing. Without O_NONBLOCK, a pipe would wait for its writer. */
const OPEN_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * The text of a file that may have been put there while the server runs, so that its rights were not checked at the
 * start. Undefined for what cannot be read, is a link, or belongs to another user.
 */
export function readOwnFile(path: string): string | undefined {
  try {
    const descriptor = openSync(path, OPEN_FILE);
    try {
      // What has been opened is looked at, so that nothing else can take its place.
      const found = fstatSync(descriptor);
      const isTrusted = process.geteuid === undefined || isOwn(found) || found.uid === ROOT_USER;
      return isTrusted && found.isFile() ? readFileSync(descriptor, 'utf8') : undefined;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
}

function assertDirectory(path: string, found: Stats): void {
  if (!found.isDirectory())
    throw new StartupError(`the data directory ${path} is not a directory: set RESPARK_DATA_DIR`);
}

function assertOwner(path: string, found: Stats, advice: string): void {
  if (isOwn(found) || found.uid === ROOT_USER) return;
  // The owner of the directory can put another one in the place of what is in it.
  const own = mayMakeIn(path) ? `, such as ${join(path, 'respark')} if you trust that user` : '';
  throw new StartupError(
    `the data directory ${path} belongs to user ${found.uid}, but this runs as user ${process.geteuid?.()}: ${advice}, or set RESPARK_DATA_DIR to a directory of your own${own}`,
  );
}

/** Whether this user may make a directory there, as in a volume that belongs to another user. */
function mayMakeIn(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function chownAdvice(path: string): string {
  return `run "chown -R ${process.geteuid?.()} ${path}" if you trust what is in it`;
}

/**
 * Volumes of Kubernetes give the group rights to every file, again and again. The server takes them back, and gives itself those
 * that it needs. A secret may be mounted so that nobody can change it.
 */
function takeFile(path: string, name: string): void {
  const found = assertFile(path, name);
  if (found === undefined) return;
  const lacksRights = (found.mode & 0o600) !== 0o600 && !isSecretFile(name);
  if (isOwn(found) && ((found.mode & 0o077) !== 0 || lacksRights)) chmodSync(path, 0o600);
  assertUsable(path, { name, found });
}

/**
 * SQLite says of a file that this user may not write that the file system is read-only. The superuser may have left one of those
 * that are replaced whole, which does no harm.
 */
function assertUsable(path: string, { name, found }: { name: string; found: Stats }): void {
  if (!isSecretFile(name) && !isWrittenInPlace(name)) return;
  try {
    accessSync(path, isSecretFile(name) ? constants.R_OK : constants.R_OK | constants.W_OK);
  } catch (error) {
    // Whether the file system is read-only shows when something is written.
    if (!(error instanceof Error && 'code' in error && error.code === 'EACCES')) return;
    const advice = isOwn(found) ? `chmod 600 ${path}` : `chown ${process.geteuid?.()} ${path}`;
    throw new StartupError(
      `user ${process.geteuid?.()}, who runs this, may not ${isSecretFile(name) ? 'read' : 'read and write'} ${path} (mode ${modeOf(found)}, of user ${found.uid}): run "${advice}" if you trust it`,
      { cause: error },
    );
  }
}

/** Undefined for a file that has gone meanwhile. */
function assertFile(path: string, name: string): Stats | undefined {
  // The server would write where a link leads, which may be any other file of this user's.
  const link = lstatSync(path, { throwIfNoEntry: false });
  if (link?.isSymbolicLink() === true) assertFileOwner(`the symbolic link ${path}`, link, 'remove it');
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  // Opening a pipe would wait for ever, and of a directory SQLite says that the disk is broken.
  if (!found.isFile()) {
    const kind = found.isDirectory() ? 'a directory' : 'a pipe, a socket or a device';
    throw new StartupError(
      `${path} is ${kind}, but must be a file: move it away, or set RESPARK_DATA_DIR to another directory`,
    );
  }
  assertFileOwner(path, found, `run "chown ${process.geteuid?.()} ${path}" if you trust it`);
  if (isSecretFile(name) && (found.mode & 0o007) !== 0) {
    throw new StartupError(
      `every user of this machine can read or change the secrets in ${path} (mode ${modeOf(found)}): run "chmod 600 ${path}", and replace the secrets if others may have used them`,
    );
  }
  return found;
}

function assertFileOwner(file: string, found: Stats, advice: string): void {
  if (isOwn(found) || found.uid === ROOT_USER) return;
  throw new StartupError(
    `${file} belongs to user ${found.uid}, but this runs as user ${process.geteuid?.()}: ${advice}, or set RESPARK_DATA_DIR to a directory of your own`,
  );
}

function isOwn({ uid }: Stats): boolean {
  return uid === process.geteuid?.();
}

function modeOf({ mode }: Stats): string {
  return (mode & 0o777).toString(8);
}
