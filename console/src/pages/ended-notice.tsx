import type { ComponentChildren } from 'preact';
import { Notice } from '../parts/notice.tsx';
import { counted } from '../texts/language.ts';

/** What was done to a player, and how many connections that has ended. */
export function EndedNotice({
  done: { DisconnectSuccesses = [], DisconnectFailures = [] },
  children,
}: {
  done: { readonly DisconnectSuccesses?: readonly string[]; readonly DisconnectFailures?: readonly string[] };
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
