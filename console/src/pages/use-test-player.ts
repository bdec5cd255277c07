import { useEffect, useRef, useState } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { useAllowed } from '../permissions.ts';
import { session } from '../session.ts';
import { useSignal } from '../store.ts';
import { t } from '../texts/language.ts';
import { asCallError } from '../use-call.ts';
import type { PlayableMessage } from './harness-messages.ts';
import { createTestPlayer, type Frame, type TestPlayer } from './test-player.ts';

type LogLine = NonNullable<Outputs['ListStageLogLines']['LogLines']>[number];

/** Something that has happened, as the log of the page shows it. */
export interface Entry {
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly kind: 'sent' | 'answer' | 'error' | 'notification' | 'other' | 'script' | 'end';
  readonly name: string;
  readonly title: string;
  readonly text?: string;
  /** How long after its request an answer came. */
  readonly afterMs?: number;
}

/** Why there is no connection. */
export interface ConnectFailure {
  /** As the SDK names it, such as `origin_refused`, or undefined when a call of the API has failed. */
  readonly code?: string;
  readonly message: string;
  readonly error?: ReturnType<typeof asCallError>;
}

type State =
  | { readonly phase: 'closed'; readonly failure?: ConnectFailure }
  | { readonly phase: 'connecting' }
  | { readonly phase: 'connected'; readonly playerId: string };

/** What has become of the message that was sent last. */
export type Sent =
  | { readonly kind: 'waiting' | 'event' }
  | { readonly kind: 'answer' | 'error'; readonly afterMs: number; readonly text: string }
  | { readonly kind: 'unsent'; readonly text: string };

/** What is kept to look back at: a script may write a thousand lines. */
const KEPT_ENTRIES = 500;
const LOOK_MS = 700;
/** A token that is in a page need not be good for longer; while connected, the SDK renews it. */
const TOKEN_SECONDS = 600;

/** A player of the stage, played from this page, and all that happens meanwhile. */
export function useTestPlayer({ game, stage, url }: { game: string; stage: string; url: string | undefined }) {
  const signedIn = useSignal(session);
  const mayReadLogs = useAllowed()('ListStageLogLines');
  const { entries, add, clear } = useEntries();
  const [state, setState] = useState<State>({ phase: 'closed' });
  const [sent, setSent] = useState<Sent>();
  const [followed, setFollowed] = useState<{ playerId: string; after: number | undefined }>();
  const player = useRef<TestPlayer>(undefined);
  const isGone = useRef(false);
  const on = { GameName: game, StageName: stage };

  useEffect(
    () => () => {
      isGone.current = true;
      player.current?.close();
    },
    [],
  );
  useScriptLines(mayReadLogs ? followed : undefined, on, add);

  async function connect(playerId: string | undefined): Promise<void> {
    if (signedIn === undefined || url === undefined) return;
    setState({ phase: 'connecting' });
    setSent(undefined);
    try {
      const { token, gameKey } = await identify(playerId);
      // What was written before is nobody's business here.
      const newest = mayReadLogs ? await signedIn.call('ListStageLogLines', { ...on, MaxResults: 1 }) : undefined;
      if (isGone.current) return;
      const opened = createTestPlayer({
        ...{ url, gameKey, token, hidden: t('tokenHidden') },
        onFrame: (frame) => add(entryOf(frame)),
        onFault: (message) => add({ kind: 'error', name: t('frameError'), title: message }),
        onEnd({ closeCode, name, reason, verdict }) {
          const title = `${closeCode} ${name ?? ''}`;
          add({ kind: 'end', name: t('frameEnd'), title, text: `${reason}\n${verdict}` });
          setState((now) => (now.phase === 'connected' ? { phase: 'closed' } : now));
        },
      });
      player.current = opened;
      const welcome = await opened.connect();
      setFollowed({ playerId: welcome.playerId, after: newest?.LogLines?.[0]?.Position });
      setState({ phase: 'connected', playerId: welcome.playerId });
    } catch (error) {
      setState({ phase: 'closed', failure: failureOf(error) });
    }
  }

  async function identify(playerId: string | undefined) {
    if (playerId === undefined) {
      const found = await signedIn?.call('GetStage', on);
      return { token: undefined, gameKey: found?.Stage?.GameKey ?? '' };
    }
    const made = await signedIn?.call('CreatePlayerToken', {
      ...{ ...on, PlayerId: playerId, LifetimeSeconds: TOKEN_SECONDS },
    });
    return { token: made?.AuthenticationToken, gameKey: made?.GameKey ?? '' };
  }

  async function send({ kind, type }: PlayableMessage, payload: Readonly<Record<string, unknown>>): Promise<void> {
    const begun = performance.now();
    const afterMs = () => performance.now() - begun;
    try {
      if (kind === 'event') {
        player.current?.event(type, payload);
        setSent({ kind: 'event' });
        return;
      }
      setSent({ kind: 'waiting' });
      const answer = await player.current?.request(type, payload);
      setSent({ kind: 'answer', afterMs: afterMs(), text: JSON.stringify(answer, null, 2) });
    } catch (error) {
      const { code, message } = failureOf(error);
      if (kind === 'event') setSent({ kind: 'unsent', text: message });
      else setSent({ kind: 'error', afterMs: afterMs(), text: `${code ?? ''}: ${message}` });
    }
  }

  return {
    ...{ state, sent, entries, connect, send, clear },
    disconnect: () => player.current?.close(),
  };
}

