import type { Clock } from './clock.ts';

/**
 * Returns a time that has passed for certain: the latest that the wall clock has not been before for at least `heldMs`, as far as
 * anybody has asked. A clock may be set forward by mistake and then back again, so what can never be undone, such as the removal
 * of what is old, must not follow it at once. There is no such time for the first `heldMs`, and once they are over it is at
 * most one question and twice `heldMs` behind the clock.
 */
export function createSettledTime(clock: Pick<Clock, 'now' | 'monotonic'>, heldMs: number): () => number {
  let former = Number.NEGATIVE_INFINITY;
  let current = clock.now();
  let begunAt = clock.monotonic();
  return () => {
    const now = clock.now();
    if (clock.monotonic() - begunAt >= heldMs) {
      former = Math.min(current, now);
      current = now;
      begunAt = clock.monotonic();
    }
    current = Math.min(current, now);
    return Math.min(former, current);
  };
}
