import type { JWK } from 'jose';
import type { Clock } from '../clock.ts';
import { Counts } from '../counts.ts';
import type { WarnRarely } from '../rare-warnings.ts';
import { createTokenBuckets } from '../token-bucket.ts';
import { OutsideFault } from './outside-fault.ts';
import type { FetchPublishedKeys } from './published-keys.ts';

const MINUTE_MS = 60_000;
/** For how long keys are kept before they are fetched again, whatever the provider asks for. */
const MIN_KEPT_MS = 10 * MINUTE_MS;
const MAX_KEPT_MS = 24 * 60 * MINUTE_MS;
/** The same for a provider that says nothing. */
const USUALLY_KEPT_MS = 60 * MINUTE_MS;
/** For how long the keys still count after that, if the provider cannot be reached. */
const KEPT_WHILE_AWAY_MS = 24 * 60 * MINUTE_MS;
/** How often one URL is asked, whatever tokens ask for. */
const ASK_SPACING_MS = 30_000;
/** How often the keys of one stage's providers are fetched, so that a stage whose URLs keep changing does not load the node. */
const FETCHES_PER_SECOND = 0.1;
const FETCH_BURST = 10;
/** The same for all owners of a group: each that is made anew would otherwise bring fetches of its own. */
const GROUP_FETCHES_PER_SECOND = 1;
const GROUP_FETCH_BURST = 100;
/** A provider that does not answer keeps a place for seconds, which counts as much as this many fetches. */
const SILENCE_COSTS = 6;
const MAX_OWNERS = 10_000;
/** More than one game has providers in use at once. Beyond it, its set that was used longest ago makes way. */
const MAX_SETS_OF_GROUP = 200;
/**
 * The same for all groups, each of which may trust the same few providers. The group that has most loses a set, so that none does
 * because others have one URL after the other fetched.
 */
const MAX_SETS = 2_000;

/** A fetch ends within seconds. */
const BUSY_MS = 1_000;

/** Keys as they were at some time since. */
export interface KeySet {
  readonly keys: readonly JWK[];
  /** Monotonic time at which they had been asked for. */
  readonly askedAtMs: number;
}

/** The stage that has keys fetched, and its game. */
export interface KeyOwner {
  readonly id: string;
  /** Owners of one group share their sets, and others have no part in them. */
  readonly group: string;
}

/** There is no answer yet: nothing is known of the provider's keys, or none that is new enough. */
export interface NoKeys {
  readonly keys: undefined;
  /** When it makes sense to try again. */
  readonly retryAfterMs: number;
}

/**
 * The keys of providers, each set fetched when it is needed and kept for a while:
 *
 * - missing: a check that needs the set waits for it to be fetched.
 * - fresh: it is used.
 * - old: a check that needs it waits for it to be fetched again. If that fails, the old set counts for another day.
 *
 * A set of a group is fetched once at a time, and at most every 30 seconds, whatever comes of it. So tokens that name made-up
 * keys cost a provider no more than others. A stage has few fetches, and one at a time.
 */
export interface KeySets {
  /**
   * The keys, for this owner; with `newerThanMs`, only such as were asked for at that time or later. Never rejects for
   * a provider's fault.
   */
  get(url: string, owner: KeyOwner, newerThanMs?: number): Promise<KeySet | NoKeys>;
}

interface Entry {
  readonly group: string;
  set: (KeySet & { readonly keptUntilMs: number }) | undefined;
  askedAtMs: number;
  fetching: Promise<void> | undefined;
}

