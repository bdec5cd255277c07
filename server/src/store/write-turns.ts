import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Clock } from '../clock.ts';

/** A transaction that takes longer waits for something other than the disk, and holds up no other meanwhile. */
const MAX_PAUSE_MS = 10;

/** Settles as `write` does, which is called when it is its turn. */
export type WriteTurns = <T>(write: () => Promise<T>) => Promise<T>;

/**
 * Has writes that hold up the event loop come one after the other. Between two of those that wait, everything else goes on for
 * as long as the first has taken: without that, all that are asked for at once would be done before anything else.
 */
export function createWriteTurns({ clock }: { clock: Pick<Clock, 'monotonic'> }): WriteTurns {
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  return async (write) => {
    const before = last;
    let pass = () => {};
    last = new Promise((resolve) => {
      pass = resolve;
    });
    waiting += 1;
    await before;
    waiting -= 1;
    const startedAt = clock.monotonic();
    try {
      return await write();
    } finally {
      if (waiting === 0) pass();
      else void pause(clock.monotonic() - startedAt).then(pass);
    }
  };
}

/** These timers keep the process alive: a command must not end silently while it waits for its turn. */
async function pause(ms: number): Promise<void> {
  if (ms < 1) await setImmediate();
  else await setTimeout(Math.min(ms, MAX_PAUSE_MS));
}
