import type { JWK } from 'jose';
import type { Clock } from '../clock.ts';
import type { WarnRarely } from '../rare-warnings.ts';
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
/** More than there are providers in use at once. The set that was used longest ago makes way. */
const MAX_SETS = 200;

/** Keys as they were at some time since. */
export interface KeySet {
  readonly keys: readonly JWK[];
  /** Monotonic time at which they had been asked for. */
  readonly askedAtMs: number;
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
 * - missing: whoever needs the set waits for it to be fetched.
 * - fresh: it is used.
 * - old: whoever needs it waits for it to be fetched again. If that fails, it counts for another day.
 *
 * A set is fetched once at a time, and at most every 30 seconds, whatever comes of it. So keys that nobody has cost a
 * provider no more than others.
 */
export interface KeySets {
  /** The keys; with `newerThanMs`, only such as were asked for at that time or later. Never rejects for a provider's fault. */
  get(url: string, newerThanMs?: number): Promise<KeySet | NoKeys>;
}

interface Entry {
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
  clock: Pick<Clock, 'monotonic'>;
  warn: WarnRarely;
}): KeySets {
  /** In order of their last use. */
  const entries = new Map<string, Entry>();

  function entryOf(url: string): Entry {
    const entry = entries.get(url) ?? { set: undefined, askedAtMs: Number.NEGATIVE_INFINITY, fetching: undefined };
    entries.delete(url);
    entries.set(url, entry);
    if (entries.size > MAX_SETS) {
      const [oldest] = entries.keys();
      if (oldest !== undefined) entries.delete(oldest);
    }
    return entry;
  }

  async function fetchInto(entry: Entry, url: string): Promise<void> {
    const askedAtMs = clock.monotonic();
    entry.askedAtMs = askedAtMs;
    try {
      const { keys, maxAgeMs = USUALLY_KEPT_MS } = await fetchKeys(url);
      const keptMs = Math.min(Math.max(maxAgeMs, MIN_KEPT_MS), MAX_KEPT_MS);
      entry.set = { keys, askedAtMs, keptUntilMs: askedAtMs + keptMs };
    } catch (error) {
      const { host } = new URL(url);
      const cause = error instanceof OutsideFault ? error.message : 'the server failed to fetch them';
      const facts = error instanceof OutsideFault ? { host, cause } : { host, cause, err: error };
      warn(host, facts, 'the keys of an identity provider cannot be fetched');
    } finally {
      entry.fetching = undefined;
    }
  }

  return {
    async get(url, newerThanMs = Number.NEGATIVE_INFINITY) {
      const entry = entryOf(url);
      const isGood = () => {
        const { set } = entry;
        return set !== undefined && set.askedAtMs >= newerThanMs && clock.monotonic() < set.keptUntilMs;
      };
      const spacedMs = entry.askedAtMs + ASK_SPACING_MS - clock.monotonic();
      if (!isGood()) {
        if (entry.fetching === undefined && spacedMs <= 0) entry.fetching = fetchInto(entry, url);
        await entry.fetching;
      }
      const { set } = entry;
      const doesCount = set !== undefined && clock.monotonic() < set.keptUntilMs + KEPT_WHILE_AWAY_MS;
      if (doesCount && set.askedAtMs >= newerThanMs) return set;
      const waitMs = entry.askedAtMs + ASK_SPACING_MS - clock.monotonic();
      return { keys: undefined, retryAfterMs: Math.max(1_000, Math.ceil(waitMs)) };
    },
  };
}
