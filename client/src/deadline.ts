import type { Clock } from './clock.ts';

/** A timer that fires this much after its time was held back: by a hidden tab, a sleeping machine or a busy thread. */
export const LATE_MS = 200;
/** How much longer the client waits, at most, when a timer was held back. */
export const GRACE_MS = 5_000;

/**
 * Runs `task` unless what the caller waits for comes within `delayMs` and cancels it. A timer that fires late proves
 * nothing, because what it waits for may lie unread behind it: it is then set once more, for GRACE_MS at most. The task
 * gets to know how long after the deadline it runs.
 */
export function afterDeadline(clock: Clock, delayMs: number, task: (lateMs: number) => void): () => void {
  const dueAtMs = clock.monotonic() + delayMs;
  const lateMs = () => Math.max(0, clock.monotonic() - dueAtMs);
  let cancel = clock.after(delayMs, () => {
    if (lateMs() < LATE_MS) task(lateMs());
    else cancel = clock.after(Math.min(delayMs, GRACE_MS), () => task(lateMs()));
  });
  return () => cancel();
}
