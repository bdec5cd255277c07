import { useState } from 'preact/hooks';
import type { CallError } from '../api/calls.ts';
import { OPERATIONS, type OperationName } from '../api/operations.ts';
import { Button } from '../parts/button.tsx';
import { SelectField, TextField } from '../parts/fields.tsx';
import { More } from '../parts/more.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Page } from '../parts/page.tsx';
import { refine, route } from '../route.ts';
import { onServer, session } from '../session.ts';
import { useSignal } from '../store.ts';
import { counted, t } from '../texts/language.ts';
import { asCallError } from '../use-call.ts';
import { usePages } from '../use-pages.ts';
import { type AuditRecord, AuditTable } from './audit-table.tsx';

const SINCE = [
  ['1', 'hours1'],
  ['24', 'days1'],
  ['168', 'days7'],
] as const;
/** An export holds all its records in memory until it is saved. */
const MAX_EXPORTED = 20_000;

/** Operations that only read are not recorded. */
const RECORDED = (Object.keys(OPERATIONS) as OperationName[]).filter((name) => OPERATIONS[name][0] !== 'GET');

/** The name of an operation as the server spells it, however it was typed. */
function spelled(typed: string): string {
  const wanted = typed.trim().toLowerCase();
  return RECORDED.find((name) => name.toLowerCase() === wanted) ?? typed;
}

export function Audit() {
  const { query } = useSignal(route);
  const { operation = '', actor = '', player = '', hours = '' } = query;
  // The start of the period does not move with every look, or every look would be another question.
  const [openedAt] = useState(Date.now);
  // The address may say anything, and an invalid time would break the page.
  const isKnown = SINCE.some(([value]) => value === hours);
  const filter = {
    Operation: operation.trim() || undefined,
    Actor: actor.trim() || undefined,
    PlayerId: player.trim() || undefined,
    Since: isKnown ? new Date(onServer(openedAt) - Number(hours) * 3_600_000).toISOString() : undefined,
  };
  const records = usePages('ListAuditRecords', filter, ({ AuditRecords }) => AuditRecords);
  const field = (name: string, label: string, value: string, maxLength: number) => (
    <TextField
      label={label}
      type="search"
      value={value}
      maxLength={maxLength}
      onValue={(typed) => refine({ [name]: typed })}
    />
  );
  return (
    <Page
      title={t('audit')}
      actions={
        <>
          <Button onClick={records.reload}>{t('refresh')}</Button>
          <Export filter={filter} />
        </>
      }
    >
      <search class="filters" aria-label={t('filters')}>
        <TextField
          label={t('operation')}
          type="search"
          value={operation}
          maxLength={64}
          suggestions={RECORDED}
          onValue={(typed) => refine({ operation: spelled(typed) })}
        />
        {field('actor', t('actor'), actor, 128)}
        {field('player', t('playerId'), player, 44)}
        <SelectField
          label={t('atMostBefore')}
          value={hours}
          onValue={(value) => refine({ hours: value })}
          options={[['', t('any')], ...SINCE.map(([value, key]) => [value, t(key)] as const)]}
        />
      </search>
      <AuditTable answer={records} rows={records.items} empty={<p>{t('noRecords')}</p>} />
      <More pages={records} />
      <p class="muted">
        {t('verifyAdvice')} <code>respark audit verify</code>
      </p>
    </Page>
  );
}

type Filter = Readonly<Record<'Operation' | 'Actor' | 'PlayerId' | 'Since', string | undefined>>;

/** Saves what the filters let through, oldest last, as lines of JSON, which other programs read. */
function Export({ filter }: { filter: Filter }) {
  const signedIn = useSignal(session);
  const [state, setState] = useState<{ count: number; isBusy: boolean; error?: CallError }>({
    count: 0,
    isBusy: false,
  });

  async function save(): Promise<void> {
    if (signedIn === undefined) return;
    const found: AuditRecord[] = [];
    let next: string | undefined;
    setState({ count: 0, isBusy: true });
    try {
      do {
        const page: { AuditRecords?: readonly AuditRecord[]; NextToken?: string } = await signedIn.call(
          'ListAuditRecords',
          { ...filter, NextToken: next },
        );
        // What one person may read is not saved once another may be at the page.
        if (session.get() !== signedIn) return;
        found.push(...(page.AuditRecords ?? []));
        next = page.NextToken;
        setState({ count: found.length, isBusy: true });
      } while (next !== undefined && found.length < MAX_EXPORTED);
      saveFile('audit.jsonl', found.map((record) => `${JSON.stringify(record)}\n`).join(''));
      setState({ count: found.length, isBusy: false });
    } catch (error) {
      setState({ count: found.length, isBusy: false, error: asCallError('ListAuditRecords', error) });
    }
  }

  return (
    <>
      <Button needs={['ListAuditRecords']} isBusy={state.isBusy} onClick={save}>
        {state.isBusy ? counted('exporting', state.count) : t('export')}
      </Button>
      {state.count >= MAX_EXPORTED && !state.isBusy && (
        <Notice kind="warning">{counted('exportedFirst', state.count)}</Notice>
      )}
      <Failure error={state.error} />
    </>
  );
}

function saveFile(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/jsonl' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
