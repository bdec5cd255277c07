import type { Clock } from './clock.ts';

/** How long clients' work may hold up one turn of the event loop before the rest of it waits for the next turn. */
const TURN_MS = 2;

/** Runs `work` in its turn, which is now while there is time left, and settles as it does. */
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
  /**
   * From now on, has every second piece of work that waits be one of this lane or of others that are preferred, so that
   * however many lanes there are of strangers, a client that has shown who it is waits for few of them.
   */
  prefer(lane: string): void;
  /**
   * Says that a socket has come. Node.js takes one in each turn of the loop, and others may be waiting for the next, so the
   * turn has time for one piece of work only.
   */
  noteArrival(): void;
  /** Pieces of work that are waiting. */
  readonly size: number;
  /** What waits in a lane: how many pieces, and for how many milliseconds there has always been one. */
  backlogOf(lane: string): Backlog;
}

export interface Backlog {
  readonly pieces: number;
  readonly ms: number;
}

export function createTurns({
  clock,
  later = setImmediate,
  turnMs = TURN_MS,
  networkOf = (lane) => lane,
}: {
  clock: Pick<Clock, 'monotonic'>;
  /** How long the work may hold up one turn of the event loop. */
  turnMs?: number;
  /** Runs a task in the next turn of the event loop, after its sockets have been read. */
  later?: (task: () => void) => unknown;
  /** The network of a lane. Networks take turns, then the lanes within one: a client with many lanes gets no more turns. */
  networkOf?: (lane: string) => string;
}): Turns {
  const preferred = new Set<string>();
  const preferredLanes = new Lanes(networkOf);
  const otherLanes = new Lanes(networkOf);
  let wasPreferred = false;
  let hasArrival = false;
  /** Whether none of what waits has run in the present turn of the loop: one piece always may. */
  let isFirst = false;
  let size = 0;
  /** When the present turn of the loop ends; undefined before it has any work. */
  let endsAt: number | undefined;
  /** How many calls of `runOne` are to come. */
  let calls = 0;

  function begin(): number {
    endsAt = clock.monotonic() + (hasArrival ? 0 : turnMs);
    hasArrival = false;
    later(end);
    return endsAt;
  }

  function end(): void {
    endsAt = undefined;
    if (size === 0) return;
    begin();
    isFirst = true;
    // Each piece has a call of its own, so that the promises which it settles are taken care of before the next piece.
    for (; calls < Math.min(size, MAX_CALLS); calls += 1) later(runOne);
  }

  function runOne(): void {
    calls -= 1;
    if (size === 0 || (!isFirst && endsAt !== undefined && clock.monotonic() >= endsAt)) return;
    isFirst = false;
    wasPreferred = otherLanes.size === 0 || (preferredLanes.size > 0 && !wasPreferred);
    size -= 1;
    (wasPreferred ? preferredLanes : otherLanes).takeFirst()?.();
  }

  /** What waits in a lane stays with it when the lane becomes a preferred one, or is forgotten. */
  function lanesOf(lane: string): Lanes {
    if (preferredLanes.has(lane)) return preferredLanes;
    return preferred.has(lane) && !otherLanes.has(lane) ? preferredLanes : otherLanes;
  }

  return {
    isOpen(lane) {
      const now = clock.monotonic();
      return now < (endsAt ?? begin()) && !preferredLanes.has(lane) && !otherLanes.has(lane);
    },
    wait(lane, work) {
      if (endsAt === undefined) begin();
      size += 1;
      const lanes = lanesOf(lane);
      const waiting = lanes.get(lane)?.waiting;
      if (waiting === undefined) lanes.add(lane, { waiting: [work], since: clock.monotonic() });
      else waiting.push(work);
    },
    prefer(lane) {
      preferred.delete(lane);
      preferred.add(lane);
      if (preferred.size <= MAX_PREFERRED) return;
      const [oldest = ''] = preferred;
      preferred.delete(oldest);
    },
    noteArrival() {
      hasArrival = true;
    },
    get size() {
      return size;
    },
    backlogOf(lane) {
      const found = preferredLanes.get(lane) ?? otherLanes.get(lane);
      return found === undefined
        ? { pieces: 0, ms: 0 }
        : { pieces: found.waiting.length, ms: clock.monotonic() - found.since };
    },
  };
}

/** What waits in a lane, the oldest first, and since when there has always been something. A lane is never empty. */
interface Lane {
  readonly waiting: (() => void)[];
  readonly since: number;
}

/** Lanes in which something waits. */
class Lanes {
  readonly #networkOf: (lane: string) => string;
  readonly #lanes = new Map<string, Lane>();
  /** Network → its lanes; of both, that whose turn it is comes first. */
  readonly #networks = new Map<string, Set<string>>();

  constructor(networkOf: (lane: string) => string) {
    this.#networkOf = networkOf;
  }

  get size(): number {
    return this.#lanes.size;
  }

  has(name: string): boolean {
    return this.#lanes.has(name);
  }

  get(name: string): Lane | undefined {
    return this.#lanes.get(name);
  }

  add(name: string, lane: Lane): void {
    this.#lanes.set(name, lane);
    const network = this.#networkOf(name);
    const names = this.#networks.get(network);
    if (names === undefined) this.#networks.set(network, new Set([name]));
    else names.add(name);
  }

  /** Takes the first piece of the lane whose turn it is. */
  takeFirst(): (() => void) | undefined {
    const [first] = this.#networks;
    if (first === undefined) return undefined;
    const [network, names] = first;
    const [name = ''] = names;
    const waiting = this.#lanes.get(name)?.waiting ?? [];
    const work = waiting.shift();
    names.delete(name);
    if (waiting.length > 0) names.add(name);
    else this.#lanes.delete(name);
    this.#networks.delete(network);
    if (names.size > 0) this.#networks.set(network, names);
    return work;
  }
}

/** Beyond this many, the lane that was preferred longest ago is one of the others again. */
const MAX_PREFERRED = 30_000;

/** How many pieces one turn prepares to run. Pieces that take less than a turn / MAX_CALLS each leave time unused. */
const MAX_CALLS = 64;
