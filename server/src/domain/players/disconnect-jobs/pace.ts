import type { Clock } from '../../../clock.ts';
import type { Pauses } from '../../../pauses.ts';

const STEP_MS = 100;
/** What was not used for a while is not made up for. */
const MAX_SAVED_MS = 250;

/** Work in parts, so much of it a second. */
export interface Pace {
  /** How many of so many may be dealt with next; waits until it is a good part of them. */
  take(wanted: number): Promise<number>;
}

export function createPace({
  ratePerSecond,
  clock,
  pauses,
}: {
  ratePerSecond: number;
  clock: Pick<Clock, 'monotonic'>;
  pauses: Pick<Pauses, 'pause' | 'isEnded'>;
}): Pace {
  const perMs = ratePerSecond / 1_000;
  const part = Math.max(1, Math.ceil(perMs * STEP_MS));
  const most = Math.max(1, perMs * MAX_SAVED_MS);
  let allowed = 1;
  let countedAt = clock.monotonic();
  return {
    async take(wanted) {
      const enough = Math.min(wanted, part);
      for (;;) {
        const now = clock.monotonic();
        allowed = Math.min(most, allowed + (now - countedAt) * perMs);
        countedAt = now;
        if (allowed >= enough || pauses.isEnded) break;
        await pauses.pause(Math.ceil((enough - allowed) / perMs));
      }
      const taken = Math.min(wanted, Math.floor(allowed));
      allowed -= taken;
      return taken;
    },
  };
}
