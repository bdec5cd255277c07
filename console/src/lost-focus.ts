/**
 * What has the focus may go away: a step of a dialog, the row of what was deleted, the form for signing in. The browser
 * then gives the focus to nothing, so that a person who uses a keyboard or a screen reader begins anew at the top of
 * the page, even behind a dialog. Here the focus goes to the dialog that is open, or else to the page.
 */
export function keepFocus(): void {
  let last: Element | undefined;
  document.addEventListener('focusin', ({ target }) => {
    if (target instanceof Element) last = target;
  });
  // A person who clicks what takes no focus wants none.
  document.addEventListener('pointerdown', () => {
    last = undefined;
  });
  new MutationObserver(() => {
    if (last === undefined || last.isConnected || document.activeElement !== document.body) return;
    const dialog = [...document.querySelectorAll('dialog[open]')].at(-1);
    const heir = dialog === undefined ? document.getElementById('main') : placeIn(dialog);
    heir?.focus({ preventScroll: dialog === undefined });
  }).observe(document.body, { childList: true, subtree: true });
}

/** Where a dialog begins: at the first field, or else at its title, where Enter does nothing. */
function placeIn(dialog: Element): HTMLElement | null {
  return dialog.querySelector<HTMLElement>('input, select, textarea') ?? dialog.querySelector<HTMLElement>('h2');
}
