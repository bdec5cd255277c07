/** Lanes without work that are remembered, so that none can shed what it used by pausing for a moment. */
const MAX_IDLE_LANES = 1_000;

/** What somebody has had of the turns, and what of theirs waits. */
interface Share {
  /** What the work has cost, counted from where the share began. */
  used: number;
  waiting: number;
  /** Bytes that what waits takes. */
  bytes: number;
}

/** Of shares that take turns. Neither ever goes back. */
interface Level {
  /** Where shares begin that come: at what the one whose turn it was last had used. */
  start: number;
  /** What the share has used that has used most. */
  most: number;
}

/** Lanes of one owner. However many they are, they have the turns and the places of one. */
interface Group<T> extends Share {
  readonly level: Level;
  readonly lanes: Set<Lane<T>>;
}

interface Lane<T> extends Share {
  readonly group: Group<T>;
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

interface Given<T> extends Returned<T> {
  readonly lane: Lane<T>;
}

/** How much may wait, in all and in each lane. */
export interface QueueLimits {
  readonly maxWaiting: number;
  readonly maxWaitingPerLane: number;
  readonly maxBytes: number;
  readonly maxBytesPerLane: number;
}

/**
 * Work that waits, in lanes. The group of lanes that has used least goes first, however much waits in the others; within it
 * so does the lane that has used least, and within a lane its parties take turns. When all places are taken, a group that
 * has few of them takes one of the group that has most.
 */
export class FairQueue<T> {
  readonly #limits: QueueLimits;
  readonly #groupOf: (laneName: string, work: T) => string;
  readonly #displaced: (work: T) => void;
  readonly #groups = new Map<string, Group<T>>();
  readonly #lanes = new Map<string, Lane<T>>();
  readonly #level: Level = { start: 0, most: 0 };
  #waiting = 0;
  #bytes = 0;

  constructor(
    limits: QueueLimits,
    {
      groupOf = (laneName) => laneName,
      displaced = () => {},
    }: {
      /** The group of a lane, which never changes. Each lane is one of its own without it. */
      readonly groupOf?: (laneName: string, work: T) => string;
      /** Told of work that is forgotten for the sake of another group's. */
      readonly displaced?: (work: T) => void;
    } = {},
  ) {
    this.#limits = limits;
    this.#groupOf = groupOf;
    this.#displaced = displaced;
  }

  get size(): number {
    return this.#waiting;
  }

