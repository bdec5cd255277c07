import { type Clock, passed } from '../clock.ts';

const STEP_MS = 100;

/** Handles each item, so many per second; a rate of 0 is without bounds. What is added meanwhile is handled too. */
export async function paced<T>(
  items: Iterable<T>,
  { ratePerSecond, clock }: { ratePerSecond: number; clock: Clock },
  handle: (item: T) => void,
): Promise<void> {
  const atOnce = ratePerSecond === 0 ? Number.POSITIVE_INFINITY : Math.max(1, (ratePerSecond * STEP_MS) / 1_000);
  let due = atOnce;
  for (const item of items) {
    handle(item);
    due -= 1;
    for (; due < 1; due += atOnce) {
      const stepMs = Math.max(STEP_MS, 1_000 / ratePerSecond);
      await passed(stepMs, clock);
    }
  }
}
