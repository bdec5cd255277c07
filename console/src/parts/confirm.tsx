import type { ComponentChildren } from 'preact';
import type { CallError } from '../api/calls.ts';
import type { OperationName } from '../api/operations.ts';
import { t } from '../texts/language.ts';
import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';
import { Failure } from './notice.tsx';

/** Says what an action will do, and to how many, before it is done. */
export function Confirm({
  title,
  children,
  action,
  needs,
  isBusy,
  error,
  onConfirm,
  onClose,
}: {
  title: string;
  children: ComponentChildren;
  /** The words on the button, which say what it does. */
  action: string;
  needs: readonly OperationName[];
  isBusy: boolean;
  error: CallError | undefined;
  onConfirm: () => unknown;
  onClose: () => void;
}) {
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <Failure error={error} />
      <footer>
        <Button onClick={onClose}>{t('cancel')}</Button>
        <Button kind="danger" needs={needs} isBusy={isBusy} onClick={onConfirm}>
          {action}
        </Button>
      </footer>
    </Dialog>
  );
}