  /** Returns false, and forgets the work, when too much waits. */
  add(laneName: string, party: string, work: T, bytes: number): boolean {
    const lane = this.#laneOf(laneName, work);
    const { group } = lane;
    const { maxWaitingPerLane, maxBytesPerLane } = this.#limits;
    if (lane.waiting >= maxWaitingPerLane || lane.bytes + bytes > maxBytesPerLane) return false;
    if (!this.#hasRoom(group, bytes)) return false;
    // While nobody had to wait, nobody took anything from others.
    if (this.#waiting === 0) this.#level.start = this.#level.most;
    if (group.waiting === 0) {
      group.used = Math.max(group.used, this.#level.start);
      group.level.start = group.level.most;
    }
    if (lane.waiting === 0) lane.used = Math.max(lane.used, group.level.start);
    const ofParty = lane.parties.get(party);
    if (ofParty === undefined) lane.parties.set(party, [{ work, bytes }]);
    else ofParty.push({ work, bytes });
    this.#count(lane, 1, bytes);
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
      if (first === undefined || (next !== undefined && !isBefore(lane, next)) || !mayRun(name, first.work)) continue;
      [next, nextName] = [lane, name];
    }
    if (next === undefined || (onlyLane !== undefined && nextName !== onlyLane)) return undefined;
    const { group } = next;
    this.#level.start = Math.max(this.#level.start, group.used);
    group.level.start = Math.max(group.level.start, next.used);
    const { work, bytes } = takeFirst(next);
    this.#count(next, -1, -bytes);
    return work;
  }

  /** Takes work again that could not be done: it is the first that its lane has done, and no bound refuses it. */
  putBack(laneName: string, party: string, work: T, bytes: number): void {
    const lane = this.#laneOf(laneName, work);
    lane.returned.push({ party, work, bytes });
    this.#count(lane, 1, bytes);
  }

  /** Counts what the lane's work has cost. */
  charge(laneName: string, cost: number): void {
    const lane = this.#lanes.get(laneName);
    if (lane === undefined) return;
    const { group } = lane;
    lane.used += cost;
    group.used += cost;
    group.level.most = Math.max(group.level.most, lane.used);
    this.#level.most = Math.max(this.#level.most, group.used);
  }

  /** Empties the queue. */
  clear(): T[] {
    const all = [...this.#lanes.values()].flatMap(({ returned, parties }) => [returned, ...parties.values()].flat());
    this.#lanes.clear();
    this.#groups.clear();
    this.#waiting = 0;
    this.#bytes = 0;
    return all.map(({ work }) => work);
  }

  #count(lane: Lane<T>, works: number, bytes: number): void {
    for (const share of [lane, lane.group]) {
      share.waiting += works;
      share.bytes += bytes;
    }
    this.#waiting += works;
    this.#bytes += bytes;
  }

  /** Whether there is room for work of the group, if need be that of other groups' work, which stays where it is not enough. */
  #hasRoom(group: Group<T>, bytes: number): boolean {
    const { maxWaiting, maxBytes } = this.#limits;
    const given: Given<T>[] = [];
    for (;;) {
      const isFull = this.#waiting >= maxWaiting;
      if (!isFull && this.#bytes + bytes <= maxBytes) break;
      const next = isFull ? this.#giveUp('waiting', group.waiting + 1) : this.#giveUp('bytes', group.bytes + bytes);
      if (next === undefined) {
        for (const each of given.reverse()) this.#giveBack(each);
        return false;
      }
      given.push(next);
    }
    for (const { work } of given) this.#displaced(work);
    return true;
  }

  /** Takes work of the group that has most waiting, if that is more than `than`. The last of a group is never taken. */
  #giveUp(measure: 'waiting' | 'bytes', than: number): Given<T> | undefined {
    const group = largest(
      [...this.#groups.values()].filter(({ waiting }) => waiting > 1),
      measure,
    );
    if (group === undefined || group[measure] <= than) return undefined;
    const lane = largest(
      [...group.lanes].filter(({ parties }) => parties.size > 0),
      measure,
    );
    const taken = lane && takeNewest(lane);
    if (lane === undefined || taken === undefined) return undefined;
    this.#count(lane, -1, -taken.bytes);
    return { ...taken, lane };
  }

  #giveBack({ lane, party, work, bytes }: Given<T>): void {
    const entries = lane.parties.get(party);
    if (entries === undefined) lane.parties.set(party, [{ work, bytes }]);
    else entries.push({ work, bytes });
    this.#count(lane, 1, bytes);
  }

  #laneOf(name: string, work: T): Lane<T> {
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    if (this.#lanes.size >= MAX_IDLE_LANES) this.#forgetIdle();
    const groupName = this.#groupOf(name, work);
    let group = this.#groups.get(groupName);
    if (group === undefined) {
      group = { used: this.#level.start, waiting: 0, bytes: 0, level: { start: 0, most: 0 }, lanes: new Set() };
      this.#groups.set(groupName, group);
    }
    const nothing = { waiting: 0, bytes: 0, returned: [], parties: new Map<string, Entry<T>[]>() };
    const lane: Lane<T> = { used: group.level.start, group, ...nothing };
    group.lanes.add(lane);
    this.#lanes.set(name, lane);
    return lane;
  }

  #forgetIdle(): void {
    for (const [name, lane] of this.#lanes) {
      if (lane.waiting > 0) continue;
      this.#lanes.delete(name);
      lane.group.lanes.delete(lane);
    }
    for (const [name, { lanes }] of this.#groups) if (lanes.size === 0) this.#groups.delete(name);
  }
}

function isBefore<T>(lane: Lane<T>, other: Lane<T>): boolean {
  return lane.group === other.group ? lane.used < other.used : lane.group.used < other.group.used;
}

function largest<S extends Share>(shares: Iterable<S>, measure: 'waiting' | 'bytes'): S | undefined {
  let most: S | undefined;
  for (const share of shares) if (most === undefined || share[measure] > most[measure]) most = share;
  return most;
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

/** Takes the newest work of the party that has most waiting; undefined if none waits. */
function takeNewest<T>({ parties }: Lane<T>): Returned<T> | undefined {
  let [most] = parties;
  if (most === undefined) return undefined;
  for (const each of parties) if (each[1].length > most[1].length) most = each;
  const [party, entries] = most;
  const taken = entries.pop();
  if (entries.length === 0) parties.delete(party);
  return taken && { ...taken, party };
}
