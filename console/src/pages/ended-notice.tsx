import type { ComponentChildren } from 'preact';
import { Notice } from '../parts/notice.tsx';
import { say } from '../said.ts';
import { counted, t } from '../texts/language.ts';

interface Ended {
  readonly DisconnectSuccesses?: readonly string[];
  readonly DisconnectFailures?: readonly string[];
}

/** Says on the page what was done to a player, where the dialog that would show it was closed meanwhile. */
export function sayEnded(
  what: 'blockedLater' | 'kickedLater' | 'revokedLater',
  player: string,
  { DisconnectSuccesses = [], DisconnectFailures = [] }: Ended,
): void {
  const unproven = DisconnectFailures.length;
  const words = [t(what, { player }), counted('closedNow', DisconnectSuccesses.length)];
  if (unproven > 0) words.push(counted('unprovenNow', unproven));
  say(words.join(' '), unproven === 0 ? 'good' : 'bad');
}

/** What was done to a player, and how many connections that has ended. */
export function EndedNotice({
  done: { DisconnectSuccesses = [], DisconnectFailures = [] },
  children,
}: {
  done: Ended;
  children: ComponentChildren;
}) {
  const unproven = DisconnectFailures.length;
  return (
    <Notice kind={unproven === 0 ? 'good' : 'bad'}>
      <p>
        {children} {counted('closedNow', DisconnectSuccesses.length)} {unproven > 0 && counted('unprovenNow', unproven)}
      </p>
    </Notice>
  );
}
