import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { createTokenBuckets } from '../token-bucket.ts';

/** A page has no more bytes of what it lists, unless its first item alone has more, or its list says otherwise. */
export const MAX_PAGE_BYTES = 65_536;

/**
 * Resolves in a turn of the event loop in which no other part of a list is made. What a part takes is bounded, so however
 * many lists are asked for at once, a call of DisconnectPlayer waits for one part at most.
 */
export type ListTurn = () => Promise<void>;

/** Must be made once for a node: its lists take turns, in the order in which they ask. */
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

/**
 * Settles as `part` does, which is called when there is time for it. Rejects with `throttled` when too many wait for that.
 * Parts of different lanes, such as games, take turns.
 */
export type ListShare = <T>(lane: string, part: () => Promise<T>) => Promise<T>;

/** How much of its time a node spends on lists that ask the directory and other nodes, and how long at once after a pause. */
const SHARE = 0.1;
const AT_ONCE_MS = 250;
/** A part that takes longer waits for a node that does not answer, and such a wait takes no time of the processor. */
const MAX_COUNTED_MS = 50;
/** How many parts may wait. The last of them waits for all others, a few seconds in a cluster. */
const MAX_WAITING = 32;
const RETRY_AFTER_MS = 1_000;

interface WaitingPart {
  go(): void;
  refuse(error: ServiceError): void;
}

/**
 * Must be made once for each kind of list. A part of a list takes the directory and other nodes time, too, so a caller who reads one page after
 * the other gets a share of it, and calls that cannot wait get the rest. One part is made at a time: the lanes take turns, and
 * within a lane parts come in the order in which they are asked for. When all places to wait are taken, a lane that has few of
 * them takes one of the lane that has most.
 */
export function createListShare(
  clock: Clock,
  { share = SHARE, maxWaiting = MAX_WAITING }: { readonly share?: number; readonly maxWaiting?: number } = {},
): ListShare {
  const time = createTokenBuckets({ ratePerSecond: 1_000 * share, burst: AT_ONCE_MS, maxKeys: 1, clock });
  /** The lane whose turn is next comes first. */
  const lanes = new Map<string, WaitingPart[]>();
  let waiting = 0;
  let isBusy = false;

  function next(): void {
    if (isBusy || waiting === 0) return;
    isBusy = true;
    const waitMs = time.peek('', 0);
    if (waitMs <= 0) takeOne()?.go();
    else {
      clock.after(waitMs, () => {
        isBusy = false;
        next();
      });
    }
  }

  function takeOne(): WaitingPart | undefined {
    for (const [lane, parts] of lanes) {
      const first = parts.shift();
      lanes.delete(lane);
      if (parts.length > 0) lanes.set(lane, parts);
      waiting -= 1;
      return first;
    }
    return undefined;
  }

  /** Makes room for a part of the lane, if another one has more that wait. */
  function displace(lane: string): boolean {
    let most: WaitingPart[] = [];
    for (const parts of lanes.values()) if (parts.length > most.length) most = parts;
    if (most.length <= (lanes.get(lane)?.length ?? 0) + 1) return false;
    most.pop()?.refuse(noPlace(maxWaiting));
    waiting -= 1;
    return true;
  }

  function turnOf(lane: string): Promise<void> {
    if (waiting >= maxWaiting && !displace(lane)) throw noPlace(maxWaiting);
    return new Promise((go, refuse) => {
      const parts = lanes.get(lane) ?? [];
      parts.push({ go, refuse });
      lanes.set(lane, parts);
      waiting += 1;
      next();
    });
  }

  return async (lane, part) => {
    await turnOf(lane);
    const startedAt = clock.monotonic();
    let isCounted = false;
    const end = () => {
      if (isCounted) return;
      isCounted = true;
      cancel();
      time.spend('', clock.monotonic() - startedAt);
      isBusy = false;
      next();
    };
    const cancel = clock.after(MAX_COUNTED_MS, end);
    try {
      return await part();
    } finally {
      end();
    }
  };
}

function noPlace(maxWaiting: number): ServiceError {
  const message = `${maxWaiting} lists and counts wait for this node already: try again in a second`;
  return new ServiceError('throttled', message, { retryAfterMs: RETRY_AFTER_MS });
}

/** How many of the items, and at least the first, a page has room for. */
export function fittingOnPage(bytes: readonly number[], maxBytes = MAX_PAGE_BYTES): number {
  let sum = 0;
  const end = bytes.findIndex((each, index) => {
    sum += each;
    return index > 0 && sum > maxBytes;
  });
  return end < 0 ? bytes.length : end;
}
