import { useEffect, useRef, useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { SelectField, TextField } from '../parts/fields.tsx';
import { Page } from '../parts/page.tsx';
import { place } from '../place.ts';
import { refine, route } from '../route.ts';
import { useSignal } from '../store.ts';
import { counted, t } from '../texts/language.ts';
import { useCall } from '../use-call.ts';
import { type LogLine, LogTable } from './log-table.tsx';
import { continuedTail, type LogTail } from './log-tail.ts';

const LIVE_MS = 1_000;
/** How many lines one look brings. */
const PAGE_LINES = 50;

const LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;
type Level = (typeof LEVELS)[number];

export function Logs() {
  const { game, stage } = useSignal(place);
  const { query } = useSignal(route);
  const { level = '', message = '', player = '' } = query;
  const [isLive, setLive] = useState(true);
  const asked = {
    GameName: game,
    StageName: stage,
    MaxResults: PAGE_LINES,
    MinLevel: LEVELS.find((each) => each === level),
    MessageName: message.trim() || undefined,
    PlayerId: player.trim() || undefined,
  };
  const answer = useCall('ListStageLogLines', stage === '' ? undefined : asked, isLive ? { everyMs: LIVE_MS } : {});
  const { lines, missed } = useTail(answer.data?.LogLines, JSON.stringify(asked));
  const hasFilters = level !== '' || message !== '' || player !== '';
  return (
    <Page
      title={t('logs')}
      actions={<Button onClick={() => setLive(!isLive)}>{isLive ? t('pauseLive') : t('followLive')}</Button>}
    >
      <search class="filters" aria-label={t('filters')}>
        <SelectField
          label={t('levelFrom')}
          value={level}
          onValue={(value) => refine({ level: value })}
          options={[['', t('any')], ...LEVELS.map((each: Level) => [each, each] as const)]}
        />
        <TextField
          label={t('message')}
          type="search"
          value={message}
          maxLength={64}
          onValue={(value) => refine({ message: value })}
        />
        <TextField
          label={t('playerId')}
          type="search"
          value={player}
          maxLength={44}
          onValue={(value) => refine({ player: value })}
        />
      </search>
      {missed > 0 && <p class="muted">{counted('linesMissed', missed)}</p>}
      <LogTable
        answer={answer}
        rows={lines}
        empty={
          hasFilters ? (
            <p>{t('noLogsMatch')}</p>
          ) : (
            <>
              <p>{t('noLogs')}</p>
              <p class="muted">
                {t('noLogsAdvice')} <code>GameSparks().Logging().info("…")</code>
              </p>
            </>
          )
        }
      />
    </Page>
  );
}

/** The newest lines of what is asked for, with those of earlier looks below them. */
function useTail(newest: readonly LogLine[] | undefined, asked: string) {
  const kept = useRef<LogTail<LogLine> & { readonly asked: string }>({ asked, lines: [], missed: 0 });
  const [, redraw] = useState(0);
  useEffect(() => {
    const before = kept.current.asked === asked ? kept.current : { asked, lines: [], missed: 0 };
    if (newest === undefined) {
      kept.current = before;
      return;
    }
    kept.current = { asked, ...continuedTail(before, newest) };
    redraw((round) => round + 1);
  }, [newest, asked]);
  const isCurrent = kept.current.asked === asked && newest !== undefined;
  return { lines: isCurrent ? kept.current.lines : newest, missed: isCurrent ? kept.current.missed : 0 };
}
