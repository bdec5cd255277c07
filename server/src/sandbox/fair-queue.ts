/**
 * How many lanes there may be before those without work are forgotten: a lane must not shed what it has used by pausing
 * for a moment.
 */
const MAX_IDLE_LANES = 1_000;
/** How many pieces of work one may displace: looking for very many short ones would hold everything else up. */
const MAX_GIVEN = 16;

/** What a group or a lane has used, and what of its work waits. */
interface Share {
  /** What the work has cost, counted from where the share began. */
  used: number;
  waiting: number;
  /** The bytes of the work that waits. */
  bytes: number;
}

/** How far shares that take turns have got. Neither number ever falls. */
interface Level {
  /** Where a new share begins: at what the share whose turn it was last had used. */
  start: number;
  /** The most that any share has used. */
  most: number;
}

/** The lanes of one owner. However many they are, together they get the turns and the places of one. */
interface Group<T> extends Share {
  readonly level: Level;
  readonly lanes: Set<Lane<T>>;
}

interface Lane<T> extends Share {
  readonly group: Group<T>;
  /** Work that was taken and put back. It comes before all other work, the last first. */
  readonly returned: Returned<T>[];
  /** In the order of their turns. */
  readonly parties: Map<string, Party<T>>;
}

interface Party<T> {
  /** In the order in which it came. */
  readonly entries: Entry<T>[];
  /** The bytes of all entries. */
  bytes: number;
}

interface Entry<T> {
  readonly work: T;
  readonly bytes: number;
}

interface Returned<T> extends Entry<T> {
  readonly party: string;
}

/** A group, or one party of a lane, with places that others may need. */
interface Holder<T> extends Pick<Share, Measure> {
  readonly lanes: Iterable<Lane<T>>;
  readonly party?: string;
}

type Measure = 'waiting' | 'bytes';

/** What is missing for a new piece of work, and what its own holder would have with it. */
interface Need {
  readonly isFull: boolean;
  readonly missingBytes: number;
  readonly own: () => Pick<Share, Measure>;
}

/** A piece of work, and where it waits. */
interface Held<T> {
  readonly lane: Lane<T>;
  readonly party: string;
  readonly entry: Entry<T>;
}

/** How much may wait, in all and in each lane. */
export interface QueueLimits {
  readonly maxWaiting: number;
  readonly maxWaitingPerLane: number;
  readonly maxBytes: number;
  readonly maxBytesPerLane: number;
}

