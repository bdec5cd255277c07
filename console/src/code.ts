/** Where a new link is opened in a tab that has the console already, only what is behind the hash changes. */
addEventListener('hashchange', () => {
  if (location.hash.startsWith('#code=')) location.reload();
});

/** The code of the link that a start of the server has printed. It leaves the address at once, and with it the history. */
export function takeCode(): string | undefined {
  const [, code] = /^#code=([\w-]+)$/.exec(location.hash) ?? [];
  if (code !== undefined) history.replaceState(null, '', location.pathname);
  return code;
}
