import { signal } from './store.ts';

/** Which page is shown, and of what: all of it is in the address, so that a link to it can be sent to a colleague. */
export interface Route {
  readonly page: string;
  readonly query: Readonly<Record<string, string>>;
}

function read(): Route {
  const [, page = '', query = ''] = /^#\/([\w-]*)\??(.*)$/.exec(location.hash) ?? [];
  return { page: page || 'home', query: Object.fromEntries(new URLSearchParams(query)) };
}

export const route = signal<Route>(read());

let followed = location.hash;

/** Whether a dialog is open that must not go with the page, as only a button closes it. */
const isHeld = () => document.querySelector('dialog[open][closedby=none]') !== null;

/** Browsers report a new address late, when the person may have gone back already. */
function follow(): void {
  if (location.hash === followed) return;
  if (isHeld()) {
    history.pushState(null, '', followed);
    return;
  }
  followed = location.hash;
  route.set(read());
}

addEventListener('hashchange', follow);

/** The address of a page. What is undefined or empty is left out. */
export function linkTo(page: string, query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const search = new URLSearchParams(given).toString();
  return `#/${page}${search === '' ? '' : '?'}${search}`;
}

export function goTo(page: string, query: Readonly<Record<string, string | undefined>> = {}): void {
  location.hash = linkTo(page, query);
  follow();
}

/** Changes what the page shows without a step in the browser's history, for filters that are typed. */
export function refine(query: Readonly<Record<string, string | undefined>>): void {
  const { page, query: before } = route.get();
  history.replaceState(null, '', linkTo(page, { ...before, ...query }));
  follow();
}
