import { farewell, session } from '../session.ts';
import { ofTab } from '../storage.ts';
import { signal } from '../store.ts';
import type { Entry } from './configuration-entries.ts';

/** A text that was typed and not saved, and the server's text, as the editor shows it, from when typing began. */
export interface Draft {
  readonly text: string;
  readonly base: string;
  /** What is edited, so that it can be made anew if somebody else deletes it. */
  readonly entry: Entry;
}

/** Two hundred parts are more than a person changes before saving one; the characters bound what a tab keeps. */
const MAX_DRAFTS = 200;
const MAX_CHARACTERS = 16_000_000;

/** By game, section and entry, the one typed in last at the end. */
const drafts = new Map<string, Draft>();

/** What was typed under another key, with the name that it has as a draft. */
interface LeftDraft extends Draft {
  readonly key: string;
  readonly name: string;
}

/** Drafts that are not shown before their writer signs in with that key, or claims them. The latest is at the end. */
const left = new Map<string, LeftDraft>();

/** The keys under which drafts were left, and how many were with each. */
export const leftDrafts = signal<readonly { readonly key: string; readonly count: number }[]>([]);

/** How often left drafts were claimed. */
export const taken = signal(0);

/** The names of all drafts. It changes when a draft comes or goes, and not with each keystroke. */
export const drafted = signal<ReadonlySet<string>>(new Set());

export function draftName(
  game: string,
  { section, name }: { readonly section: string; readonly name: string },
): string {
  return JSON.stringify([game, section, name]);
}

export const draftOf = (name: string) => drafts.get(name);

/** The entries with drafts that the game does not have any more. */
export function lostEntries(game: string, entries: readonly Entry[]): readonly Entry[] {
  const names = new Set(entries.map((entry) => draftName(game, entry)));
  return [...drafts]
    .filter(([name, { entry }]) => !names.has(name) && name === draftName(game, entry))
    .map(([, { entry }]) => entry);
}

export function setDraft(name: string, draft: Draft | undefined): void {
  drafts.delete(name);
  if (draft !== undefined) drafts.set(name, draft);
  bound(drafts, name);
  tell();
}

/** Drops the oldest drafts if there are too many, but never the one that is typed in. */
function bound(kept: Map<string, Draft>, typedIn?: string): void {
  let characters = [...kept.values()].reduce((sum, { text, base }) => sum + text.length + base.length, 0);
  for (const [oldest, { text, base }] of kept) {
    if (oldest === typedIn || (kept.size <= MAX_DRAFTS && characters <= MAX_CHARACTERS)) break;
    kept.delete(oldest);
    characters -= text.length + base.length;
  }
}

/** Whether something would be lost with this tab, or with a sign-out. */
export const isAnythingUnsaved = () => drafts.size + left.size > 0;

function tell(): void {
  const before = drafted.get();
  if (before.size === drafts.size && [...drafts.keys()].every((name) => before.has(name))) return;
  drafted.set(new Set(drafts.keys()));
  guard();
}

/** Listens only while there is something to ask: no browser keeps a page that listens for a step back. */
function guard(): void {
  if (isAnythingUnsaved()) addEventListener('beforeunload', ask);
  else removeEventListener('beforeunload', ask);
}

const STORED = 'respark.drafts';

interface Stored {
  /** The key under which `drafts` were typed. */
  readonly key?: string | undefined;
  readonly drafts: readonly (readonly [string, Draft])[];
  /** Missing where a console of an older version has kept the drafts. */
  readonly left?: readonly LeftDraft[];
}

/**
 * Keeps everything for this tab while it leaves the console for a sign-in, and then lets it leave without a question.
 * The browser still asks if it keeps nothing, or if the drafts are too long for it.
 */
export function keepForReturn(): void {
  if (!isAnythingUnsaved() || !ofTab.isLasting) return;
  const stored: Stored = { key: typist, drafts: [...drafts], left: [...left.values()] };
  try {
    ofTab.setItem(STORED, JSON.stringify(stored));
    removeEventListener('beforeunload', ask);
  } catch {
    forgetReturn();
  }
}

/** Discards what was kept, because the tab stays where it is. */
export function forgetReturn(): void {
  ofTab.removeItem(STORED);
  guard();
}

// A step back from the provider may find this page as it was left, with everything that was typed.
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) forgetReturn();
});

/** Gives what the tab had before it left the console back to the same keys. */
function takeReturned(): void {
  const stored = ofTab.getItem(STORED);
  ofTab.removeItem(STORED);
  if (stored === null) return;
  const { key, drafts: typed, left: others = [] } = JSON.parse(stored) as Stored;
  for (const other of others) leave(other);
  if (key !== undefined) for (const [name, draft] of typed) leave({ ...draft, key, name });
  takeOwn();
}

function leave(draft: LeftDraft): void {
  const { key, name } = draft;
  left.delete(`${key} ${name}`);
  left.set(`${key} ${name}`, draft);
}

/** Gives the person who is signed in the drafts that were left under their key. */
function takeOwn(): void {
  for (const { key, name, text, base, entry } of left.values())
    if (key === session.get()?.accessKeyId) drafts.set(name, { text, base, entry });
  dropLeftDrafts(session.get()?.accessKeyId);
  tell();
}

function tellLeft(): void {
  const counts = new Map<string, number>();
  for (const { key } of left.values()) counts.set(key, (counts.get(key) ?? 0) + 1);
  leftDrafts.set([...counts].map(([key, count]) => ({ key, count })));
  guard();
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

/** Gives the person who is signed in what another key has left, except for parts in which they have typed themselves. */
export function takeLeftDrafts(by: string): void {
  for (const [id, { key, name, text, base, entry }] of [...left]) {
    if (key !== by || drafts.has(name)) continue;
    left.delete(id);
    setDraft(name, { text, base, entry });
  }
  tellLeft();
  taken.set(taken.get() + 1);
}

export function dropLeftDrafts(by: string | undefined): void {
  for (const [id, { key }] of [...left]) if (key === by) left.delete(id);
  tellLeft();
}

/** The access key under which the drafts were typed. */
let typist = session.get()?.accessKeyId;

session.subscribe(() => {
  const signedIn = session.get();
  if (signedIn === undefined) {
    // A person who was signed out because their key has ended may go on here once they have another key.
    if (farewell.get() !== undefined) return;
    drafts.clear();
    left.clear();
    tellLeft();
    tell();
    return;
  }
  const before = typist;
  typist = signedIn.accessKeyId;
  if (before === typist) return;
  // It may be another person, so nothing is shown, and nothing can be saved by mistake in their name.
  if (before !== undefined) for (const [name, draft] of drafts) leave({ ...draft, key: before, name });
  bound(left);
  drafts.clear();
  takeOwn();
});

takeReturned();
