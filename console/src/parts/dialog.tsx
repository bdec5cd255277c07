import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { unsay } from '../said.ts';
import { t } from '../texts/language.ts';

/**
 * A dialog of the browser's own, which keeps the focus inside, closes by Escape and gives the focus back. Where there is
 * something to fill in, that has the focus first, and not what closes it.
 */
export function Dialog({
  title,
  onClose,
  isKept = false,
  children,
}: {
  title: string;
  onClose: () => void;
  /**
   * Whether it shows what is nowhere else, such as a secret, or waits for it: then only the button at its end closes it. Escape
   * leads to that button, the browser's way back leads nowhere, and the browser asks before it leaves the page.
   */
  isKept?: boolean;
  children: ComponentChildren;
}) {
  const id = useId();
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    unsay();
    element.current?.showModal();
    element.current?.querySelector<HTMLElement>('input, select, textarea')?.focus();
  }, []);
  useEffect(() => {
    if (!isKept) return;
    const dialog = element.current;
    // Some browsers close a dialog at the second Escape, whatever the page says to that, unless it says so beforehand.
    dialog?.setAttribute('closedby', 'none');
    addEventListener('beforeunload', stay);
    return () => {
      dialog?.removeAttribute('closedby');
      removeEventListener('beforeunload', stay);
    };
  }, [isKept]);
  return (
    <dialog
      ref={element}
      aria-labelledby={id}
      onClose={onClose}
      onCancel={isKept ? stay : undefined}
      onKeyDown={(event) => {
        if (!isKept || event.key !== 'Escape') return;
        event.preventDefault();
        element.current?.querySelector<HTMLElement>('footer .button')?.focus();
      }}
    >
      <header>
        <h2 id={id} tabIndex={-1}>
          {title}
        </h2>
        {!isKept && (
          <button type="button" class="close" aria-label={t('close')} onClick={() => element.current?.close()}>
            ×
          </button>
        )}
      </header>
      {children}
    </dialog>
  );
}

const stay = (event: Event) => event.preventDefault();
