/** Lanes without work that are remembered, so that none can shed what it used by pausing for a moment. */
const MAX_IDLE_LANES = 1_000;

interface Lane<T> {
  /** What the lane's work has cost, counted from where the lane began. */
  used: number;
  waiting: number;
  /** Bytes that the lane's work takes. */
  bytes: number;
  /** Work that was taken and put back, which comes before all other work. The next is the last. */
  readonly returned: Returned<T>[];
  /** Party → its work, in the order in which it came. The party whose turn is next is first. */
  readonly parties: Map<string, Entry<T>[]>;
}

interface Entry<T> {
  readonly work: T;
  readonly bytes: number;
}

interface Returned<T> extends Entry<T> {
  readonly party: string;
}

/** How much may wait, in all and in each lane. */
export interface QueueLimits {
  readonly maxWaiting: number;
  readonly maxWaitingPerLane: number;
  readonly maxBytes: number;
  readonly maxBytesPerLane: number;
}

/**
 * Work that waits, in lanes. The lane that has used least goes first, however much waits in the others; within a lane its
 * parties take turns.
 */
export class FairQueue<T> {
  readonly #limits: QueueLimits;
  readonly #lanes = new Map<string, Lane<T>>();
  /** Where lanes begin that come: at what the lane whose turn it was last had used. It never goes back. */
  #start = 0;
  /** What the lane has used that has used most. */
  #most = 0;
  #waiting = 0;
  #bytes = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#waiting;
  }

  /** Returns false, and forgets the work, when too much waits. */
  add(laneName: string, party: string, work: T, bytes: number): boolean {
    const lane = this.#lanes.get(laneName) ?? this.#open(laneName);
    const { maxWaiting, maxWaitingPerLane, maxBytes, maxBytesPerLane } = this.#limits;
    if (this.#waiting >= maxWaiting || lane.waiting >= maxWaitingPerLane) return false;
    if (this.#bytes + bytes > maxBytes || lane.bytes + bytes > maxBytesPerLane) return false;
    // While nobody had to wait, nobody took anything from others.
    if (this.#waiting === 0) this.#start = this.#most;
    if (lane.waiting === 0) lane.used = Math.max(lane.used, this.#start);
    const ofParty = lane.parties.get(party);
    if (ofParty === undefined) lane.parties.set(party, [{ work, bytes }]);
    else ofParty.push({ work, bytes });
    lane.waiting += 1;
    lane.bytes += bytes;
    this.#waiting += 1;
    this.#bytes += bytes;
    return true;
  }

  /**
   * The work whose turn it is, of the lanes that may have theirs done now. With the name of a lane: only if it is the turn
   * of that lane.
   */
  take(mayRun: (lane: string, work: T) => boolean, onlyLane?: string): T | undefined {
    let next: Lane<T> | undefined;
    let nextName: string | undefined;
    for (const [name, lane] of this.#lanes) {
      const first = firstOf(lane);
      if (first === undefined || (next !== undefined && lane.used >= next.used) || !mayRun(name, first.work)) continue;
      [next, nextName] = [lane, name];
    }
    if (next === undefined || (onlyLane !== undefined && nextName !== onlyLane)) return undefined;
    this.#start = Math.max(this.#start, next.used);
    const { work, bytes } = takeFirst(next);
    next.waiting -= 1;
    next.bytes -= bytes;
    this.#waiting -= 1;
    this.#bytes -= bytes;
    return work;
  }

  /** Takes work again that could not be done: it is the first that its lane has done, and no bound refuses it. */
  putBack(laneName: string, party: string, work: T, bytes: number): void {
    const lane = this.#lanes.get(laneName) ?? this.#open(laneName);
    lane.returned.push({ party, work, bytes });
    lane.waiting += 1;
    lane.bytes += bytes;
    this.#waiting += 1;
    this.#bytes += bytes;
  }

  /** Counts what the lane's work has cost. */
  charge(laneName: string, cost: number): void {
    const lane = this.#lanes.get(laneName);
    if (lane === undefined) return;
    lane.used += cost;
    this.#most = Math.max(this.#most, lane.used);
  }

  /** Empties the queue. */
  clear(): T[] {
    const all = [...this.#lanes.values()].flatMap(({ returned, parties }) => [returned, ...parties.values()].flat());
    this.#lanes.clear();
    this.#waiting = 0;
    this.#bytes = 0;
    return all.map(({ work }) => work);
  }

  #open(name: string): Lane<T> {
    if (this.#lanes.size >= MAX_IDLE_LANES) {
      for (const [other, { waiting }] of this.#lanes) if (waiting === 0) this.#lanes.delete(other);
    }
    const lane: Lane<T> = { used: this.#start, waiting: 0, bytes: 0, returned: [], parties: new Map() };
    this.#lanes.set(name, lane);
    return lane;
  }
}

function firstOf<T>({ returned, parties }: Lane<T>): Entry<T> | undefined {
  const [[first] = []] = parties.values();
  return returned.at(-1) ?? first;
}

/** Takes the first work of a lane that has some, and has its party wait for all others. */
function takeFirst<T>({ returned, parties }: Lane<T>): Entry<T> {
  const back = returned.pop();
  const [party = ''] = back === undefined ? parties.keys() : [back.party];
  const entries = parties.get(party) ?? [];
  const taken = back ?? (entries.shift() as Entry<T>);
  parties.delete(party);
  if (entries.length > 0) parties.set(party, entries);
  return taken;
}
