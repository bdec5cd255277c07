import { keepForReturn } from './pages/drafts.ts';

/** When a new link is opened in a tab that has the console already, only the part behind the hash changes. */
addEventListener('hashchange', () => {
  if (!location.hash.startsWith('#code=')) return;
  keepForReturn();
  location.reload();
});

/** Takes the code of the link that a start of the server has printed. It leaves the address at once, and so the history. */
export function takeCode(): string | undefined {
  const [, code] = /^#code=([\w-]+)$/.exec(location.hash) ?? [];
  if (code !== undefined) history.replaceState(null, '', location.pathname);
  return code;
}

/** Resolves when the page is looked at: a browser may prepare one for an address that is never opened. */
export async function untilOpened(): Promise<void> {
  const page: Document & { readonly prerendering?: boolean } = document;
  if (page.prerendering) await new Promise((resolve) => page.addEventListener('prerenderingchange', resolve));
}
