import { farewell, session } from '../session.ts';
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
  let characters = [...drafts.values()].reduce((sum, { text, base }) => sum + text.length + base.length, 0);
  for (const [oldest, { text, base }] of drafts) {
    // The one that is typed in is never given up.
    if (oldest === name || (drafts.size <= MAX_DRAFTS && characters <= MAX_CHARACTERS)) break;
    drafts.delete(oldest);
    characters -= text.length + base.length;
  }
  tell();
}

function tell(): void {
  const before = drafted.get();
  if (before.size === drafts.size && [...drafts.keys()].every((name) => before.has(name))) return;
  drafted.set(new Set(drafts.keys()));
  // A page that only might ask is kept by no browser for a step back, so it is one only while there is something to ask.
  if (drafts.size > 0) addEventListener('beforeunload', ask);
  else removeEventListener('beforeunload', ask);
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

session.subscribe(() => {
  // Whoever is signed out because their key has ended goes on where they were when they have another.
  if (session.get() !== undefined || farewell.get() !== undefined) return;
  drafts.clear();
  tell();
});