export function createKeySets({
  fetchKeys,
  clock,
  warn,
}: {
  fetchKeys: FetchPublishedKeys;
  clock: Clock;
  warn: WarnRarely;
}): KeySets {
  /** By group and URL, in order of their last use. */
  const entries = new Map<string, Entry>();
  /** How many of them each group has. */
  const sets = new Counts();
  const busyOwners = new Set<string>();
  const fetches = createTokenBuckets({
    ...{ ratePerSecond: FETCHES_PER_SECOND, burst: FETCH_BURST, maxKeys: MAX_OWNERS, clock },
  });

  const fetchesOfGroup = createTokenBuckets({
    ...{ ratePerSecond: GROUP_FETCHES_PER_SECOND, burst: GROUP_FETCH_BURST, maxKeys: MAX_OWNERS, clock },
  });

  /** The entry of the URL. It is kept only once its keys are fetched, so that to name a URL takes no place. */
  function entryOf(url: string, group: string): Entry {
    const entry = entries.get(`${group} ${url}`);
    if (entry === undefined) return { group, set: undefined, askedAtMs: Number.NEGATIVE_INFINITY, fetching: undefined };
    keep(url, entry);
    return entry;
  }

  function keep(url: string, entry: Entry): void {
    const { group } = entry;
    const key = `${group} ${url}`;
    if (!entries.delete(key)) sets.add(group);
    entries.set(key, entry);
    if (sets.of(group) > MAX_SETS_OF_GROUP) dropOldest(group);
    else if (entries.size > MAX_SETS) dropOldest(largestOf(sets));
  }

  function dropOldest(ofGroup: string): void {
    for (const [key, { group }] of entries) {
      if (group !== ofGroup) continue;
      entries.delete(key);
      sets.add(group, -1);
      return;
    }
  }

  async function fetchInto(entry: Entry, url: string, owner: KeyOwner): Promise<void> {
    const askedAtMs = clock.monotonic();
    entry.askedAtMs = askedAtMs;
    busyOwners.add(owner.id);
    try {
      const { keys, maxAgeMs = USUALLY_KEPT_MS } = await fetchKeys(url, owner.group);
      const keptMs = Math.min(Math.max(maxAgeMs, MIN_KEPT_MS), MAX_KEPT_MS);
      entry.set = { keys, askedAtMs, keptUntilMs: askedAtMs + keptMs };
    } catch (error) {
      if (error instanceof OutsideFault && error.code === 'timeout') fetches.spend(owner.id, SILENCE_COSTS);
      const { host } = new URL(url);
      const cause = error instanceof OutsideFault ? error.message : 'the server failed to fetch them';
      const facts = error instanceof OutsideFault ? { host, cause } : { host, cause, err: error };
      warn(host, facts, 'the keys of an identity provider cannot be fetched');
    } finally {
      entry.fetching = undefined;
      busyOwners.delete(owner.id);
    }
  }

  /** How long the owner has to wait before it may have keys fetched; 0 if it may, and then that counts. */
  function waitOf({ id, group }: KeyOwner): number {
    if (busyOwners.has(id)) return BUSY_MS;
    const waitMs = fetchesOfGroup.peek(group);
    if (waitMs > 0) return waitMs;
    const ownWaitMs = fetches.take(id);
    if (ownWaitMs === 0) fetchesOfGroup.take(group);
    return ownWaitMs;
  }

  return {
    async get(url, owner, newerThanMs = Number.NEGATIVE_INFINITY) {
      const entry = entryOf(url, owner.group);
      const isGood = () => {
        const { set } = entry;
        return set !== undefined && set.askedAtMs >= newerThanMs && clock.monotonic() < set.keptUntilMs;
      };
      const spacedMs = entry.askedAtMs + ASK_SPACING_MS - clock.monotonic();
      let ownWaitMs = 0;
      if (!isGood()) {
        if (entry.fetching === undefined && spacedMs <= 0) {
          ownWaitMs = waitOf(owner);
          if (ownWaitMs === 0) {
            keep(url, entry);
            entry.fetching = fetchInto(entry, url, owner);
          }
        }
        await entry.fetching;
      }
      const { set } = entry;
      const doesCount = set !== undefined && clock.monotonic() < set.keptUntilMs + KEPT_WHILE_AWAY_MS;
      if (doesCount && set.askedAtMs >= newerThanMs) return set;
      const waitMs = Math.max(ownWaitMs, entry.askedAtMs + ASK_SPACING_MS - clock.monotonic());
      return { keys: undefined, retryAfterMs: Math.max(1_000, Math.ceil(waitMs)) };
    },
  };
}

function largestOf(counts: Iterable<readonly [name: string, count: number]>): string {
  let [largest, most] = ['', 0];
  for (const [name, count] of counts) if (count > most) [largest, most] = [name, count];
  return largest;
}