function failureOf(error: unknown): ConnectFailure {
  if (!(error instanceof Error)) return { message: String(error) };
  if (error.name === 'CallError') return { message: error.message, error: asCallError('CreatePlayerToken', error) };
  const { code } = error as { code?: unknown };
  return { message: error.message, ...(typeof code === 'string' && { code }) };
}

type NewEntry = Omit<Entry, 'id' | 'at'> & { readonly at?: number };

/** Entries come one by one and in bursts, so they are drawn together. */
function useEntries() {
  const kept = useRef<readonly Entry[]>([]);
  const next = useRef(0);
  const [entries, setEntries] = useState<readonly Entry[]>([]);
  const put = (now: readonly Entry[]) => {
    kept.current = now;
    setEntries(now);
  };
  return {
    entries,
    add(entry: NewEntry) {
      next.current += 1;
      put([...kept.current, { at: Date.now(), ...entry, id: next.current }].slice(-KEPT_ENTRIES));
    },
    clear: () => put([]),
  };
}

/** What the scripts of the stage write about the player, for as long as the page is open. */
function useScriptLines(
  followed: { playerId: string; after: number | undefined } | undefined,
  on: { GameName: string; StageName: string },
  add: (entry: NewEntry) => void,
): void {
  const signedIn = useSignal(session);
  useEffect(() => {
    if (followed === undefined || signedIn === undefined) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let { after } = followed;
    let hasComplained = false;
    const look = async () => {
      const asked = { ...on, PlayerId: followed.playerId, Order: 'OLDEST_FIRST', After: after } as const;
      try {
        // Nobody looks at a page in the background, so it costs the server nothing.
        if (!document.hidden) {
          const page = await signedIn.call('ListStageLogLines', asked, abort.signal);
          after = page.Cursor ?? after;
          for (const line of page.LogLines ?? []) add(entryOfLine(line));
          hasComplained = false;
        }
      } catch (error) {
        if (abort.signal.aborted) return;
        const why = asCallError('ListStageLogLines', error).message;
        if (!hasComplained) add({ kind: 'error', name: t('frameError'), title: t('logsNotRead', { why }) });
        hasComplained = true;
      }
      if (!abort.signal.aborted) timer = setTimeout(look, LOOK_MS);
    };
    void look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [followed, signedIn]);
}

function entryOfLine({ Time: at, Level = 'INFO', Text = '', MessageName = '' }: LogLine): NewEntry {
  return {
    kind: 'script',
    name: Level,
    title: MessageName,
    text: Text,
    ...(at !== undefined && { at: Date.parse(at) }),
  };
}

const RECEIVED = {
  response: ['answer', 'frameAnswer'],
  error: ['error', 'frameError'],
  notification: ['notification', 'frameNotification'],
  welcome: ['other', 'frameWelcome'],
} as const;

function entryOf({ direction, kind, type, content, afterMs }: Frame): NewEntry {
  const rest = {
    title: type ?? kind,
    text: JSON.stringify(content, null, 2),
    ...(afterMs !== undefined && { afterMs }),
  };
  if (direction === 'sent') {
    const name = kind === 'event' ? t('frameEvent') : kind === 'request' ? t('frameRequest') : kind;
    return { kind: 'sent', name, ...rest };
  }
  const [known, name] = RECEIVED[kind as keyof typeof RECEIVED] ?? (['other', 'frameOther'] as const);
  return { kind: known, name: t(name), ...rest };
}
