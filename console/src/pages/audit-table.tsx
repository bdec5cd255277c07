import type { Outputs } from '../api/operations.ts';
import { Copied } from '../parts/notice.tsx';
import { Badge } from '../parts/page.tsx';
import type { Column } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { breakable, CAMEL_CASE, Id, Untrusted } from '../parts/untrusted.tsx';
import type { Place } from '../place.ts';
import { counted, t } from '../texts/language.ts';
import { RecordTable, type RecordTableProps } from './record-table.tsx';

export type AuditRecord = NonNullable<Outputs['ListAuditRecords']['AuditRecords']>[number];

/** Who did what, when, from where and with what outcome. */
export function AuditTable(props: RecordTableProps<AuditRecord>) {
  return (
    <RecordTable
      {...props}
      title={t('audit')}
      keyOf={({ RequestId = '', Time: at = '' }) => `${RequestId} ${at}`}
      columnsOf={columnsOf}
      placeOf={placeOf}
      isIdShort="middle"
      detailsOf={detailsOf}
    />
  );
}

function columnsOf(): readonly Column<AuditRecord>[] {
  return [
    { head: t('time'), cell: ({ Time: at }) => <Time at={at} /> },
    {
      head: t('operation'),
      cell: ({ Operation = '' }) => (
        <span class="name words">
          <Untrusted text={Operation} breaks={CAMEL_CASE} />
        </span>
      ),
    },
    { head: t('outcome'), cell: (record) => <OutcomeOf record={record} /> },
    { head: t('actor'), isMinor: true, cell: ({ Actor = '' }) => <Id id={Actor} isShort="middle" /> },
  ];
}

/**
 * Where the player of a record is: another stage may have another player with the same id. What is about all stages of
 * a game is taken to be about the chosen stage, if that is in the game.
 */
export function placeOf({ Resource = '' }: Pick<AuditRecord, 'Resource'>, at: Place): Place {
  const [, game, stage] = /:game\/([^/]+)(?:\/stage\/([^/]+))?/.exec(Resource) ?? [];
  if (game === undefined) return at;
  return { game, stage: stage ?? (game === at.game ? at.stage : '') };
}

function OutcomeOf({ record: { Outcome, Details: details } }: { record: AuditRecord }) {
  if (Outcome === undefined) return <Badge kind="warning">{t('outcomeUnknown')}</Badge>;
  const { Error: error, ConnectionsClosed = [], ConnectionsNotProvenClosed = [], Counts: counts } = Outcome;
  if (error !== undefined) return <Badge kind="bad">{breakable(error, CAMEL_CASE)}</Badge>;
  // It only looked at what it would do.
  if (details?.dryRun === 'true') return <Badge kind="plain">{t('outcomeDryRun')}</Badge>;
  const unproven = ConnectionsNotProvenClosed.length;
  return (
    <>
      <Badge kind={unproven === 0 ? 'good' : 'bad'}>{t('done')}</Badge>{' '}
      {ConnectionsClosed.length > 0 && <span class="muted">{counted('closedNow', ConnectionsClosed.length)}</span>}
      {unproven > 0 && <span class="muted"> {counted('unprovenNow', unproven)}</span>}
      {counts?.reached !== undefined && <span class="muted">{counted('notified', counts.reached)}</span>}
      {counts?.keys !== undefined && <span class="muted">{counted('keysDeleted', counts.keys)}</span>}
    </>
  );
}

function detailsOf(record: AuditRecord) {
  const { Cause, Details: details = {}, Actor = '', PlayerId = '', Resource = '', SourceAddress = '' } = record;
  const who = { actor: Actor, player: PlayerId, address: SourceAddress, cause: (Cause ?? '').toLowerCase() };
  const facts = { ...details, resource: Resource, ...who };
  return (
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
          <Copied text={record.RequestId ?? ''} />
        </dd>
      </div>
    </dl>
  );
}
