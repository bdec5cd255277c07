import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { Badge } from '../parts/page.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { type Place, place } from '../place.ts';
import { useSignal } from '../store.ts';
import { t } from '../texts/language.ts';
import type { Answer } from '../use-call.ts';
import { playerColumn } from './player-column.tsx';

export type LogLine = NonNullable<Outputs['ListStageLogLines']['LogLines']>[number];

const KINDS = { DEBUG: 'plain', INFO: 'good', WARN: 'warning', ERROR: 'bad' } as const;

export function LogTable({
  lines,
  answer,
  empty,
  hidesPlayer = false,
}: {
  lines: readonly LogLine[] | undefined;
  answer: Pick<Answer<unknown>, 'error' | 'isLoading'>;
  empty: ComponentChildren;
  hidesPlayer?: boolean;
}) {
  const { game, stage } = useSignal(place);
  const columns = useMemo(() => columnsOf({ game, stage }, hidesPlayer), [game, stage, hidesPlayer]);
  return (
    <Table
      title={t('logs')}
      answer={answer}
      rows={lines}
      keyOf={({ Position }) => `${Position}`}
      columns={columns}
      empty={empty}
    />
  );
}

function columnsOf(of: Place, hidesPlayer: boolean): readonly Column<LogLine>[] {
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
    ...(hidesPlayer ? [] : [playerColumn<LogLine>(() => of)]),
  ];
}
