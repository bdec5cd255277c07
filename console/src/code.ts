import { keepForReturn } from './pages/drafts.ts';

/** Where a new link is opened in a tab that has the console already, only what is behind the hash changes. */
addEventListener('hashchange', () => {
  if (!location.hash.startsWith('#code=')) return;
  keepForReturn();
  location.reload();
});

/** The code of the link that a start of the server has printed. It leaves the address at once, and with it the history. */
export function takeCode(): string | undefined {
  const [, code] = /^#code=([\w-]+)$/.exec(location.hash) ?? [];
  if (code !== undefined) history.replaceState(null, '', location.pathname);
  return code;
}

/** Resolves when somebody looks at the page: a browser may have made it ready for an address that nobody opens then. */
export async function untilOpened(): Promise<void> {
  const page: Document & { readonly prerendering?: boolean } = document;
  if (page.prerendering) await new Promise((resolve) => page.addEventListener('prerenderingchange', resolve));
}
