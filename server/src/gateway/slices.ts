import { type Clock, passed } from '../clock.ts';
import type { MaybePromise } from '../maybe-promise.ts';

/** How many connections are dealt with before other work has its turn, and how long that may take. */
const SLICE_CONNECTIONS = 100;
const SLICE_MS = 2;
const PAUSE_MS = 1;

/** Ending a connection takes about as long as looking at a thousand. */
const ENDS_AT_ONCE = 8;

/**
 * For work on very many connections, which must not hold up the others. Call the returned function before each connection:
 * when other work is to have its turn first, it returns a promise to wait for.
 */
export function createSlices(clock: Clock, sliceConnections = SLICE_CONNECTIONS): () => Promise<void> | undefined {
  let [left, endsAt] = [sliceConnections, clock.monotonic() + SLICE_MS];
  const pause = async () => {
    await passed(PAUSE_MS, clock);
    // The caller deals with one connection right after the pause.
    [left, endsAt] = [sliceConnections - 1, clock.monotonic() + SLICE_MS];
  };
  return () => {
    left -= 1;
    return left < 0 || clock.monotonic() >= endsAt ? pause() : undefined;
  };
}

/**
 * Ends one after the other, and lets other work have its turn. Settles once all have ended, and rejects if one of them failed;
 * that stops none of the others.
 */
export async function endEach<T>(
  items: Iterable<T>,
  clock: Clock,
  end: (item: T) => MaybePromise<void>,
): Promise<void> {
  const pauseIfDue = createSlices(clock, ENDS_AT_ONCE);
  let first: { readonly error: unknown } | undefined;
  const endOne = async (item: T) => {
    try {
      await end(item);
    } catch (error) {
      first ??= { error };
    }
  };
  const ends: Promise<void>[] = [];
  for (const item of items) {
    await pauseIfDue();
    ends.push(endOne(item));
  }
  await Promise.all(ends);
  if (first !== undefined) throw first.error;
}

/** Runs work for a key, such as a stage, once what was begun for it before has ended. */
export function createOneAtATime(): (key: string, work: () => Promise<void>) => Promise<void> {
  const newest = new Map<string, Promise<void>>();
  return (key, work) => {
    const before = newest.get(key);
    const next = before === undefined ? work() : before.then(work, work);
    newest.set(key, next);
    const forget = () => {
      if (newest.get(key) === next) newest.delete(key);
    };
    next.then(forget, forget);
    return next;
  };
}
