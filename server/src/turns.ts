import type { Clock } from './clock.ts';

/** How long clients' work may hold up one turn of the event loop before the rest of it waits for the next turn. */
const TURN_MS = 2;

/** Runs `work` in its turn, which is now while there is time left, and gives what it gives. */
export function inTurn<T>(turns: Turns, lane: string, work: () => Promise<T>): Promise<T> {
  if (turns.isOpen(lane)) return work();
  return new Promise((resolve, reject) => turns.wait(lane, () => void work().then(resolve, reject)));
}

/**
 * Shares the event loop out among clients. Work runs at once while its turn of the loop has time left; otherwise it
 * waits in the lane of its client, and the lanes take turns: one piece of work each, between which the loop reads and
 * writes its sockets. A client that sends much is therefore never in the way of one that sends little.
 */
export interface Turns {
  /** Whether a client's next piece of work may run now. It must not when earlier work of its lane is waiting. */
  isOpen(lane: string): boolean;
  /** Has `work` run in one of the next turns, after what waits in its lane. The caller bounds how much that is. */
  wait(lane: string, work: () => void): void;
  /** Pieces of work that are waiting. */
  readonly size: number;
}

export function createTurns({
  clock,
  later = setImmediate,
  turnMs = TURN_MS,
}: {
  clock: Pick<Clock, 'monotonic'>;
  /** How long the work may hold up one turn of the event loop. */
  turnMs?: number;
  /** Runs a task in the next turn of the event loop, after its sockets have been read. */
  later?: (task: () => void) => unknown;
}): Turns {
  /** Lane → what waits in it, the oldest first. The lane whose turn it is comes first. A lane is never empty. */
  const lanes = new Map<string, (() => void)[]>();
  let size = 0;
  /** When the present turn of the loop ends; undefined before it has any work. */
  let endsAt: number | undefined;
  /** How many calls of `runOne` are to come. */
  let calls = 0;

  function begin(): number {
    endsAt = clock.monotonic() + turnMs;
    later(end);
    return endsAt;
  }

  function end(): void {
    endsAt = undefined;
    if (size === 0) return;
    begin();
    // Each piece has a call of its own, so that the promises which it settles are taken care of before the next piece.
    for (; calls < Math.min(size, MAX_CALLS); calls += 1) later(runOne);
  }

  function runOne(): void {
    calls -= 1;
    if (endsAt !== undefined && clock.monotonic() >= endsAt) return;
    const [first] = lanes;
    if (first === undefined) return;
    const [lane, waiting] = first;
    const work = waiting.shift();
    lanes.delete(lane);
    if (waiting.length > 0) lanes.set(lane, waiting);
    size -= 1;
    work?.();
  }

  return {
    isOpen(lane) {
      const now = clock.monotonic();
      return now < (endsAt ?? begin()) && !lanes.has(lane);
    },
    wait(lane, work) {
      if (endsAt === undefined) begin();
      size += 1;
      const waiting = lanes.get(lane);
      if (waiting === undefined) lanes.set(lane, [work]);
      else waiting.push(work);
    },
    get size() {
      return size;
    },
  };
}

/** How many pieces one turn prepares to run. Pieces that take less than a turn / MAX_CALLS each leave time unused. */
const MAX_CALLS = 64;
