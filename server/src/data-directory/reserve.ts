import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, lstatSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { isFull } from '../file-fault.ts';
import type { Log } from '../log.ts';
import { directoryError } from './data-directory.ts';
import { openNewFile, probeDirectory } from './private-file.ts';
import { RESERVE_FILE } from './server-files.ts';

const CHECK_PERIOD_MS = 30_000;
/** How often a server that is short of room looks whether there is some, however often it is asked. */
const RECOVERY_PERIOD_MS = 1_000;
/** The reserve takes no more than this part of a small disk. */
const MAX_PART = 1 / 20;
const CHUNK_BYTES = 1_048_576;
/** What a start may write before it serves: the indexes of the databases' logs, which SQLite makes anew, and its own files. */
const START_BYTES = 524_288;

/**
 * The room of the data directory. Normally a file, the reserve, holds some of it back. When a write fails because the disk
 * is full, the reserve is removed, and the server is short of room: it then makes only changes that end something. As soon
 * as the disk has room for two such files, the reserve is made again, and the server is back to normal.
 */
export interface Room {
  /** Looks for room first, if it was short a while ago. */
  isShort(): boolean;
  /** Must be called when a write has failed for want of room. Returns whether there is room now that was not there before. */
  release(): boolean;
  /** Bytes that this user may still write. */
  free(): number;
  close(): void;
}

/** Throws a `StartupError` when nothing can be written in the directory, unless giving up the reserve changes that. */
export function openRoom({
  path,
  clock,
  log,
  settings,
  isInPlace = () => true,
}: {
  path: string;
  clock: Clock;
  log: Log;
  settings: { readonly reserveBytes: number; readonly lowSpaceBytes: number };
  /** Whether the data directory is still where it was; asked at each check of the disk. */
  isInPlace?: () => boolean;
}): Room {
  const file = join(path, RESERVE_FILE);
  const { blocks, bsize } = statfsSync(path);
  const bytes = Math.floor(Math.min(settings.reserveBytes, blocks * bsize * MAX_PART));
  let isShort = false;
  let isLow = false;
  const isDirectoryThere = createPlaceCheck({ path, log, isInPlace });
  let triedAt = Number.NEGATIVE_INFINITY;
  let cancelCheck = () => {};

  /** NaN, which makes every comparison false, while a network disk does not answer. */
  function free(): number {
    try {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    } catch {
      return Number.NaN;
    }
  }

  function release(): boolean {
    const isHeld = remove();
    if (!isShort) {
      log.error(
        { path, reserveBytes: isHeld ? bytes : 0 },
        'the disk is full: until there is room, only changes that end something are made',
      );
    }
    isShort = true;
    triedAt = clock.monotonic();
    return isHeld;
  }

  /** Returns whether there was a reserve to remove. */
  function remove(): boolean {
    try {
      rmSync(file);
      return true;
    } catch {
      return false;
    }
  }

  /** Makes the reserve, if there is room for it. Returns whether it is there. */
  function hold(): boolean {
    try {
      if (bytes === 0 || lstatSync(file, { throwIfNoEntry: false })?.size === bytes) return true;
      if (!(free() >= 2 * bytes)) return false;
      writeReserve(file, bytes);
      return true;
    } catch {
      remove();
      return false;
    }
  }

  function recover(): void {
    if (!isShort || clock.monotonic() < triedAt + RECOVERY_PERIOD_MS) return;
    triedAt = clock.monotonic();
    if (!(free() >= 2 * bytes) || !hold()) return;
    isShort = false;
    log.info({ path, freeBytes: free() }, 'the disk has room again: all changes are made');
  }

  function check(): void {
    recover();
    if (isDirectoryThere() && !isShort) hold();
    const freeBytes = free();
    if (freeBytes < settings.lowSpaceBytes && !isLow) {
      log.warn({ path, freeBytes, lowSpaceBytes: settings.lowSpaceBytes }, 'the disk is running full: make room');
    }
    isLow = freeBytes < settings.lowSpaceBytes;
    cancelCheck = clock.after(CHECK_PERIOD_MS, check);
  }

  try {
    probeDirectory(path);
  } catch (error) {
    // Without a reserve there is nothing by which the server could start.
    if (!isFull(error) || !existsSync(file)) throw directoryError(path, error);
    release();
  }
  // A start that found so little would end in the middle, as a server does not that runs.
  if (!isShort && free() < START_BYTES && existsSync(file)) release();
  check();
  return {
    isShort() {
      recover();
      return isShort;
    },
    release,
    free,
    close: () => cancelCheck(),
  };
}

/** Returns a check that the data directory is still in its place, which logs an error once it is not. */
function createPlaceCheck({
  path,
  log,
  isInPlace,
}: {
  path: string;
  log: Log;
  isInPlace: () => boolean;
}): () => boolean {
  let wasInPlace = true;
  return () => {
    const isThere = isInPlace();
    if (!isThere && wasInPlace) {
      const advice = 'put it back where it was; if it was deleted, stop this server, and restore a backup';
      log.error(
        { path, advice },
        'the data directory is not where it was: what is changed is lost when this server ends',
      );
    }
    wasInPlace = isThere;
    return isThere;
  };
}

/** Random bytes, because a file system may store a file of zeros in no room at all. */
function writeReserve(file: string, bytes: number): void {
  const chunk = randomBytes(Math.min(bytes, CHUNK_BYTES));
  const descriptor = openNewFile(file);
  try {
    for (let left = bytes; left > 0; ) left -= writeSync(descriptor, chunk, 0, Math.min(left, chunk.length));
  } finally {
    closeSync(descriptor);
  }
}
