/** A page has no more bytes of what it lists, unless its first item alone has more. */
export const MAX_PAGE_BYTES = 65_536;

/**
 * Resolves in a turn of the event loop in which no other part of a list is made. What a part takes is bounded, so however
 * many lists are asked for at once, whoever wants a player disconnected waits for one part at most.
 */
export type ListTurn = () => Promise<void>;

/** To be made once for a node: its lists take turns, in the order in which they ask. */
export function createListTurn(
  /** Runs a task in the next turn of the event loop. */
  later: (task: () => void) => unknown = setImmediate,
): ListTurn {
  let last = Promise.resolve();
  return () => {
    last = last.then(() => new Promise<void>((resolve) => void later(resolve)));
    return last;
  };
}

/** How many of the items, and at least the first, a page has room for. */
export function fittingOnPage(bytes: readonly number[]): number {
  let sum = 0;
  const end = bytes.findIndex((each, index) => {
    sum += each;
    return index > 0 && sum > MAX_PAGE_BYTES;
  });
  return end < 0 ? bytes.length : end;
}
