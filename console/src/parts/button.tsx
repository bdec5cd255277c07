import type { ComponentChildren } from 'preact';
import type { OperationName } from '../api/operations.ts';
import { useMay } from '../permissions.ts';

interface Props {
  readonly children: ComponentChildren;
  readonly onClick?: () => unknown;
  readonly kind?: 'primary' | 'danger' | 'plain';
  readonly type?: 'button' | 'submit';
  /** The whole name, for those who do not see the row that it stands in. */
  readonly label?: string;
  readonly isBusy?: boolean;
  readonly isDisabled?: boolean;
  /** Why the button does nothing here. */
  readonly refusal?: string | undefined;
  /** The calls behind the button. Where a policy does not allow one of them, the button says so instead of acting. */
  readonly needs?: readonly OperationName[];
}

export function Button({
  children,
  onClick,
  kind = 'plain',
  type = 'button',
  label,
  isBusy = false,
  isDisabled = false,
  refusal,
  needs = [],
}: Props) {
  const reason = useMay(...needs) ?? refusal;
  const isOff = isBusy || isDisabled || reason !== undefined;
  return (
    <button
      type={type}
      class={`button ${kind}`}
      aria-label={label}
      aria-disabled={isOff}
      aria-busy={isBusy}
      title={reason}
      // A disabled button could be neither reached by keyboard nor pointed at, and so would not say why it is off.
      onClick={(event) => {
        // The second press of a double click is not meant for what has taken the place of what the first one pressed.
        const isRepeated = event.detail > 1;
        if (isOff || isRepeated) event.preventDefault();
        else onClick?.();
      }}
    >
      {children}
    </button>
  );
}
