import type { ComponentChildren } from 'preact';
import type { Outputs } from '../api/operations.ts';
import { Copied } from '../parts/notice.tsx';
import { Badge } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { here } from '../place.ts';
import { linkTo } from '../route.ts';
import { counted, t } from '../texts/language.ts';
import type { Answer } from '../use-call.ts';

export type AuditRecord = NonNullable<Outputs['ListAuditRecords']['AuditRecords']>[number];

/** Who did what, when, from where and with what outcome. */
export function AuditTable({
  records,
  answer,
  empty,
  hidesPlayer = false,
}: {
  records: readonly AuditRecord[] | undefined;
  answer: Pick<Answer<unknown>, 'error' | 'isLoading'>;
  empty: ComponentChildren;
  hidesPlayer?: boolean;
}) {
  const player = {
    head: t('player'),
    isMinor: true,
    cell: ({ PlayerId }: AuditRecord) =>
      PlayerId === undefined ? (
        '–'
      ) : (
        <a href={linkTo('player', { ...here(), player: PlayerId })}>
          <Id id={PlayerId} />
        </a>
      ),
  };
  return (
    <Table
      title={t('audit')}
      answer={answer}
      rows={records}
      keyOf={({ RequestId = '', Time: at = '' }) => `${RequestId} ${at}`}
      columns={[
        { head: t('time'), cell: ({ Time: at }) => <Time at={at} /> },
        { head: t('operation'), cell: ({ Operation = '' }) => <Untrusted text={Operation} /> },
        { head: t('outcome'), cell: (record) => <OutcomeOf record={record} /> },
        { head: t('actor'), cell: ({ Actor = '' }) => <Untrusted text={Actor} /> },
        ...(hidesPlayer ? [] : [player]),
        { head: t('details'), cell: (record) => <Details record={record} /> },
      ]}
      empty={empty}
    />
  );
}

function OutcomeOf({ record: { Outcome } }: { record: AuditRecord }) {
  if (Outcome === undefined) return <Badge kind="warning">{t('outcomeUnknown')}</Badge>;
  const { Error: error, ConnectionsClosed = [], ConnectionsNotProvenClosed = [] } = Outcome;
  if (error !== undefined) return <Badge kind="bad">{error}</Badge>;
  const unproven = ConnectionsNotProvenClosed.length;
  return (
    <>
      <Badge kind={unproven === 0 ? 'good' : 'bad'}>{t('done')}</Badge>{' '}
      {ConnectionsClosed.length > 0 && <span class="muted">{counted('closedNow', ConnectionsClosed.length)}</span>}
      {unproven > 0 && <span class="muted"> {counted('unprovenNow', unproven)}</span>}
    </>
  );
}

function Details({ record }: { record: AuditRecord }) {
  const { Cause, Details: details = {}, Resource = '', SourceAddress = '', RequestId = '' } = record;
  const facts = { ...details, resource: Resource, address: SourceAddress, cause: (Cause ?? '').toLowerCase() };
  return (
    <details>
      <summary>{t('show')}</summary>
      <dl class="facts">
        {Object.entries(facts)
          .filter(([, value]) => value !== '')
          .map(([name, value]) => (
            <div key={name}>
              <dt>
                <Untrusted text={name} />
              </dt>
              <dd>
                <Untrusted text={value} keepsLines />
              </dd>
            </div>
          ))}
        <div>
          <dt>{t('requestId')}</dt>
          <dd>
            <Copied text={RequestId} />
          </dd>
        </div>
      </dl>
    </details>
  );
}
