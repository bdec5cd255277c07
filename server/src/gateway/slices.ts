import type { Clock } from '../clock.ts';

/** How many connections are dealt with before other work has its turn, and how long that may take. */
const SLICE_CONNECTIONS = 100;
const SLICE_MS = 2;
const PAUSE_MS = 1;

/**
 * For work on very many connections, which must not hold up the others: to be called before each. Gives a promise to wait
 * for when other work is to have its turn.
 */
export function createSlices(clock: Clock, sliceConnections = SLICE_CONNECTIONS): () => Promise<void> | undefined {
  let [left, endsAt] = [sliceConnections, clock.monotonic() + SLICE_MS];
  const pause = async () => {
    await new Promise<void>((resolve) => void clock.after(PAUSE_MS, resolve));
    // One of them is dealt with right after the pause.
    [left, endsAt] = [sliceConnections - 1, clock.monotonic() + SLICE_MS];
  };
  return () => {
    left -= 1;
    return left < 0 || clock.monotonic() >= endsAt ? pause() : undefined;
  };
}
