import type { Crowd, Entry, Group, Lane, Party, Waiting } from './waiting-work.ts';

/** How many pieces of work one may displace: looking for very many short ones would hold everything else up. */
const MAX_GIVEN = 16;

/** A group, or a crowd or a party of a lane, with places that others may need. */
export interface Holder<T> extends Waiting {
  readonly lanes: Iterable<Lane<T>>;
  readonly crowd?: Crowd<T>;
  readonly party?: Party<T>;
}

export type Measure = keyof Waiting;

/** What is missing for a new piece of work. */
export interface Need {
  readonly isFull: boolean;
  readonly missingBytes: number;
}

/** A piece of work, and where it waits. */
export interface Held<T> {
  readonly party: Party<T>;
  readonly entry: Entry<T>;
}

/** What somebody would have waiting together with a new piece of work. */
export function withOneMore(before: Waiting | undefined, bytes: number): Waiting {
  return { waiting: (before?.waiting ?? 0) + 1, bytes: (before?.bytes ?? 0) + bytes };
}

/**
 * What the holder that has most gives up for new work, if it has more than that work's own holder, which would have `own`
 * with it. It keeps its last work.
 */
export function givenBy<T>(
  withMost: (measure: Measure) => Holder<T> | undefined,
  need: Need,
  own: Waiting,
): readonly Held<T>[] | undefined {
  if (!need.isFull && need.missingBytes <= 0) return [];
  const newest = need.isFull ? newestOf(withMost('waiting'), own.waiting) : undefined;
  if (need.isFull && newest === undefined) return undefined;
  if (need.missingBytes > 0) return longestOf(withMost('bytes'), need.missingBytes, own.bytes);
  return newest && [newest];
}

export function groupWithMost<T>(groups: Iterable<Group<T>>, measure: Measure): Holder<T> | undefined {
  const group = largestOfSeveral(groups, measure);
  return group && { waiting: group.waiting, bytes: group.bytes, lanes: group.lanes };
}

/** It is called for each piece that finds the lane full. */
export function crowdWithMost<T>(lane: Lane<T>, measure: Measure): Holder<T> | undefined {
  const { crowds, waiting, returned } = lane;
  if (crowds.size === waiting - returned.length) return undefined;
  const crowd = largestOfSeveral(crowds.values(), measure);
  return crowd && { waiting: crowd.waiting, bytes: crowd.bytes, lanes: [lane], crowd };
}

export function partyWithMost<T>(crowd: Crowd<T> | undefined, measure: Measure): Holder<T> | undefined {
  if (crowd === undefined || crowd.parties.size === crowd.waiting) return undefined;
  const party = largestOfSeveral(crowd.parties.values(), measure);
  return party && { waiting: party.waiting, bytes: party.bytes, lanes: [crowd.lane], crowd, party };
}

/** The first of those that have most. */
function largest<Each extends Waiting>(all: Iterable<Each>, measure: Measure): Each | undefined {
  let most: Each | undefined;
  for (const each of all) if (most === undefined || each[measure] > most[measure]) most = each;
  return most;
}

/** The same, of those with more than one piece of work. There may be as many of them as places, so it allocates nothing. */
function largestOfSeveral<Each extends Waiting>(all: Iterable<Each>, measure: Measure): Each | undefined {
  let most: Each | undefined;
  for (const each of all) {
    if (each.waiting > 1 && (most === undefined || each[measure] > most[measure])) most = each;
  }
  return most;
}

/** The newest work of a holder that has more waiting than `than`. */
function newestOf<T>(holder: Holder<T> | undefined, than: number): Held<T> | undefined {
  if (holder === undefined || holder.waiting <= than) return undefined;
  const lanes = [...holder.lanes].filter(({ crowds }) => crowds.size > 0);
  const crowd = holder.crowd ?? largest(largest(lanes, 'waiting')?.crowds.values() ?? [], 'waiting');
  const party = holder.party ?? largest(crowd?.parties.values() ?? [], 'waiting');
  const entry = party?.entries.at(-1);
  return party && entry && { party, entry };
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
function longestIn<T>({ lanes, ...only }: Holder<T>, except: ReadonlyMap<Entry<T>, unknown>): Held<T> | undefined {
  let longest: Held<T> | undefined;
  for (const lane of lanes) {
    for (const crowd of only.crowd ? [only.crowd] : lane.crowds.values()) {
      for (const party of only.party ? [only.party] : crowd.parties.values()) {
        for (const entry of party.entries) {
          const least = longest === undefined ? 0 : longest.entry.bytes + (longest.party === party ? 0 : 1);
          if (entry.bytes >= least && !except.has(entry)) longest = { party, entry };
        }
      }
    }
  }
  return longest;
}
