import { ServiceError } from '../errors.ts';

/** When a caller may try again after there was no place to wait. */
const RETRY_AFTER_MS = 1_000;

/** Takes turns: one piece of work at a time for each owner, in the order in which they came. */
export interface Turns {
  /** Throws `throttled`, without calling `work`, when too much waits already. Otherwise settles as `work` does. */
  take<T>(owner: string, work: () => Promise<T>): Promise<T>;
}

/** At most `maxOfOwner` pieces of one owner's work run or wait, and `maxInAll` of all owners. */
export function createTurns({ maxOfOwner, maxInAll }: { maxOfOwner: number; maxInAll: number }): Turns {
  /** What waits for each owner whose work is running. */
  const waiting = new Map<string, (() => void)[]>();
  let inAll = 0;

  function admit(owner: string): void {
    const ofOwner = waiting.get(owner);
    if (inAll < maxInAll && (ofOwner === undefined || ofOwner.length + 1 < maxOfOwner)) return;
    throw new ServiceError(
      'throttled',
      'The server has as many long documents in work as it can: try again in a second',
      { retryAfterMs: RETRY_AFTER_MS },
    );
  }

  /** Resolves when no other work of the owner is running. */
  function turnOf(owner: string): Promise<void> {
    const ofOwner = waiting.get(owner);
    if (ofOwner !== undefined) return new Promise((resolve) => ofOwner.push(resolve));
    waiting.set(owner, []);
    return Promise.resolve();
  }

  function pass(owner: string): void {
    const next = waiting.get(owner)?.shift();
    if (next === undefined) waiting.delete(owner);
    else next();
  }

  return {
    async take(owner, work) {
      admit(owner);
      inAll += 1;
      await turnOf(owner);
      try {
        return await work();
      } finally {
        inAll -= 1;
        pass(owner);
      }
    },
  };
}
