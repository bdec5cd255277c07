import { useEffect, useState } from 'preact/hooks';
import { onServer } from '../session.ts';
import { formatDuration, formatTime } from '../texts/language.ts';

/** A time in the reader's zone; in UTC when pointed at. */
export function Time({ at }: { at: string | undefined }) {
  useDay();
  if (at === undefined) return <>–</>;
  return (
    <time dateTime={at} title={at.replace('T', ' ').replace('Z', ' UTC')}>
      {formatTime(at)}
    </time>
  );
}

const TICK_MS = 1_000;

/** One timer for the whole page, so that what changes is drawn together. */
const ticks = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function onTick(listener: () => void): () => void {
  ticks.add(listener);
  timer ??= setInterval(() => {
    for (const each of ticks) each();
  }, TICK_MS);
  return () => {
    ticks.delete(listener);
    if (ticks.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Draws times again when the day is over, because those of today are shown without a date. */
function useDay(): void {
  const [, setDay] = useState(dayNow);
  useEffect(() => onTick(() => setDay(dayNow)), []);
}

const dayNow = () => new Date().toDateString();

/** How long ago something was, kept up to date. */
export function Since({ at }: { at: string | undefined }) {
  useDay();
  const text = () => (at === undefined ? '–' : formatDuration(onServer(Date.now()) - Date.parse(at)));
  const [shown, setShown] = useState(text);
  // Nothing is drawn again while the text stays the same.
  useEffect(() => {
    const update = () => setShown(text);
    update();
    return onTick(update);
  }, [at]);
  if (at === undefined) return <>–</>;
  return (
    <time dateTime={at} title={`${formatTime(at)} · ${at.replace('T', ' ').replace('Z', ' UTC')}`}>
      {shown}
    </time>
  );
}
