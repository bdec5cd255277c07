import { useEffect, useState } from 'preact/hooks';
import { formatDuration, formatTime } from '../texts/language.ts';

/** A time in the reader's zone; in UTC when pointed at. */
export function Time({ at }: { at: string | undefined }) {
  if (at === undefined) return <>–</>;
  return (
    <time dateTime={at} title={at.replace('T', ' ').replace('Z', ' UTC')}>
      {formatTime(at)}
    </time>
  );
}

/** How long ago something was, which goes on while it is looked at. */
export function Since({ at }: { at: string | undefined }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  if (at === undefined) return <>–</>;
  return (
    <time dateTime={at} title={`${formatTime(at)} · ${at.replace('T', ' ').replace('Z', ' UTC')}`}>
      {formatDuration(now - Date.parse(at))}
    </time>
  );
}
