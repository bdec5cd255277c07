import { type Clock, passed } from '../clock.ts';
import { createSlices } from './slices.ts';

const STEP_MS = 100;

/**
 * Handles each item, so many per second; a rate of 0 is without bounds. Other work has its turn meanwhile, and what is added is
 * handled too.
 */
export async function paced<T>(
  items: Iterable<T>,
  { ratePerSecond, clock }: { ratePerSecond: number; clock: Clock },
  handle: (item: T) => void,
): Promise<void> {
  const atOnce = ratePerSecond === 0 ? Number.POSITIVE_INFINITY : Math.max(1, (ratePerSecond * STEP_MS) / 1_000);
  let pauseIfDue = createSlices(clock);
  let due = atOnce;
  for (const item of items) {
    const pause = pauseIfDue();
    if (pause !== undefined) await pause;
    handle(item);
    due -= 1;
    for (; due < 1; due += atOnce) {
      const stepMs = Math.max(STEP_MS, 1_000 / ratePerSecond);
      await passed(stepMs, clock);
      pauseIfDue = createSlices(clock);
    }
  }
}
