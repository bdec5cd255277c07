/** Lanes without work that are remembered, so that none can shed what it used by pausing for a moment. */
const MAX_IDLE_LANES = 1_000;

interface Lane<T> {
  /** What the lane's work has cost so far; a newcomer begins with what the cheapest of the others has used. */
  used: number;
  waiting: number;
  /** Party → its work, in the order in which it came. The party whose turn is next is first. */
  readonly parties: Map<string, T[]>;
}

/**
 * Work that waits, in lanes. The lane that has used least goes first, however much waits in the others; within a lane its
 * parties take turns.
 */
export class FairQueue<T> {
  readonly #maxWaiting: number;
  readonly #maxWaitingPerLane: number;
  readonly #lanes = new Map<string, Lane<T>>();
  #waiting = 0;

  constructor({ maxWaiting, maxWaitingPerLane }: { maxWaiting: number; maxWaitingPerLane: number }) {
    this.#maxWaiting = maxWaiting;
    this.#maxWaitingPerLane = maxWaitingPerLane;
  }

  get size(): number {
    return this.#waiting;
  }

  /** Returns false, and forgets the work, when too much waits. */
  add(laneName: string, party: string, work: T): boolean {
    const lane = this.#lanes.get(laneName) ?? this.#open(laneName);
    if (this.#waiting >= this.#maxWaiting || lane.waiting >= this.#maxWaitingPerLane) return false;
    if (lane.waiting === 0) lane.used = Math.max(lane.used, this.#leastUsed());
    const ofParty = lane.parties.get(party);
    if (ofParty === undefined) lane.parties.set(party, [work]);
    else ofParty.push(work);
    lane.waiting += 1;
    this.#waiting += 1;
    return true;
  }

  /** The work whose turn it is, of the lanes that may have one now. */
  take(mayRun: (lane: string) => boolean): T | undefined {
    let next: Lane<T> | undefined;
    for (const [name, lane] of this.#lanes) {
      if (lane.waiting > 0 && (next === undefined || lane.used < next.used) && mayRun(name)) next = lane;
    }
    if (next === undefined) return undefined;
    const [party, work] = next.parties.entries().next().value as [string, T[]];
    next.parties.delete(party);
    const first = work.shift();
    if (work.length > 0) next.parties.set(party, work);
    next.waiting -= 1;
    this.#waiting -= 1;
    return first;
  }

  /** Counts what the lane's work has cost. */
  charge(laneName: string, cost: number): void {
    const lane = this.#lanes.get(laneName);
    if (lane !== undefined) lane.used += cost;
  }

  /** Empties the queue. */
  clear(): T[] {
    const all = [...this.#lanes.values()].flatMap(({ parties }) => [...parties.values()].flat());
    this.#lanes.clear();
    this.#waiting = 0;
    return all;
  }

  #open(name: string): Lane<T> {
    if (this.#lanes.size >= MAX_IDLE_LANES) {
      for (const [other, { waiting }] of this.#lanes) if (waiting === 0) this.#lanes.delete(other);
    }
    const lane: Lane<T> = { used: 0, waiting: 0, parties: new Map() };
    this.#lanes.set(name, lane);
    return lane;
  }

  #leastUsed(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { used, waiting } of this.#lanes.values()) if (waiting > 0 && used < least) least = used;
    return least === Number.POSITIVE_INFINITY ? 0 : least;
  }
}
