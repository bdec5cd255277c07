import { signal } from './store.ts';

/**
 * What was done last, where the dialog that has done it is closed. It stands on the page, where screen readers read it aloud, until
 * the next dialog or another page is opened.
 */
export const said = signal<Said | undefined>(undefined);

export interface Said {
  readonly text: string;
  readonly kind: 'good' | 'bad';
}

/** Screen readers hear nothing from behind a dialog, and it takes them a moment to know that it is closed. */
const CLOSED_MS = 150;

let waiting: ReturnType<typeof setTimeout> | undefined;

export function say(text: string, kind: Said['kind'] = 'good'): void {
  clearTimeout(waiting);
  waiting = setTimeout(() => said.set({ text, kind }), CLOSED_MS);
}

export function unsay(): void {
  clearTimeout(waiting);
  said.set(undefined);
}
