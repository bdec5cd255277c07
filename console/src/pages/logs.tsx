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

const LIVE_MS = 1_000;
/** What one look brings, and what is kept to look back at. */
const PAGE_LINES = 50;
const KEPT_LINES = 200;

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
        lines={lines}
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

/**
 * The newest lines, with those from before below them. Where more came between two looks than one look brings, they are
 * counted instead of shown: no person reads a thousand lines a second, and no page should try to draw them.
 */
function useTail(newest: readonly LogLine[] | undefined, asked: string) {
  const kept = useRef<{ asked: string; lines: readonly LogLine[]; missed: number }>({ asked, lines: [], missed: 0 });
  const [, redraw] = useState(0);
  useEffect(() => {
    const before = kept.current.asked === asked ? kept.current : { asked, lines: [], missed: 0 };
    if (newest === undefined) {
      kept.current = before;
      return;
    }
    const last = before.lines[0]?.Position ?? -1;
    const fresh = newest.filter(({ Position = 0 }) => Position > last);
    const oldest = fresh.at(-1)?.Position ?? 0;
    const gap = before.lines.length > 0 && fresh.length === newest.length ? Math.max(0, oldest - last - 1) : 0;
    kept.current = {
      asked,
      lines: [...fresh, ...before.lines].slice(0, KEPT_LINES),
      missed: before.missed + gap,
    };
    redraw((round) => round + 1);
  }, [newest, asked]);
  const isCurrent = kept.current.asked === asked && newest !== undefined;
  return { lines: isCurrent ? kept.current.lines : newest, missed: isCurrent ? kept.current.missed : 0 };
}
