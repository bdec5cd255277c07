import { useEffect, useState } from 'preact/hooks';
import { useAllowed } from '../permissions.ts';
import { useSignal } from '../store.ts';
import { t } from '../texts/language.ts';
import { asCallError } from '../use-call.ts';
import { type Play, playOn } from './playing.ts';

const LOOK_MS = 700;

/** A player of the stage, played from this page, and all that happens meanwhile. */
export function useTestPlayer({ game, stage, url }: { game: string; stage: string; url: string | undefined }) {
  const mayReadLogs = useAllowed()('ListStageLogLines');
  const [play] = useState(() => playOn(game, stage));
  useScriptLines(play, mayReadLogs);
  return {
    state: useSignal(play.state),
    sent: useSignal(play.sent),
    entries: useSignal(play.entries),
    ...{ send: play.send, clear: play.clear, disconnect: play.disconnect, lastAs: play.lastAs },
    async connect(playerId: string | undefined, deploymentId: string | undefined): Promise<void> {
      if (url !== undefined) await play.connect({ url, playerId, deploymentId, mayReadLogs });
    },
  };
}

/** Reads on what the scripts write about the player, for as long as the page is open. */
function useScriptLines(play: Play, mayReadLogs: boolean): void {
  const followed = useSignal(play.followed);
  useEffect(() => {
    if (followed === undefined || !mayReadLogs) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let hasComplained = false;
    const look = async () => {
      try {
        // A page in the background costs the server nothing.
        if (!document.hidden) await play.readLines(abort.signal);
        hasComplained = false;
      } catch (error) {
        if (abort.signal.aborted) return;
        const why = asCallError('ListStageLogLines', error).message;
        if (!hasComplained) play.complain(t('logsNotRead', { why }));
        hasComplained = true;
      }
      if (!abort.signal.aborted) timer = setTimeout(look, LOOK_MS);
    };
    void look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [play, followed, mayReadLogs]);
}