/**
 * Work that waits, in lanes. The group of lanes that has used least goes first, however much waits in the others;
 * within it, the lane that has used least goes first, and within a lane, parties take turns. When all places are taken,
 * a group that has few takes one from the group that has most; when all places of a lane are, so do its parties.
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
      /** The group of a lane, which never changes. Without this, each lane is a group of its own. */
      readonly groupOf?: (laneName: string, work: T) => string;
      /** Called with work that gives way to work of another group or another party. */
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

  /** Returns false, without taking the work, when too much waits. */
  add(laneName: string, party: string, work: T, bytes: number): boolean {
    const lane = this.#laneOf(laneName, work);
    const { group } = lane;
    const displaced = this.#displacedBy(lane, party, bytes);
    if (displaced === undefined) return false;
    for (const held of displaced) this.#displace(held);
    // While nothing waited, no group kept another waiting.
    if (this.#waiting === 0) this.#level.start = this.#level.most;
    if (group.waiting === 0) {
      group.used = Math.max(group.used, this.#level.start);
      group.level.start = group.level.most;
    }
    if (lane.waiting === 0) lane.used = Math.max(lane.used, group.level.start);
    const ofParty = lane.parties.get(party) ?? { entries: [], bytes: 0 };
    lane.parties.set(party, ofParty);
    ofParty.entries.push({ work, bytes });
    ofParty.bytes += bytes;
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

  /** Empties the queue, and returns what waited. */
  clear(): T[] {
    const all = [...this.#lanes.values()].flatMap(({ returned, parties }) => [
      ...returned,
      ...[...parties.values()].flatMap(({ entries }) => entries),
    ]);
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

  /**
   * The work that must give way to new work of the party: that of another party if the lane is full, that of another
   * group if the queue is full, and none if there is room. Undefined if giving way to it would not be enough.
   */
  #displacedBy(lane: Lane<T>, party: string, bytes: number): readonly Held<T>[] | undefined {
    const { maxWaiting, maxBytes, maxWaitingPerLane, maxBytesPerLane } = this.#limits;
    const ofLane = givenBy((measure) => partyWithMost(lane, measure), {
      ...{ isFull: lane.waiting >= maxWaitingPerLane, missingBytes: lane.bytes + bytes - maxBytesPerLane },
      own: () => {
        const own = lane.parties.get(party);
        return { waiting: (own?.entries.length ?? 0) + 1, bytes: (own?.bytes ?? 0) + bytes };
      },
    });
    if (ofLane === undefined) return undefined;
    const isFull = this.#waiting - ofLane.length >= maxWaiting;
    const missingBytes = this.#bytes - bytesOf(ofLane.map(({ entry }) => entry)) + bytes - maxBytes;
    if (ofLane.length > 0) return isFull || missingBytes > 0 ? undefined : ofLane;
    const { group } = lane;
    const own = () => ({ waiting: group.waiting + 1, bytes: group.bytes + bytes });
    return givenBy((measure) => groupWithMost(this.#groups.values(), measure), { isFull, missingBytes, own });
  }

  #displace({ lane, party, entry }: Held<T>): void {
    const ofParty = lane.parties.get(party);
    ofParty?.entries.splice(ofParty.entries.indexOf(entry), 1);
    if (ofParty) ofParty.bytes -= entry.bytes;
    if (ofParty?.entries.length === 0) lane.parties.delete(party);
    this.#count(lane, -1, -entry.bytes);
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
    const nothing = { waiting: 0, bytes: 0, returned: [], parties: new Map<string, Party<T>>() };
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

function largest<Each>(all: Iterable<Each>, measure: (each: Each) => number): Each | undefined {
  let most: Each | undefined;
  for (const each of all) if (most === undefined || measure(each) > measure(most)) most = each;
  return most;
}

function groupWithMost<T>(groups: Iterable<Group<T>>, measure: Measure): Holder<T> | undefined {
  const several = [...groups].filter(({ waiting }) => waiting > 1);
  return largest(several, ({ [measure]: most }) => most);
}

/**
 * Considers only parties with more than one piece of work. It is called for each piece that finds the lane full, and
 * there may be as many parties as places, so it allocates nothing for the others.
 */
function partyWithMost<T>(lane: Lane<T>, measure: Measure): Holder<T> | undefined {
  const { parties } = lane;
  if (parties.size === lane.waiting - lane.returned.length) return undefined;
  let most = -1;
  let found: readonly [party: string, Party<T>] | undefined;
  for (const each of parties) {
    const [, { entries, bytes }] = each;
    const amount = measure === 'bytes' ? bytes : entries.length;
    if (entries.length > 1 && amount > most) [found, most] = [each, amount];
  }
  if (found === undefined) return undefined;
  const [party, { entries, bytes }] = found;
  return { waiting: entries.length, bytes, lanes: [lane], party };
}

/**
 * What the holder that has most gives up for new work, if it has more than that work's own holder. It keeps its last
 * work.
 */
function givenBy<T>(withMost: (measure: Measure) => Holder<T> | undefined, need: Need): readonly Held<T>[] | undefined {
  if (!need.isFull && need.missingBytes <= 0) return [];
  const own = need.own();
  const newest = need.isFull ? newestOf(withMost('waiting'), own.waiting) : undefined;
  if (need.isFull && newest === undefined) return undefined;
  if (need.missingBytes > 0) return longestOf(withMost('bytes'), need.missingBytes, own.bytes);
  return newest && [newest];
}

/** The newest work of a holder that has more waiting than `than`. */
function newestOf<T>(holder: Holder<T> | undefined, than: number): Held<T> | undefined {
  if (holder === undefined || holder.waiting <= than) return undefined;
  const lanes = [...holder.lanes].filter(({ parties }) => parties.size > 0);
  const lane = largest(lanes, ({ waiting }) => waiting);
  const party = holder.party ?? largest(lane?.parties ?? [], ([, { entries }]) => entries.length)?.[0];
  const entry = party === undefined ? undefined : lane?.parties.get(party)?.entries.at(-1);
  return lane && party !== undefined && entry ? { lane, party, entry } : undefined;
}

/** The longest work of a holder, while that has more bytes than `than`; undefined if that does not free enough. */
function longestOf<T>(
  holder: Holder<T> | undefined,
  missingBytes: number,
  than: number,
): readonly Held<T>[] | undefined {
  const given = new Map<Entry<T>, Held<T>>();
  let [waiting, bytes, missing] = [holder?.waiting ?? 0, holder?.bytes ?? 0, missingBytes];
  while (holder !== undefined && missing > 0) {
    const longest = given.size < MAX_GIVEN && waiting > 1 && bytes > than && longestIn(holder, given);
    if (!longest) return undefined;
    given.set(longest.entry, longest);
    waiting -= 1;
    bytes -= longest.entry.bytes;
    missing -= longest.entry.bytes;
  }
  return holder && [...given.values()];
}

/** The longest work; among equally long work of a party, the newest. Work that was put back is not displaced. */
function longestIn<T>({ lanes, party: only }: Holder<T>, except: ReadonlyMap<Entry<T>, unknown>): Held<T> | undefined {
  let longest: Held<T> | undefined;
  for (const lane of lanes) {
    for (const [party, { entries }] of lane.parties) {
      if (only !== undefined && party !== only) continue;
      for (const entry of entries) {
        const isOfParty = longest?.lane === lane && longest.party === party;
        const least = longest === undefined ? 0 : longest.entry.bytes + (isOfParty ? 0 : 1);
        if (entry.bytes >= least && !except.has(entry)) longest = { lane, party, entry };
      }
    }
  }
  return longest;
}

function firstOf<T>({ returned, parties }: Lane<T>): Entry<T> | undefined {
  const [next] = parties.values();
  return returned.at(-1) ?? next?.entries[0];
}

/** Takes the first work of a lane that has some, and moves its party behind the others. */
function takeFirst<T>({ returned, parties }: Lane<T>): Entry<T> {
  const back = returned.pop();
  const [party = ''] = back === undefined ? parties.keys() : [back.party];
  const ofParty = parties.get(party);
  const taken = back ?? (ofParty?.entries.shift() as Entry<T>);
  if (ofParty === undefined) return taken;
  if (back === undefined) ofParty.bytes -= taken.bytes;
  parties.delete(party);
  if (ofParty.entries.length > 0) parties.set(party, ofParty);
  return taken;
}
