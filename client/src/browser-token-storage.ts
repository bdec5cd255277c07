import { MAX_TOKEN_LENGTH } from '@respark/protocol';
import { type Clock, systemClock } from './clock.ts';
import type { TokenScope, TokenStorage } from './player-token.ts';

/** How long a page that found no token may keep others from becoming guests too, until it has one. */
const LEASE_MS = 5_000;
/** How long a page waits for another one to get a token before it becomes a guest of its own. */
const WAIT_MS = 6_000;

/** What the storage uses of a page; each part may be missing, blocked or full. */
export interface BrowserParts {
  /** Returns `localStorage`; it may throw, as browsers do that block it. */
  readonly findStore?: (() => Store | undefined) | undefined;
  readonly findLocks?: (() => Locks | undefined) | undefined;
  readonly clock?: Clock | undefined;
}

interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

interface Locks {
  request(name: string, task: () => Promise<void> | undefined): Promise<unknown>;
}

/** The value under a key, as JSON. */
interface Kept {
  readonly token: string;
  readonly playerId: string | undefined;
}

/**
 * Keeps the player in `localStorage`, so that a page that is loaded again, and the pages in other tabs, are the same
 * player. Each server and game key has a token of its own. Where `localStorage` is missing, blocked or full, the token
 * is kept in memory, and lives as long as the page.
 *
 * Tabs do not undo each other's changes: a page takes up what others have stored before each attempt to connect, and
 * never replaces the token of another player, or of one that was forgotten, by its own. If several pages open at once
 * with nothing stored, one becomes a guest and the others wait for its token, where the browser has locks (on https and
 * localhost); elsewhere the first token that is stored counts, at the next connect.
 */
export function browserTokenStorage(parts: BrowserParts = {}): TokenStorage {
  return new BrowserTokenStorage(parts);
}

class BrowserTokenStorage implements TokenStorage {
  readonly isShared = true;
  readonly #findStore: () => Store | undefined;
  readonly #locks: Locks | undefined;
  readonly #clock: Clock;
  /** What this page last read or wrote under each key. */
  readonly #seen = new Map<string, string | null>();
  /** What could not be stored; it counts for as long as the store still holds `instead`. */
  readonly #unsaved = new Map<string, { readonly kept: Kept | undefined; readonly instead: string | null }>();
  /** The clients for whose token others wait, and what lets those go on. Each client has a scope object of its own. */
  readonly #leases = new Map<string, { readonly holder: TokenScope; readonly end: () => void }>();

  constructor({
    findStore = () => globalThis.localStorage,
    findLocks = platformLocks,
    clock = systemClock,
  }: BrowserParts) {
    this.#findStore = findStore;
    this.#locks = findLocks();
    this.#clock = clock;
  }

  load(scope: TokenScope): Promise<string | undefined> | string | undefined {
    const key = keyOf(scope);
    const token = this.#take(key);
    if (token !== undefined || this.#locks === undefined || this.#store() === undefined) return token;
    return this.#leases.get(key)?.holder === scope ? undefined : this.#takeAlone(key, scope, this.#locks);
  }

  save(token: string | undefined, scope: TokenScope): void {
    const key = keyOf(scope);
    const stored = this.#read(key);
    const isChanged = stored !== undefined && this.#seen.has(key) && stored !== this.#seen.get(key);
    const isOthers = isChanged && keptIn(stored)?.playerId !== scope.playerId;
    if (token === undefined || !isOthers) {
      this.#write(key, token === undefined ? undefined : { token, playerId: scope.playerId }, stored);
    }
    this.#leases.get(key)?.end();
  }

  #take(key: string): string | undefined {
    const stored = this.#read(key);
    const unsaved = this.#unsaved.get(key);
    if (unsaved !== undefined && (stored === undefined || stored === unsaved.instead)) return unsaved.kept?.token;
    if (stored === undefined) return keptIn(this.#seen.get(key))?.token;
    this.#unsaved.delete(key);
    this.#seen.set(key, stored);
    return keptIn(stored)?.token;
  }

  /** Takes a token that another page stores meanwhile; if there is none, the other pages wait for this one's. */
  #takeAlone(key: string, scope: TokenScope, locks: Locks): Promise<string | undefined> {
    return new Promise((resolve) => {
      let isWaiting = true;
      const stopWaiting = () => {
        isWaiting = false;
        resolve(this.#take(key));
      };
      const cancelWait = this.#clock.after(WAIT_MS, stopWaiting);
      const lease = () => {
        cancelWait();
        if (!isWaiting) return undefined;
        stopWaiting();
        return this.#take(key) === undefined ? this.#lease(key, scope) : undefined;
      };
      (async () => locks.request(key, lease))().catch(() => {
        // Pages without an origin of their own have locks that they may not use.
        cancelWait();
        stopWaiting();
      });
    });
  }

  /** Resolves when a token is saved, or cannot be expected any more. */
  #lease(key: string, holder: TokenScope): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#leases.delete(key);
        resolve();
      };
      const cancel = this.#clock.after(LEASE_MS, end);
      this.#leases.set(key, { holder, end });
    });
  }

  #store(): Store | undefined {
    try {
      return this.#findStore();
    } catch {
      return undefined;
    }
  }

  /** What is stored, null if there is nothing; undefined if that cannot be known. */
  #read(key: string): string | null | undefined {
    try {
      return this.#store()?.getItem(key);
    } catch {
      return undefined;
    }
  }

  #write(key: string, kept: Kept | undefined, stored: string | null | undefined): void {
    const value = kept === undefined ? null : JSON.stringify(kept);
    try {
      const store = this.#store();
      if (store === undefined) throw new Error('there is no localStorage');
      if (value === null) store.removeItem(key);
      else store.setItem(key, value);
      this.#unsaved.delete(key);
      this.#seen.set(key, value);
    } catch {
      this.#unsaved.set(key, { kept, instead: stored ?? this.#seen.get(key) ?? null });
    }
  }
}

/** The scheme and the query do not count: a server that gets TLS, or other options, has the same players. */
function keyOf({ url, gameKey }: TokenScope): string {
  const place = url.replace(/^\w+:\/\//, '').replace(/\?.*$/, '');
  return `respark.player ${place} ${gameKey}`;
}

/** Undefined for what no page of this SDK has stored. */
function keptIn(stored: string | null | undefined): Kept | undefined {
  if (stored === null || stored === undefined) return undefined;
  try {
    const { token, playerId } = JSON.parse(stored);
    if (typeof token !== 'string' || token === '' || token.length > MAX_TOKEN_LENGTH) return undefined;
    return { token, playerId: typeof playerId === 'string' ? playerId : undefined };
  } catch {
    return undefined;
  }
}

function platformLocks(): Locks | undefined {
  const { navigator }: { readonly navigator?: { readonly locks?: Locks } } = globalThis;
  return navigator?.locks;
}
