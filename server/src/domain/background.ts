import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { createPauses } from '../pauses.ts';

const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 30_000;

/** A kind of work that outlives the request that started it. The store records what must be done. */
export interface BackgroundWork {
  /** Names the work in the log, and in the list of what a stop releases. */
  readonly name: string;
  /** Goes on with everything that is unfinished, in the background. Rejects when the store cannot be read. */
  resume(): Promise<void>;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
  /** Starts no further attempt and resolves when those under way have ended; the next start goes on with the rest. */
  close(): Promise<void>;
}

/** What is running now, at most once per id; the store, not this object, knows what must be done. */
export interface Background extends Pick<BackgroundWork, 'settled' | 'close'> {
  /**
   * Does the work of this id, unless it is under way already. `attempt` is called again, after pauses that grow, until
   * it resolves with true, which says that nothing is left to do; a rejection is logged as well. Never rejects; resolves
   * with false only when closing, which leaves the rest to the next start.
   */
  run(id: string, attempt: () => Promise<boolean>): Promise<boolean>;
}

/** At most `maxAtOnce` attempts run at the same time; `failure` is the message that is logged when one rejects. */
export function createBackground({
  clock,
  log,
  failure,
  maxAtOnce = Number.POSITIVE_INFINITY,
}: {
  clock: Clock;
  log: Log;
  failure: string;
  maxAtOnce?: number;
}): Background {
  const underWay = new Map<string, Promise<boolean>>();
  const pauses = createPauses(clock);
  const waiting: (() => void)[] = [];
  let running = 0;

  async function persevere(id: string, attempt: () => Promise<boolean>): Promise<boolean> {
    for (let pauseMs = FIRST_PAUSE_MS; !pauses.isEnded; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      try {
        if (await inTurn(attempt)) return true;
      } catch (error) {
        log.warn({ err: error, resourceId: id, retryAfterMs: pauseMs }, failure);
      }
      await pauses.pause(pauseMs);
    }
    return false;
  }

  async function inTurn(attempt: () => Promise<boolean>): Promise<boolean> {
    if (running < maxAtOnce) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return pauses.isEnded ? false : await attempt();
    } finally {
      // The place goes to the attempt that has waited longest, if there is one.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  }

  async function settled(): Promise<void> {
    while (underWay.size > 0) await Promise.all(underWay.values());
  }

  return {
    run(id, attempt) {
      const known = underWay.get(id);
      if (known !== undefined) return known;
      const work = persevere(id, attempt).finally(() => underWay.delete(id));
      underWay.set(id, work);
      return work;
    },
    settled,
    async close() {
      pauses.end();
      await settled();
    },
  };
}
