/** What waits. */
export interface Waiting {
  /** Pieces of work. */
  waiting: number;
  /** Their bytes. */
  bytes: number;
}

/** What a group or a lane has used, and what of its work waits. */
export interface Share extends Waiting {
  /** What the work has cost, counted from where the share began. */
  used: number;
}

/** How far shares that take turns have got. Neither number ever falls. */
export interface Level {
  /** Where a new share begins: at what the share whose turn it was last had used. */
  start: number;
  /** The most that any share has used. */
  most: number;
}

/** The lanes of one owner. However many they are, together they get the turns and the places of one. */
export interface Group<T> extends Share {
  readonly level: Level;
  readonly lanes: Set<Lane<T>>;
}

export interface Lane<T> extends Share {
  readonly group: Group<T>;
  /** Work that was taken and put back. It comes before all other work, the last first. */
  readonly returned: Returned<T>[];
  /** In the order of their turns. */
  readonly crowds: Map<string, Crowd<T>>;
}

/** The parties of a lane that somebody may have made up. However many they are, together they get the turns of one. */
export interface Crowd<T> extends Waiting {
  readonly name: string;
  readonly lane: Lane<T>;
  /** In the order of their turns. */
  readonly parties: Map<string, Party<T>>;
}

export interface Party<T> extends Waiting {
  readonly name: string;
  readonly crowd: Crowd<T>;
  /** In the order in which it came. */
  readonly entries: Entry<T>[];
}

export interface Entry<T> {
  readonly work: T;
  readonly bytes: number;
}

export interface Returned<T> extends Entry<T> {
  readonly crowd: string;
  readonly party: string;
}

export function count(all: Iterable<Waiting>, works: number, bytes: number): void {
  for (const each of all) {
    each.waiting += works;
    each.bytes += bytes;
  }
}

/** The party, which gets a place behind the others if nothing of it waits. */
export function partyOf<T>(lane: Lane<T>, crowdName: string, name: string): Party<T> {
  let crowd = lane.crowds.get(crowdName);
  if (crowd === undefined) {
    crowd = { name: crowdName, lane, waiting: 0, bytes: 0, parties: new Map() };
    lane.crowds.set(crowdName, crowd);
  }
  let party = crowd.parties.get(name);
  if (party === undefined) {
    party = { name, crowd, waiting: 0, bytes: 0, entries: [] };
    crowd.parties.set(name, party);
  }
  return party;
}

export function partiesOf<T>({ crowds }: Lane<T>): Party<T>[] {
  return [...crowds.values()].flatMap(({ parties }) => [...parties.values()]);
}

export function firstOf<T>({ returned, crowds }: Lane<T>): Entry<T> | undefined {
  const [crowd] = crowds.values();
  const [party] = crowd?.parties.values() ?? [];
  return returned.at(-1) ?? party?.entries[0];
}

/** Takes the first work of a lane that has some, and moves its party, and its crowd, behind the others. */
export function takeFirst<T>({ returned, crowds }: Lane<T>): Entry<T> {
  const back = returned.pop();
  const crowd = back === undefined ? first(crowds.values()) : crowds.get(back.crowd);
  const party = back === undefined ? first(crowd?.parties.values() ?? []) : crowd?.parties.get(back.party);
  const taken = back ?? (party?.entries.shift() as Entry<T>);
  if (crowd === undefined) return taken;
  if (back === undefined) count(party === undefined ? [crowd] : [party, crowd], -1, -taken.bytes);
  if (party !== undefined) moveToEnd(crowd.parties, party);
  moveToEnd(crowds, crowd);
  return taken;
}

function first<Each>(all: Iterable<Each>): Each | undefined {
  const [each] = all;
  return each;
}

/** Puts a party or a crowd behind the others, or removes it if nothing of it waits. */
function moveToEnd<Each extends Waiting & { readonly name: string }>(all: Map<string, Each>, each: Each): void {
  all.delete(each.name);
  if (each.waiting > 0) all.set(each.name, each);
}
