import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** What is wrong, as the end of a sentence that begins with the file's name, and what to do about it. */
interface Fault {
  readonly cause: string;
  readonly cure: string;
}

const FULL: Fault = { cause: 'the disk is full', cure: 'make room on it' };
const TOO_MANY_ON_DISK: Fault = {
  cause: 'the file system can take no more files, though it has room',
  cure: 'remove some ("df -i" counts them)',
};
const READ_ONLY: Fault = { cause: 'the file system is read-only', cure: 'mount it so that it can be written' };
const BROKEN: Fault = {
  cause: 'the disk failed to read or write',
  cure: "look at the kernel's log, since the disk may be about to die",
};
const FORBIDDEN: Fault = {
  cause: 'the user that runs this has no permission',
  cure: 'make that user the owner, or run this as the owner',
};
const TOO_MANY: Fault = { cause: 'too many files are open', cure: 'raise the limit (ulimit -n)' };

/** By the code of Node.js or SQLite; a code of SQLite also stands for those that begin with it and an underscore. */
const FAULTS: Readonly<Record<string, Fault>> = {
  ENOSPC: FULL,
  SQLITE_FULL: FULL,
  EDQUOT: { cause: 'the disk quota is used up', cure: 'make room, or raise the quota' },
  EROFS: READ_ONLY,
  SQLITE_READONLY: READ_ONLY,
  EIO: BROKEN,
  SQLITE_IOERR: BROKEN,
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  EMFILE: TOO_MANY,
  ENFILE: TOO_MANY,
  ENOENT: { cause: 'there is no such file or directory', cure: 'check the path' },
  ENOTDIR: { cause: 'a part of its path is not a directory', cure: 'check the path' },
  EISDIR: { cause: 'it is a directory', cure: 'name a file' },
  EEXIST: { cause: 'it exists already', cure: 'remove it, or choose another name' },
  ENAMETOOLONG: { cause: 'its path is too long', cure: 'choose a shorter one' },
  ELOOP: { cause: 'symbolic links in its path lead in a circle', cure: 'check the path' },
  EFBIG: { cause: 'the file would be larger than is allowed', cure: 'raise the limit (ulimit -f)' },
  EBUSY: { cause: 'another program is using it', cure: 'stop that program' },
  SQLITE_NOTADB: { cause: 'file is not a database', cure: 'put the right file there' },
  SQLITE_CORRUPT: { cause: 'the database is damaged', cure: 'restore a backup' },
  SQLITE_CANTOPEN: { cause: 'the database file cannot be opened', cure: 'check who owns it' },
};

/** Why a file could not be used; undefined for an error that is not of the file system or of SQLite, such as a bug. */
export function findFileFault(error: unknown): (Fault & { readonly code: string }) | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  const { code } = error;
  for (let key = code; key !== ''; key = key.slice(0, Math.max(0, key.lastIndexOf('_')))) {
    const fault = FAULTS[key];
    if (fault === FULL && isOutOfFiles(error)) return { ...TOO_MANY_ON_DISK, code };
    if (fault !== undefined) return { ...fault, code };
  }
  return undefined;
}

/** Whether the file system has room left, but not for another file: their number is fixed when a file system is made. */
function isOutOfFiles(error: Error & { readonly path?: unknown }): boolean {
  if (typeof error.path !== 'string') return false;
  try {
    const { bavail, files, ffree } = statfsSync(dirname(error.path));
    return bavail > 0 && files > 0 && ffree === 0;
  } catch {
    return false;
  }
}

const FULL_CAUSES: ReadonlySet<string> = new Set([FULL.cause, TOO_MANY_ON_DISK.cause]);

/** Whether a write failed because there was no room for it. */
export function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const fault = findFileFault(error);
  return FULL_CAUSES.has(fault?.cause ?? '') || fault?.code === 'EDQUOT' || isFull(error.cause);
}

/** Whether a write failed because nothing can be written there. */
export function isReadOnly(error: unknown): boolean {
  return findFileFault(error)?.cause === READ_ONLY.cause;
}

/** Such as `the disk is full (ENOSPC): make room on it`; for another error its own message. */
export function describeFileFault(error: unknown): string {
  const fault = findFileFault(error);
  if (fault !== undefined) return `${fault.cause} (${fault.code}): ${fault.cure}`;
  return error instanceof Error ? error.message : String(error);
}
