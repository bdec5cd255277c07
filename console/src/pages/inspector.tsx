import { useLayoutEffect, useRef } from 'preact/hooks';
import { Badge } from '../parts/page.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { formatMilliseconds, formatMoment, t } from '../texts/language.ts';
import type { Entry } from './playing.ts';

const KINDS = {
  sent: 'plain',
  answer: 'good',
  error: 'bad',
  notification: 'warning',
  other: 'plain',
  script: 'plain',
  end: 'warning',
} as const satisfies Record<Entry['kind'], string>;

/** A person whose view is this close to the end follows what is newest. */
const NEAR_PIXELS = 40;

/** Everything that has happened, the newest at the bottom. */
export function Inspector({ entries }: { entries: readonly Entry[] }) {
  const frame = useRef<HTMLElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    const element = frame.current;
    if (element !== null && isAtEnd.current) element.scrollTop = element.scrollHeight;
  }, [entries]);
  if (entries.length === 0) return <div class="empty">{t('inspectorEmpty')}</div>;
  return (
    <section
      ref={frame}
      class="inspector"
      aria-label={t('inspector')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_PIXELS;
      }}
    >
      <ol>
        {entries.map(({ id, at, kind, name, title, text, afterMs }) => (
          <li key={id}>
            <header>
              <time dateTime={new Date(at).toISOString()}>{formatMoment(at)}</time>
              <Badge kind={kind === 'script' ? LEVELS[name as keyof typeof LEVELS] : KINDS[kind]}>{name}</Badge>
              <strong>
                <Untrusted text={title} />
              </strong>
              {afterMs !== undefined && <span class="muted">{formatMilliseconds(afterMs)} ms</span>}
            </header>
            {text !== undefined && text !== '{}' && <Untrusted text={text} keepsLines />}
          </li>
        ))}
      </ol>
    </section>
  );
}

const LEVELS = { DEBUG: 'plain', INFO: 'good', WARN: 'warning', ERROR: 'bad' } as const;
