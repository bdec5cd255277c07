/** What Enter acts on at once. In a text of several lines it begins a new one, also while it is held. */
const ACTS = 'input, button, a, summary, select';

/**
 * A key that is held down opens a dialog, and goes on in it: in the first field of a form it would do what the dialog has yet
 * to ask about, again and again. So only a press acts, as at a click.
 */
export function actOncePerPress(): void {
  document.addEventListener(
    'keydown',
    (event) => {
      if (event.repeat && event.key === 'Enter' && event.target instanceof Element && event.target.matches(ACTS))
        event.preventDefault();
    },
    { capture: true },
  );
}
