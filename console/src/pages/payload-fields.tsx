import { useMemo, useState } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { faultOfObject } from '../json-object.ts';
import { AreaField, CheckField } from '../parts/fields.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { t } from '../texts/language.ts';
import { describeShape, examplePayload } from './harness-messages.ts';

type Sections = NonNullable<Outputs['GetSnapshot']['Snapshot']>['Sections'];

const MIN_ROWS = 5;
const MAX_ROWS = 18;

/** A payload as text, which is an example of the shape until a person changes it. The key says which message it is for. */
export function usePayload(sections: Sections, message: { readonly key: string; readonly shape: string } | undefined) {
  const [hasOptional, setOptional] = useState(true);
  const [edited, setEdited] = useState<{ of: string; text: string }>();
  const of = message === undefined ? '' : `${message.key} ${hasOptional}`;
  const [example, shape] = useMemo(() => {
    if (message === undefined) return ['{}', undefined];
    const payload = examplePayload(sections, message.shape, { hasOptional, now: new Date() });
    return [JSON.stringify(payload, null, 2), describeShape(sections, message.shape)];
  }, [sections, of]);
  const text = edited?.of === of ? edited.text : example;
  return {
    ...{ text, fault: faultOfObject(text), example, shape, hasOptional, setOptional },
    edit: (changed: string | undefined) => setEdited(changed === undefined ? undefined : { of, text: changed }),
  };
}

export function PayloadFields({ payload }: { payload: ReturnType<typeof usePayload> }) {
  const { text, fault, example, shape, hasOptional, setOptional, edit } = payload;
  return (
    <>
      <AreaField
        label={t('payload')}
        fault={fault}
        value={text}
        onValue={edit}
        rows={Math.min(MAX_ROWS, Math.max(MIN_ROWS, example.split('\n').length + 1))}
        isCode
      />
      {shape !== undefined && (
        <>
          <div class="inline example">
            <CheckField label={t('withOptional')} isChecked={hasOptional} onCheck={setOptional} />
            <button type="button" class="link" onClick={() => edit(undefined)}>
              {t('exampleAgain')}
            </button>
          </div>
          <details>
            <summary>{t('shapeOfPayload')}</summary>
            <Untrusted text={shape} keepsLines />
          </details>
        </>
      )}
    </>
  );
}
