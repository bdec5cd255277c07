import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useState } from 'preact/hooks';

interface Common {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly value: string;
  readonly onValue: (value: string) => void;
}

interface TextProps extends Common {
  readonly type?: 'text' | 'password' | 'search' | 'datetime-local' | 'number' | 'url';
  readonly isRequired?: boolean;
  readonly maxLength?: number;
  /** A pattern that the whole value has to match. If it does not, the browser shows the `title`. */
  readonly pattern?: string;
  readonly title?: string;
  readonly placeholder?: string;
  readonly autocomplete?: string;
  readonly suggestions?: readonly string[];
}

function Field({
  id,
  label,
  hint,
  isFault = false,
  children,
}: {
  id: string;
  label: string;
  hint: string | undefined;
  /** Whether the hint says what is wrong with the value. */
  isFault?: boolean;
  children: ComponentChildren;
}) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      {hint !== undefined && (
        <small class={isFault ? 'hint fault' : 'hint'} id={`${id}-hint`}>
          {hint}
        </small>
      )}
    </div>
  );
}

export function TextField({
  label,
  hint,
  value,
  onValue,
  type = 'text',
  isRequired = false,
  suggestions,
  ...rest
}: TextProps) {
  const id = useId();
  return (
    <Field id={id} label={label} hint={hint}>
      <input
        id={id}
        // The types of Preact know which lists go with which type, and cannot know that all of these may have one.
        type={type as 'text'}
        value={value}
        required={isRequired}
        // A value of spaces counts as empty.
        pattern={isRequired ? '.*\\S.*' : undefined}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        spellcheck={false}
        list={suggestions && `${id}-list`}
        onInput={(event) => onValue(event.currentTarget.value)}
        {...rest}
      />
      {suggestions && (
        <datalist id={`${id}-list`}>
          {suggestions.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </Field>
  );
}

/** A text that counts once it is whole: when the field is left, or at the Enter key. */
export function EnteredField({
  value,
  onEntered,
  ...rest
}: Omit<TextProps, 'onValue'> & { readonly onEntered: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  // The browser's Back leads to other values than the one that was typed last.
  useLayoutEffect(() => setTyped(value), [value]);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onEntered(typed);
      }}
      onFocusOut={() => typed !== value && onEntered(typed)}
    >
      <TextField {...rest} value={typed} onValue={setTyped} />
    </form>
  );
}

export function AreaField({
  label,
  hint,
  fault,
  value,
  onValue,
  rows = 3,
  isCode = false,
  maxLength,
}: Common & { fault?: string | undefined; rows?: number; isCode?: boolean; maxLength?: number }) {
  const id = useId();
  const said = fault ?? hint;
  return (
    <Field id={id} label={label} hint={said} isFault={fault !== undefined}>
      <textarea
        id={id}
        rows={rows}
        class={isCode ? 'code' : ''}
        maxLength={maxLength}
        spellcheck={!isCode}
        aria-invalid={fault !== undefined}
        aria-describedby={said === undefined ? undefined : `${id}-hint`}
        value={value}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
    </Field>
  );
}

export function SelectField({
  label,
  hint,
  value,
  onValue,
  options,
}: Common & { options: readonly (readonly [value: string, label: string])[] }) {
  const id = useId();
  return (
    <Field id={id} label={label} hint={hint}>
      <select id={id} value={value} onChange={(event) => onValue(event.currentTarget.value)}>
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </Field>
  );
}

export function CheckField({
  label,
  hint,
  isChecked,
  onCheck,
}: {
  label: string;
  hint?: string;
  isChecked: boolean;
  onCheck: (isChecked: boolean) => void;
}) {
  const id = useId();
  return (
    <div class="check">
      <input
        id={id}
        type="checkbox"
        checked={isChecked}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => onCheck(event.currentTarget.checked)}
      />
      <div>
        <label for={id}>{label}</label>
        {hint !== undefined && (
          <small class="hint" id={`${id}-hint`}>
            {hint}
          </small>
        )}
      </div>
    </div>
  );
}
