import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeFileFault } from '../file-fault.ts';

/** Readable and writable by its owner only. */
const PRIVATE_MODE = 0o600;
const REFUSALS_OF_WINDOWS = ['EPERM', 'EISDIR', 'EACCES'];

/**
 * Makes an empty private file unless there is one. An existing file is not even opened: closing it would drop the locks
 * that SQLite holds on it in this process.
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', PRIVATE_MODE));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

/**
 * Opens a new private file, to append to it. Whatever has its name is removed and not written to: it may have been left by
 * a kill, and in a directory into which others may write it may be a link to another file.
 */
export function openNewFile(path: string): number {
  rmSync(path, { force: true });
  return openSync(path, 'ax', PRIVATE_MODE);
}

/**
 * Writes the whole file or nothing. The file is private from its first byte, and on disk when this returns. When
 * several write at once, the last one wins. An error names the file, which the system leaves out for most of the steps.
 */
export function writePrivateFile(path: string, text: string): void {
  try {
    replacePrivateFile(path, text);
  } catch (error) {
    throw error instanceof Error ? Object.assign(error, { path }) : error;
  }
}

function replacePrivateFile(path: string, text: string): void {
  // No other process can have made a file of this name before: it would keep its mode, and a link would lead elsewhere.
  const temporary = `${path}.${randomUUID()}`;
  const file = openSync(temporary, 'wx', PRIVATE_MODE);
  try {
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

/** Puts a private file in the place of another in one step, which is on disk when this returns. */
export function movePrivateFile(from: string, to: string): void {
  renameSync(from, to);
  syncDirectory(dirname(to));
}

/**
 * Puts on disk which files are in a directory. Windows refuses that for every directory and has no other way, so a
 * refusal is no failure; anything else, such as a broken disk, is thrown.
 */
export function syncDirectory(path: string): void {
  try {
    const directory = openSync(path, 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && REFUSALS_OF_WINDOWS.includes(String(error.code)))) throw error;
  }
}

/** The content of a file; undefined when there is no such file. */
export function readIfPresent(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** More than SQLite needs to open a database. */
const PROBE_BYTES = 65_536;

/** Throws while no new file can be written in the directory. Leaves nothing behind. */
export function probeDirectory(path: string): void {
  const file = join(path, `probe.${randomUUID()}`);
  const descriptor = openSync(file, 'wx', PRIVATE_MODE);
  try {
    const written = writeSync(descriptor, Buffer.alloc(PROBE_BYTES));
    if (written < PROBE_BYTES) writeSync(descriptor, Buffer.alloc(PROBE_BYTES - written));
  } finally {
    closeSync(descriptor);
    rmSync(file, { force: true });
  }
}

/** Why databases cannot be used: SQLite says of a full disk that reading or writing has failed, and no more. */
export function describeDatabaseFault(error: unknown, ...files: string[]): string {
  const isVague = /^SQLITE_(?:CANTOPEN|IOERR|READONLY|FULL)/.test(String(Object(error).code));
  try {
    if (isVague) for (const file of files) probeDirectory(dirname(file));
    return describeFileFault(error);
  } catch (cause) {
    return describeFileFault(cause);
  }
}
