import type { Clock } from '../clock.ts';
import { Counts } from '../counts.ts';
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
   * with false only when closing, which leaves the rest to the next start. `lanes` name whose work it is.
   */
  run(id: string, attempt: () => Promise<boolean>, lanes?: readonly Lane[]): Promise<boolean>;
}

/** One owner of work, such as a game, and how many attempts for it run at the same time at most. */
export interface Lane {
  readonly name: string;
  readonly max: number;
}

/**
 * At most `maxAtOnce` attempts run at the same time, and of each lane as many as it says, so that long work of one does not
 * hold up that of all others; `failure` is the message that is logged when one rejects.
 */
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
  const places = createPlaces(maxAtOnce);

  async function persevere(id: string, attempt: () => Promise<boolean>, lanes: readonly Lane[]): Promise<boolean> {
    for (let pauseMs = FIRST_PAUSE_MS; !pauses.isEnded; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      try {
        if (await inTurn(attempt, lanes)) return true;
      } catch (error) {
        log.warn({ err: error, resourceId: id, retryAfterMs: pauseMs }, failure);
      }
      await pauses.pause(pauseMs);
    }
    return false;
  }

  async function inTurn(attempt: () => Promise<boolean>, lanes: readonly Lane[]): Promise<boolean> {
    if (!places.take(lanes)) await places.wait(lanes);
    try {
      return pauses.isEnded ? false : await attempt();
    } finally {
      places.leave(lanes);
    }
  }

  async function settled(): Promise<void> {
    while (underWay.size > 0) await Promise.all(underWay.values());
  }

  return {
    run(id, attempt, lanes = []) {
      const known = underWay.get(id);
      if (known !== undefined) return known;
      const work = persevere(id, attempt, lanes).finally(() => underWay.delete(id));
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

interface Waiting {
  readonly lanes: readonly Lane[];
  readonly begin: () => void;
}

function createPlaces(maxAtOnce: number) {
  const waiting: Waiting[] = [];
  const taken = new Counts();
  /** The last lanes of what waits. That whose turn it is comes first. */
  const order = new Set<string>();
  let running = 0;

  const hasRoom = (lanes: readonly Lane[]) =>
    running < maxAtOnce && lanes.every(({ name, max }) => taken.of(name) < max);

  /** Those that wait take turns by their last lanes, which are the widest. */
  const turnOf = (lanes: readonly Lane[]) => lanes.at(-1)?.name ?? '';

  function findNext(): Waiting | undefined {
    const ready = waiting.filter(({ lanes }) => hasRoom(lanes));
    for (const turn of order) {
      const next = ready.find(({ lanes }) => turnOf(lanes) === turn);
      if (next !== undefined) return next;
    }
    return undefined;
  }

  function change(lanes: readonly Lane[], by: 1 | -1): void {
    running += by;
    for (const { name } of lanes) taken.add(name, by);
  }

  return {
    /** Takes a place if there is one now. */
    take(lanes: readonly Lane[]): boolean {
      if (!hasRoom(lanes)) return false;
      change(lanes, 1);
      return true;
    },

    /** Resolves with a place. */
    wait: (lanes: readonly Lane[]) =>
      new Promise<void>((resolve) => {
        order.add(turnOf(lanes));
        waiting.push({ lanes, begin: resolve });
      }),

    /** The place goes to what has waited longest of the lane whose turn it is, of those that have room. */
    leave(lanes: readonly Lane[]): void {
      change(lanes, -1);
      const next = findNext();
      if (next === undefined) return;
      waiting.splice(waiting.indexOf(next), 1);
      const turn = turnOf(next.lanes);
      order.delete(turn);
      if (waiting.some((each) => turnOf(each.lanes) === turn)) order.add(turn);
      change(next.lanes, 1);
      next.begin();
    },
  };
}
