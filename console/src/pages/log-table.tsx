import type { Outputs } from '../api/operations.ts';
import { Badge } from '../parts/page.tsx';
import type { Column } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import type { Place } from '../place.ts';
import { t } from '../texts/language.ts';
import { RecordTable, type RecordTableProps } from './record-table.tsx';

export type LogLine = NonNullable<Outputs['ListStageLogLines']['LogLines']>[number];

const KINDS = { DEBUG: 'plain', INFO: 'good', WARN: 'warning', ERROR: 'bad' } as const;

/** Lines of the log of the chosen stage. */
export function LogTable(props: RecordTableProps<LogLine>) {
  return (
    <RecordTable
      {...props}
      title={t('logs')}
      keyOf={({ Position }) => `${Position}`}
      columnsOf={columnsOf}
      placeOf={chosen}
    />
  );
}

const chosen = (_: LogLine, at: Place) => at;

function columnsOf(): readonly Column<LogLine>[] {
  return [
    { head: t('time'), width: 6.5, cell: ({ Time: at }) => <Time at={at} /> },
    { head: t('level'), width: 6, cell: ({ Level = 'INFO' }) => <Badge kind={KINDS[Level]}>{Level}</Badge> },
    { head: t('text'), width: [9, '1fr'], cell: ({ Text = '' }) => <Untrusted text={Text} keepsLines /> },
    {
      head: t('message'),
      isMinor: true,
      width: 10,
      cell: ({ MessageName = '–' }) => <Untrusted text={MessageName} />,
    },
  ];
}
