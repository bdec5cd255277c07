import type { Clock } from './clock.ts';

export interface TokenBucketLimits {
  readonly ratePerSecond: number;
  readonly burst: number;
  /**
   * How many keys are remembered. To make room for one more, the key used longest ago is forgotten and starts full
   * again, so no key is ever refused because there are many others.
   */
  readonly maxKeys: number;
}

export interface TokenBuckets {
  /**
   * Takes `count` tokens of the key and returns 0, or takes none and returns the milliseconds until there are enough.
   */
  take(key: string, count?: number): number;
  /** Takes `count` tokens of the key, even if it has not as many: until it does, `take` has to wait. */
  spend(key: string, count: number): void;
  /** What `take` would return now. */
  peek(key: string, count?: number): number;
  /** Keys that are remembered; 0 once every bucket is full again. */
  readonly size: number;
}

/** The rounding error in sums of fractions of a millisecond must not make a wait a whole millisecond longer. */
const ROUNDING_MS = 1e-6;

/** A token bucket for each key; an unknown key has a full one. The wait for more than `burst` at once is Infinity. */
export function createTokenBuckets({
  ratePerSecond,
  burst,
  maxKeys,
  clock,
}: TokenBucketLimits & { clock: Pick<Clock, 'monotonic'> }): TokenBuckets {
  /** When each bucket will be full, which is its whole state. The key used longest ago comes first. */
  const fullAt = new Map<string, number>();
  const tokenMs = 1000 / ratePerSecond;

  /** Stops at the first bucket that is not full, so each key is removed once. That one is full within a fill time. */
  function forgetFull(now: number): void {
    for (const [key, at] of fullAt) {
      if (at > now) break;
      fullAt.delete(key);
    }
  }

  function fullAfter(key: string, count: number, now: number): { readonly at: number; readonly waitMs: number } {
    const at = Math.max(fullAt.get(key) ?? now, now) + count * tokenMs;
    if (count > burst) return { at, waitMs: Number.POSITIVE_INFINITY };
    return { at, waitMs: Math.max(0, Math.ceil(at - now - burst * tokenMs - ROUNDING_MS)) };
  }

  /** Remembers when the bucket will be full; undefined for one that is full now. */
  function remember(key: string, at: number | undefined, now: number): void {
    fullAt.delete(key);
    forgetFull(now);
    for (const oldest of fullAt.keys()) {
      if (fullAt.size < maxKeys) break;
      fullAt.delete(oldest);
    }
    if (at !== undefined) fullAt.set(key, at);
  }

  return {
    take(key, count = 1) {
      const now = clock.monotonic();
      const { at, waitMs } = fullAfter(key, count, now);
      remember(key, waitMs === 0 ? at : fullAt.get(key), now);
      return waitMs;
    },
    spend(key, count) {
      const now = clock.monotonic();
      remember(key, fullAfter(key, count, now).at, now);
    },
    peek(key, count = 1) {
      return fullAfter(key, count, clock.monotonic()).waitMs;
    },
    get size() {
      forgetFull(clock.monotonic());
      return fullAt.size;
    },
  };
}
