import { readdirSync, readSync, realpathSync, statSync } from 'node:fs';
import type Libsql from 'libsql';
import type { Clock } from '../clock.ts';

/** The WAL-index, SQLite's -shm file, begins with two copies of a header of so many bytes (sqlite.org/walformat.html). */
const HEADER_BYTES = 48;
/** SQLite is asked at least so often, in case a file system shows a read something else than a mapping of the file. */
const MAX_TRUST_MS = 250;

/**
 * Returns a number that changes when another connection has committed, of this process or another: SQLite's
 * `data_version`, at a fraction of what asking for it costs.
 *
 * A commit of any connection changes the header of the WAL-index before it returns, and SQLite itself compares the
 * header with the one that it saw last to find out whether there was one. So the number stands while both copies are
 * those that were read before it was asked for, and SQLite is asked again
 *
 * - after each commit, own ones included, and after a restart of the WAL,
 * - each time while the copies differ: a process writes them, or was killed while it did, and SQLite repairs them,
 * - when a quarter of a second has passed since, and each time where there is no WAL-index to read.
 *
 * What SQLite answers within a transaction is as of its begin. That is no older than the header, because a transaction
 * here has the write lock from its begin to its end.
 */
export function watchForeignVersion({
  connection,
  file,
  clock,
}: {
  /** In WAL mode. Every statement has been read to its end when this is called, so no old snapshot is held. */
  connection: Pick<Libsql.Database, 'open' | 'prepare'>;
  file: string;
  clock: Pick<Clock, 'monotonic'>;
}): () => number {
  const statement = connection.prepare<[]>('PRAGMA data_version').raw();
  const ask = () => (statement.get() as [number])[0];
  let version = ask();
  const descriptor = findWalIndex(file);
  if (descriptor === undefined) return ask;

  let known = Buffer.alloc(2 * HEADER_BYTES);
  let current = Buffer.alloc(2 * HEADER_BYTES);
  let isKnown = false;
  let askAt = 0;
  return () => {
    // After its close SQLite may have given the descriptor back, and it may be that of another file.
    if (!connection.open) return ask();
    const now = clock.monotonic();
    const count = readSync(descriptor, current, 0, current.length, 0);
    if (isKnown && now < askAt && current.equals(known)) return version;
    isKnown = false;
    version = ask();
    [known, current] = [current, known];
    askAt = now + MAX_TRUST_MS;
    isKnown = count === known.length && known.compare(known, 0, HEADER_BYTES, HEADER_BYTES) === 0;
    return version;
  };
}

/**
 * The descriptor by which SQLite itself has the WAL-index of this database open, as long as a connection of this process
 * is. One of our own could not be closed without dropping the locks that SQLite holds on the file, and might be that of
 * a file which has taken its place. Undefined where the system does not tell: that is every one but Linux.
 */
function findWalIndex(file: string): number | undefined {
  try {
    const { dev, ino } = statSync(`${realpathSync(file)}-shm`);
    for (const name of readdirSync('/proc/self/fd')) {
      const open = statSync(`/proc/self/fd/${name}`, { throwIfNoEntry: false });
      if (open?.ino === ino && open.dev === dev) return Number(name);
    }
  } catch {
    // There is no /proc, or no WAL-index.
  }
  return undefined;
}
