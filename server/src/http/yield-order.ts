import type { Socket } from 'node:net';
import { widestGroup } from '../address-buckets.ts';
import type { Clock } from '../clock.ts';
import { Counts } from '../counts.ts';

/** A client that means to say something has done so by then, over any network. */
const GRACE_MS = 2_000;

/** How many addresses that have equally many are compared: those whose sockets have not changed for longest. */
const MAX_COMPARED = 64;

/**
 * What a socket has done so far: said nothing, been answered, begun a request that is not answered, or brought a caller
 * whose signature was verified.
 */
type Standing = 'silent' | 'idle' | 'asking' | 'known';

/** A socket that has a place. */
export interface Placed {
  readonly socket: Socket;
  /** The address group that it counts against. */
  readonly group: string;
  standing: Standing | undefined;
  /** Monotonic time since when. */
  since: number;
  /** Which known caller it has brought, as long as it stands as the socket of one. */
  caller?: string | undefined;
}

/** The sockets of one group by standing. In each set, the first has been there for longest. */
type Group = { total: number } & Readonly<Record<Standing, Set<Placed>>>;

/**
 * Which socket gives way when all places are taken: one of the addresses that have most, so that a few addresses, however
 * many sockets they open and whatever they do with them, take places from each other and not from everybody else. Of
 * their sockets, a silent one goes first, then one that has been answered, then one with a request under way, then one
 * that has only just come. The sockets of known callers go last, but only so many of each caller: otherwise one caller could
 * take all places from a few addresses, and everybody who came anew would give way before being known. The networks of IPv6
 * that one customer may have count as one address.
 */
export class YieldOrder {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #groups = new Map<string, Group>();
  /** How many sockets a group has → the groups that have so many. */
  readonly #bySize = new Map<number, Set<Group>>();
  #most = 0;
  readonly #maxKnownOfCaller: number;
  /** Caller → how many sockets stand as those of a known caller because of them. */
  readonly #knownOf = new Counts();

  constructor({ clock, maxKnownOfCaller }: { clock: Pick<Clock, 'monotonic'>; maxKnownOfCaller: number }) {
    this.#clock = clock;
    this.#maxKnownOfCaller = maxKnownOfCaller;
  }

  /** Has the socket stand as that of a known caller, unless the caller has as many as they may. Says whether it does. */
  know(placed: Placed, caller: string): boolean {
    if (placed.caller === caller) return true;
    if (this.#knownOf.of(caller) >= this.#maxKnownOfCaller) return false;
    this.#place(placed, 'known');
    placed.caller = caller;
    this.#knownOf.add(caller);
    return true;
  }

  #forgetCaller(placed: Placed): void {
    const { caller } = placed;
    if (caller === undefined) return;
    placed.caller = undefined;
    this.#knownOf.add(caller, -1);
  }

  /** Places the socket, or moves it to the end of those with this standing. */
  move(placed: Placed, standing: Exclude<Standing, 'known'>): void {
    this.#place(placed, standing);
  }

  #place(placed: Placed, standing: Standing): void {
    this.#forgetCaller(placed);
    const name = widestGroup(placed.group);
    const group = this.#groups.get(name) ?? {
      total: 0,
      silent: new Set(),
      idle: new Set(),
      asking: new Set(),
      known: new Set(),
    };
    if (placed.standing === undefined) {
      this.#groups.set(name, group);
      this.#resize(group, group.total + 1);
    } else {
      group[placed.standing].delete(placed);
    }
    group[standing].add(placed);
    placed.standing = standing;
    placed.since = this.#clock.monotonic();
  }

  delete(placed: Placed): void {
    const name = widestGroup(placed.group);
    const group = this.#groups.get(name);
    if (group === undefined || placed.standing === undefined) return;
    this.#forgetCaller(placed);
    group[placed.standing].delete(placed);
    placed.standing = undefined;
    this.#resize(group, group.total - 1);
    if (group.total === 0) this.#groups.delete(name);
  }

  /** The socket that gives way; undefined when there is none at all. */
  first(): Placed | undefined {
    const youngFrom = this.#clock.monotonic() - GRACE_MS;
    return this.#find((group) => firstUnknown(group, youngFrom)) ?? this.#find(firstKnown);
  }

  /** Looks into the groups, those with most sockets first. */
  #find(choose: (group: Group) => Candidate | undefined): Placed | undefined {
    for (let size = this.#most; size > 0; size -= 1) {
      let best: Candidate | undefined;
      let compared = 0;
      for (const group of this.#bySize.get(size) ?? []) {
        const candidate = choose(group);
        if (candidate === undefined) continue;
        if (best === undefined || isBefore(candidate, best)) best = candidate;
        compared += 1;
        if (compared === MAX_COMPARED) break;
      }
      if (best !== undefined) return best.placed;
    }
    return undefined;
  }

  #resize(group: Group, total: number): void {
    const before = this.#bySize.get(group.total);
    before?.delete(group);
    if (before?.size === 0) this.#bySize.delete(group.total);
    group.total = total;
    if (total > 0) {
      const after = this.#bySize.get(total);
      if (after === undefined) this.#bySize.set(total, new Set([group]));
      else after.add(group);
    }
    this.#most = Math.max(this.#most, total);
    while (this.#most > 0 && !this.#bySize.has(this.#most)) this.#most -= 1;
  }
}

interface Candidate {
  readonly placed: Placed;
  /** The lower, the sooner it gives way. */
  readonly rank: number;
}

function isBefore(candidate: Candidate, other: Candidate): boolean {
  if (candidate.rank !== other.rank) return candidate.rank < other.rank;
  return candidate.placed.since < other.placed.since;
}

function firstUnknown(
  { silent: [silent], idle: [idle], asking: [asking] }: Group,
  youngFrom: number,
): Candidate | undefined {
  if (silent !== undefined && silent.since <= youngFrom) return { placed: silent, rank: 0 };
  if (idle !== undefined) return { placed: idle, rank: 1 };
  if (asking !== undefined) return { placed: asking, rank: 2 };
  return silent && { placed: silent, rank: 3 };
}

function firstKnown({ known: [known] }: Group): Candidate | undefined {
  return known && { placed: known, rank: 0 };
}
