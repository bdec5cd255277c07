import type { ComponentChildren } from 'preact';
import type { Outputs } from '../api/operations.ts';
import { Badge } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { here } from '../place.ts';
import { linkTo } from '../route.ts';
import { t } from '../texts/language.ts';
import type { Answer } from '../use-call.ts';

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
  const player = {
    head: t('player'),
    isMinor: true,
    cell: ({ PlayerId }: LogLine) =>
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
      title={t('logs')}
      answer={answer}
      rows={lines}
      keyOf={({ Position }) => `${Position}`}
      columns={[
        { head: t('time'), cell: ({ Time: at }) => <Time at={at} /> },
        { head: t('level'), cell: ({ Level = 'INFO' }) => <Badge kind={KINDS[Level]}>{Level}</Badge> },
        { head: t('text'), cell: ({ Text = '' }) => <Untrusted text={Text} keepsLines /> },
        {
          head: t('message'),
          isMinor: true,
          cell: ({ MessageName = '–' }) => <Untrusted text={MessageName} />,
        },
        ...(hidesPlayer ? [] : [player]),
      ]}
      empty={empty}
    />
  );
}
