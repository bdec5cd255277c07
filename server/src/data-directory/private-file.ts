import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Readable and writable by its owner only. */
const PRIVATE_MODE = 0o600;

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
 * Writes the whole file or nothing. The file is private from its first byte, and on disk when this returns. When
 * several write at once, the last one wins.
 */
export function writePrivateFile(path: string, text: string): void {
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
  syncDirectory(path);
}

/** Puts a private file in the place of another in one step, which is on disk when this returns. */
export function movePrivateFile(from: string, to: string): void {
  renameSync(from, to);
  syncDirectory(to);
}

function syncDirectory(path: string): void {
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
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
