import { ServiceError } from '../errors.ts';

/** When a caller may try again after there was no place to wait. */
const RETRY_AFTER_MS = 1_000;

/** Takes turns: one piece of work at a time for each owner, in the order in which they came. */
export interface OwnerTurns {
  /** Throws `throttled`, without calling `work`, when too much waits already. Otherwise settles as `work` does. */
  take<T>(owner: string, work: () => Promise<T>): Promise<T>;
}

/**
 * At most `maxOfOwner` pieces of one owner's work run or wait, and `maxInAll` of all owners. When all places are taken, an
 * owner who has none takes the newest of the owner who waits for most, which is then refused.
 */
export function createOwnerTurns({ maxOfOwner, maxInAll }: { maxOfOwner: number; maxInAll: number }): OwnerTurns {
  interface Waiting {
    go(): void;
    refuse(error: ServiceError): void;
  }
  /** What waits for each owner whose work is running. */
  const waiting = new Map<string, Waiting[]>();
  let inAll = 0;

  function admit(owner: string): void {
    const ofOwner = waiting.get(owner);
    if (ofOwner !== undefined && ofOwner.length + 1 >= maxOfOwner) throw noPlace();
    if (inAll >= maxInAll && (ofOwner !== undefined || !displace())) throw noPlace();
    inAll += 1;
  }

  /** Returns false when no owner has more than one piece of work waiting. */
  function displace(): boolean {
    let most: Waiting[] = [];
    for (const ofOwner of waiting.values()) if (ofOwner.length > most.length) most = ofOwner;
    if (most.length < 2) return false;
    most.pop()?.refuse(noPlace());
    inAll -= 1;
    return true;
  }

  /** Resolves when no other work of the owner is running. Rejects when another owner takes the place. */
  function turnOf(owner: string): Promise<void> {
    const ofOwner = waiting.get(owner);
    if (ofOwner !== undefined) return new Promise((go, refuse) => ofOwner.push({ go, refuse }));
    waiting.set(owner, []);
    return Promise.resolve();
  }

  function pass(owner: string): void {
    const next = waiting.get(owner)?.shift();
    if (next === undefined) waiting.delete(owner);
    else next.go();
  }

  return {
    async take(owner, work) {
      admit(owner);
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

function noPlace(): ServiceError {
  const message = 'The server has as many long documents in work as it can: try again in a second';
  return new ServiceError('throttled', message, { retryAfterMs: RETRY_AFTER_MS });
}
