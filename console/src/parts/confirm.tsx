import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import type { CallError } from '../api/calls.ts';
import type { OperationName } from '../api/operations.ts';
import { Dialog } from './dialog.tsx';
import { ActionFooter, CloseFooter } from './dialog-footer.tsx';
import { Failure } from './notice.tsx';

/** Says what an action will do, and to how many, before it is done, and afterwards what was done, if that is given. */
export function Confirm({
  title,
  children,
  action,
  kind = 'danger',
  needs,
  isBusy,
  error,
  outcome,
  onConfirm,
  onClose,
}: {
  title: string;
  children: ComponentChildren;
  /** The words on the button, which say what it does. */
  action: string;
  /** `primary` for what hurts no player and deletes nothing. */
  kind?: 'danger' | 'primary';
  needs: readonly OperationName[];
  isBusy: boolean;
  error: CallError | undefined;
  outcome?: ComponentChildren;
  onConfirm: () => unknown;
  onClose: () => void;
}) {
  const form = useRef<HTMLFormElement>(null);
  if (outcome !== undefined)
    return (
      <Dialog title={title} onClose={onClose}>
        {outcome}
        <CloseFooter onClose={onClose} />
      </Dialog>
    );
  return (
    <Dialog title={title} onClose={onClose}>
      {/* Only the button acts: a person who presses Enter in a field may not have finished. */}
      <form ref={form} onSubmit={(event) => event.preventDefault()}>
        {children}
        <Failure error={error} />
        <ActionFooter
          onLeave={onClose}
          action={action}
          kind={kind}
          needs={needs}
          isBusy={isBusy}
          // Where something is missing, the browser says so at its field.
          onAction={() => form.current?.reportValidity() && onConfirm()}
        />
      </form>
    </Dialog>
  );
}
