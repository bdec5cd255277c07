/** Names that one read asks for. */
const MAX_NAMES = 500;

interface Batch<T> {
  readonly names: Set<string>;
  readonly found: Promise<ReadonlyMap<string, T>>;
}

/**
 * Looks records up by names that strangers may make up without end. One read is under way at a time, and whatever is asked
 * meanwhile is read by the next. Otherwise each stranger would take one of the few connections to the database, and while
 * that is slow, operators' calls would get none.
 */
export function batchedLookUp<T>(
  read: (names: readonly string[]) => Promise<readonly T[]>,
  nameOf: (record: T) => string,
): (name: string) => Promise<T | undefined> {
  let last: Promise<unknown> = Promise.resolve();
  /** The read that has not begun. */
  let next: Batch<T> | undefined;

  function open(): Batch<T> {
    const names = new Set<string>();
    const begin = async () => {
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
