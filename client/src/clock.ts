/** The SDK's only source of time; tests pass one that they move themselves. */
export interface Clock {
  /** Milliseconds that never jump or run backwards. */
  monotonic(): number;
  /** Runs `task` once after `delayMs`, or after 24 days if that is less. The returned function cancels it. */
  after(delayMs: number, task: () => void): () => void;
}

/** A longer delay would make `setTimeout` fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, Math.min(delayMs, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};
