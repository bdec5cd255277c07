import { farewell, session } from '../session.ts';
import { ofTab } from '../storage.ts';
import { signal } from '../store.ts';
import type { Entry } from './configuration-entries.ts';

/** What somebody has typed and not saved, and what the server had, as it would be shown, when they began. */
export interface Draft {
  readonly text: string;
  readonly base: string;
  /** What is edited, so that it can be made anew when somebody else has deleted it. */
  readonly entry: Entry;
}

/** Two hundred parts are more than a person changes before saving one; the characters bound what a tab keeps. */
const MAX_DRAFTS = 200;
const MAX_CHARACTERS = 16_000_000;

/** By game, section and entry, the one that was typed in last at the end. */
const drafts = new Map<string, Draft>();

/** What whoever was signed in here before has typed. It is shown to nobody until somebody says that it is theirs. */
const left = new Map<string, Draft>();

/** By which key that was typed, and how many parts it is of; undefined where nothing is left. */
export const leftDrafts = signal<{ readonly key: string; readonly count: number } | undefined>(undefined);

/** How often somebody has taken on what was left. */
export const taken = signal(0);

/** The names of all drafts, which changes when there is one more or less, and not with each key. */
export const drafted = signal<ReadonlySet<string>>(new Set());

export function draftName(
  game: string,
  { section, name }: { readonly section: string; readonly name: string },
): string {
  return JSON.stringify([game, section, name]);
}

export const draftOf = (name: string) => drafts.get(name);

/** What somebody has typed in and not saved, of a game that does not have it any more. */
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

/** Gives up the oldest of too many, and never the one that is typed in. */
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

/** A page that only might ask is kept by no browser for a step back, so it is one only while there is something to ask. */
function guard(): void {
  if (isAnythingUnsaved()) addEventListener('beforeunload', ask);
  else removeEventListener('beforeunload', ask);
}

const STORED = 'respark.drafts';

/**
 * Keeps everything for this tab while it leaves the console for a sign-in, and has the browser not ask whether it may. What
 * is too long for the browser to keep is asked for.
 */
export function keepForReturn(): void {
  if (!isAnythingUnsaved()) return;
  const key = leftDrafts.get()?.key ?? typist;
  try {
    ofTab.setItem(STORED, JSON.stringify({ key, drafts: [...left, ...drafts] }));
    removeEventListener('beforeunload', ask);
  } catch {
    forgetReturn();
  }
}

/** Has the tab keep nothing after all, because it stays where it is. */
export function forgetReturn(): void {
  ofTab.removeItem(STORED);
  guard();
}

/** What the tab had before it left the console belongs to the same key still, or is left of another one. */
function takeReturned(): void {
  const stored = ofTab.getItem(STORED);
  ofTab.removeItem(STORED);
  if (stored === null) return;
  const { key, drafts: kept } = JSON.parse(stored) as { key: string; drafts: [string, Draft][] };
  const isSame = key === session.get()?.accessKeyId;
  for (const [name, draft] of kept) (isSame ? drafts : left).set(name, draft);
  if (left.size > 0) leftDrafts.set({ key, count: left.size });
  tell();
  guard();
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

/** Has what was left be drafts of whoever is signed in now. What they have typed themselves stays. */
export function takeLeftDrafts(): void {
  for (const [name, draft] of left) if (!drafts.has(name)) setDraft(name, draft);
  dropLeftDrafts();
  taken.set(taken.get() + 1);
}

export function dropLeftDrafts(): void {
  left.clear();
  leftDrafts.set(undefined);
  guard();
}

/** The key of whoever has typed the drafts. */
let typist = session.get()?.accessKeyId;

session.subscribe(() => {
  const signedIn = session.get();
  if (signedIn === undefined) {
    // Whoever is signed out because their key has ended may go on where they were when they have another.
    if (farewell.get() !== undefined) return;
    drafts.clear();
    left.clear();
    leftDrafts.set(undefined);
    tell();
    guard();
    return;
  }
  const before = typist;
  typist = signedIn.accessKeyId;
  if (before === undefined || before === typist || drafts.size === 0) return;
  // Nobody knows here whether it is the same person, so nothing is shown, or saved by mistake, in the name of another.
  for (const [name, draft] of drafts) left.set(name, draft);
  bound(left);
  drafts.clear();
  leftDrafts.set({ key: before, count: left.size });
  tell();
});

takeReturned();
