import type { ComponentChildren } from 'preact';
import type { OperationName } from '../api/operations.ts';
import { t } from '../texts/language.ts';
import { Button } from './button.tsx';

/** The end of a dialog that asks for something, with a button that leaves it and one that acts. */
export function ActionFooter({
  leave = t('cancel'),
  onLeave,
  isKept = false,
  action,
  kind = 'primary',
  needs,
  isBusy,
  isDisabled = false,
  onAction,
}: {
  leave?: string;
  onLeave: () => void;
  /** Whether nobody may leave at the moment, because what comes next would be lost. */
  isKept?: boolean;
  /** The words on the button, which say what it does. */
  action: string;
  kind?: 'danger' | 'primary';
  needs: readonly OperationName[];
  isBusy: boolean;
  isDisabled?: boolean;
  /** Without it the button submits the form that it is in. */
  onAction?: () => unknown;
}) {
  return (
    <footer>
      <Button onClick={onLeave} isDisabled={isKept}>
        {leave}
      </Button>
      <Button
        kind={kind}
        needs={needs}
        isBusy={isBusy}
        isDisabled={isDisabled}
        {...(onAction === undefined ? { type: 'submit' } : { onClick: onAction })}
      >
        {action}
      </Button>
    </footer>
  );
}

/** The end of a dialog that has said what was done. */
export function CloseFooter({ onClose, children }: { onClose: () => void; children?: ComponentChildren }) {
  return (
    <footer>
      {children}
      <Button kind="primary" onClick={onClose}>
        {t('close')}
      </Button>
    </footer>
  );
}
