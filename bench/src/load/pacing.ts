/**
 * When calls are made: `atOnce` at any time, each as soon as one ends, or `perSecond`, whatever the answers take. A
 * generator that is sparing leaves its core to the server between calls, and is up to a millisecond late: its calls
 * count from when they are made.
 */
export type Pacing = { readonly atOnce: number } | { readonly perSecond: number; readonly isSparing?: boolean };

/** Timers are too coarse to be exact: for the last moments before a call the generator spins the event loop instead. */
const SPIN_MS = 2;

/**
 * Makes `count` calls and resolves when all have ended. Each gets the time when it was due, from which its duration
 * counts: if a busy generator or server delays a call, that time is part of it.
 */
export async function paced(
  count: number,
  pacing: Pacing,
  call: (index: number, dueAt: number) => Promise<void>,
): Promise<void> {
  if ('atOnce' in pacing) {
    let next = 0;
    const work = async () => {
      while (next < count) {
        const index = next;
        next += 1;
        await call(index, performance.now());
      }
    };
    await Promise.all(Array.from({ length: Math.min(pacing.atOnce, count) }, work));
    return;
  }
  const { perSecond, isSparing = false } = pacing;
  const startAt = performance.now() + 2 * SPIN_MS;
  const calls: Promise<void>[] = [];
  for (let index = 0; index < count; index += 1) {
    const dueAt = startAt + (index * 1000) / perSecond;
    await until(dueAt, isSparing ? 0 : SPIN_MS);
    calls.push(call(index, isSparing ? performance.now() : dueAt));
  }
  await Promise.all(calls);
}

async function until(time: number, spinMs: number): Promise<void> {
  const leftMs = time - performance.now();
  if (leftMs > spinMs) await new Promise((resolve) => setTimeout(resolve, leftMs - spinMs));
  if (spinMs === 0) return;
  while (performance.now() < time) await new Promise((resolve) => setImmediate(resolve));
}
