import {
  crowdWithMost,
  givenBy,
  groupWithMost,
  type Held,
  type Measure,
  partyWithMost,
  withOneMore,
} from './displaced-work.ts';
import {
  type Crowd,
  count,
  type Entry,
  firstOf,
  type Group,
  type Lane,
  type Level,
  partiesOf,
  partyOf,
  takeFirst,
} from './waiting-work.ts';

/**
 * How many lanes there may be before those without work are forgotten: a lane must not shed what it has used by pausing
 * for a moment.
 */
const MAX_IDLE_LANES = 1_000;

/** How much may wait, in all and in each lane. */
export interface QueueLimits {
  readonly maxWaiting: number;
  readonly maxWaitingPerLane: number;
  readonly maxBytes: number;
  readonly maxBytesPerLane: number;
}

/**
 * Work that waits, in lanes. The group of lanes that has used least goes first, however much waits in the others;
 * within it, the lane that has used least goes first, and within a lane, crowds take turns, and within a crowd its parties.
 * When all places are taken, a group that has few takes one from the group that has most; when all places of a lane are, so
 * do its crowds, and the parties of a crowd.
 */
export class FairQueue<T> {
  readonly #limits: QueueLimits;
  readonly #groupOf: (laneName: string, work: T) => string;
  readonly #crowdOf: (party: string, work: T) => string;
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
      crowdOf = (party) => party,
      displaced = () => {},
    }: {
      /** The group of a lane, which never changes. Without this, each lane is a group of its own. */
      readonly groupOf?: (laneName: string, work: T) => string;
      /** The crowd of a party. A party may be in several. Without this, each party is a crowd of its own. */
      readonly crowdOf?: (party: string, work: T) => string;
      /** Called with work that gives way to work of another group or another party. */
      readonly displaced?: (work: T) => void;
    } = {},
  ) {
    this.#limits = limits;
    this.#groupOf = groupOf;
    this.#crowdOf = crowdOf;
    this.#displaced = displaced;
  }

  get size(): number {
    return this.#waiting;
  }

  /** Returns false, without taking the work, when too much waits. */
  add(laneName: string, party: string, work: T, bytes: number): boolean {
    const lane = this.#laneOf(laneName, work);
    const { group } = lane;
    const crowd = this.#crowdOf(party, work);
    const displaced = this.#displacedBy(lane, crowd, party, bytes);
    if (displaced === undefined) return false;
    for (const held of displaced) this.#displace(held);
    // While nothing waited, no group kept another waiting.
    if (this.#waiting === 0) this.#level.start = this.#level.most;
    if (group.waiting === 0) {
      group.used = Math.max(group.used, this.#level.start);
      group.level.start = group.level.most;
    }
    if (lane.waiting === 0) lane.used = Math.max(lane.used, group.level.start);
    const ofParty = partyOf(lane, crowd, party);
    ofParty.entries.push({ work, bytes });
    count([ofParty, ofParty.crowd], 1, bytes);
    this.#count(lane, 1, bytes);
    return true;
  }

  /** Takes the work whose turn it is, among that which `mayRun`; with `onlyLane`, only if it is that lane's turn. */
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

  /** Takes back work that could not be done. It is the next of its lane, and no bound refuses it. */
  putBack(laneName: string, party: string, work: T, bytes: number): void {
    const lane = this.#laneOf(laneName, work);
    lane.returned.push({ crowd: this.#crowdOf(party, work), party, work, bytes });
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

  /** Empties the queue, and returns what waited. */
  clear(): T[] {
    const all = [...this.#lanes.values()].flatMap((lane) => [
      ...lane.returned,
      ...partiesOf(lane).flatMap(({ entries }) => entries),
    ]);
    this.#lanes.clear();
    this.#groups.clear();
    this.#waiting = 0;
    this.#bytes = 0;
    return all.map(({ work }) => work);
  }

  #count(lane: Lane<T>, works: number, bytes: number): void {
    count([lane, lane.group], works, bytes);
    this.#waiting += works;
    this.#bytes += bytes;
  }

  /**
   * The work that must give way to new work of the party: that of another crowd or another party of its own if the lane is
   * full, that of another group if the queue is full, and none if there is room. Undefined if giving way to it would not be
   * enough.
   */
  #displacedBy(lane: Lane<T>, crowdName: string, party: string, bytes: number): readonly Held<T>[] | undefined {
    const { maxWaiting, maxBytes, maxWaitingPerLane, maxBytesPerLane } = this.#limits;
    const crowd = lane.crowds.get(crowdName);
    const needOfLane = {
      isFull: lane.waiting >= maxWaitingPerLane,
      missingBytes: lane.bytes + bytes - maxBytesPerLane,
    };
    const ofLane =
      givenBy((measure) => crowdWithMost(lane, measure), needOfLane, withOneMore(crowd, bytes)) ??
      givenBy((measure) => partyWithMost(crowd, measure), needOfLane, withOneMore(crowd?.parties.get(party), bytes));
    if (ofLane === undefined) return undefined;
    const isFull = this.#waiting - ofLane.length >= maxWaiting;
    const missingBytes = this.#bytes - bytesOf(ofLane.map(({ entry }) => entry)) + bytes - maxBytes;
    if (ofLane.length > 0) return isFull || missingBytes > 0 ? undefined : ofLane;
    const withMost = (measure: Measure) => groupWithMost(this.#groups.values(), measure);
    return givenBy(withMost, { isFull, missingBytes }, withOneMore(lane.group, bytes));
  }

  #displace({ party, entry }: Held<T>): void {
    const { crowd, entries } = party;
    entries.splice(entries.indexOf(entry), 1);
    count([party, crowd], -1, -entry.bytes);
    if (party.waiting === 0) crowd.parties.delete(party.name);
    if (crowd.waiting === 0) crowd.lane.crowds.delete(crowd.name);
    this.#count(crowd.lane, -1, -entry.bytes);
    this.#displaced(entry.work);
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
    const nothing = { waiting: 0, bytes: 0, returned: [], crowds: new Map<string, Crowd<T>>() };
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

function bytesOf(entries: readonly Pick<Entry<unknown>, 'bytes'>[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}
