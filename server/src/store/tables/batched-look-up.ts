import { ServiceError } from '../../errors.ts';
import { putNewest } from '../../newest-entries.ts';

/** Names that one read asks for. */
const MAX_NAMES = 500;
/** While the database is away, each read takes as long as a statement may. So a look-up that would wait longer is refused. */
const MAX_WAITING_READS = 4;
const RETRY_AFTER_MS = 1_000;
/** More than there are records in use at once. */
const MAX_FOUND_NAMES = 10_000;

interface Batch<T> {
  readonly names: Set<string>;
  readonly found: Promise<ReadonlyMap<string, T>>;
}

/**
 * Looks records up by names that strangers may make up without end. One read is under way at a time, and whatever is asked
 * meanwhile is read by the next. Otherwise each stranger would take one of the few connections to the database, and while
 * that is slow, operators' calls would get none. What would have to wait for too many reads is an `internal` that may be tried again.
 * Names that have had a record have reads of their own, so that those of operators never wait for names that are made up.
 */
export function batchedLookUp<T>(
  read: (names: readonly string[]) => Promise<readonly T[]>,
  nameOf: (record: T) => string,
): (name: string) => Promise<T | undefined> {
  const findRecord = inBatches(read, nameOf);
  const findFound = inBatches(read, nameOf);
  /** The name that was asked for last comes last. */
  const found = new Map<string, true>();

  return async (name) => {
    const record = await (found.has(name) ? findFound(name) : findRecord(name));
    if (record === undefined) found.delete(name);
    else putNewest(found, name, true, MAX_FOUND_NAMES);
    return record;
  };
}

/** One read at a time, each for all that was asked during the one before. */
function inBatches<T>(
  read: (names: readonly string[]) => Promise<readonly T[]>,
  nameOf: (record: T) => string,
): (name: string) => Promise<T | undefined> {
  let last: Promise<unknown> = Promise.resolve();
  /** The read that has not begun. */
  let next: Batch<T> | undefined;
  let waiting = 0;

  function open(): Batch<T> {
    if (waiting >= MAX_WAITING_READS) {
      const message = 'too many look-ups are waiting for the database: try again';
      throw new ServiceError('internal', message, { retryAfterMs: RETRY_AFTER_MS });
    }
    const names = new Set<string>();
    waiting += 1;
    const begin = async () => {
      waiting -= 1;
      if (next?.names === names) next = undefined;
      const records = await read([...names]);
      return new Map(records.map((record) => [nameOf(record), record]));
    };
    const found = last.then(begin, begin);
    last = found;
    return { names, found };
  }

  return async (name) => {
    if (next === undefined || next.names.size >= MAX_NAMES) next = open();
    next.names.add(name);
    return (await next.found).get(name);
  };
}
