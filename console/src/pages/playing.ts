import type { Call } from '../api/calls.ts';
import type { Outputs } from '../api/operations.ts';
import { onServer, session } from '../session.ts';
import { signal } from '../store.ts';
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
  | {
      readonly phase: 'connected';
      readonly playerId: string;
      /** What was deployed when the connection opened, which stays on it. */
      readonly deploymentId: string | undefined;
    };

/** What became of the message that was sent last. */
export type Sent =
  | { readonly kind: 'waiting' | 'event' }
  | { readonly kind: 'answer' | 'error'; readonly afterMs: number; readonly text: string }
  | { readonly kind: 'unsent'; readonly text: string };

/** The player whose lines of the scripts' log are shown, and how far they have been read. */
interface Followed {
  readonly playerId: string;
  after: number | undefined;
}

type NewEntry = Omit<Entry, 'id' | 'at'> & { readonly at?: number };

/** How much is kept to look back at: a script may write a thousand lines. */
const KEPT_ENTRIES = 500;
/** A token that is in a page need not be good for longer; while connected, the SDK renews it. */
const TOKEN_SECONDS = 600;

export type Play = ReturnType<typeof createPlay>;

let kept: Play | undefined;

/**
 * What is played on the stage in this tab. It goes on when its page is left, so that its player can be looked at, or sent
 * away, on the other pages. It ends when another stage is played on, and when its person signs out.
 */
export function playOn(game: string, stage: string): Play {
  if (kept?.game === game && kept.stage === stage) return kept;
  kept?.end();
  kept = createPlay(game, stage);
  return kept;
}

session.subscribe(() => {
  kept?.end();
  kept = undefined;
});

function createPlay(game: string, stage: string) {
  const state = signal<State>({ phase: 'closed' });
  const sent = signal<Sent | undefined>(undefined);
  const { entries, add, clear } = createEntries();
  const followed = signal<Followed | undefined>(undefined);
  const on = { GameName: game, StageName: stage };
  let player: TestPlayer | undefined;
  let lastAs: { readonly playerId: string | undefined } | undefined;
  let isOver = false;

  async function connect({
    url,
    playerId,
    deploymentId,
    mayReadLogs,
  }: {
    url: string;
    /** Undefined for a guest. */
    playerId: string | undefined;
    deploymentId: string | undefined;
    mayReadLogs: boolean;
  }): Promise<void> {
    const call = session.get()?.call;
    if (call === undefined) return;
    lastAs = { playerId };
    state.set({ phase: 'connecting' });
    sent.set(undefined);
    try {
      const { token, gameKey } = await identify(call, on, playerId);
      // Lines that were written before do not matter here.
      const newest = mayReadLogs ? await call('ListStageLogLines', { ...on, MaxResults: 1 }) : undefined;
      if (isOver) return;
      player = createTestPlayer({
        ...{ url, gameKey, token, hidden: t('tokenHidden') },
        onFrame: (frame) => add(entryOf(frame)),
        onFault: (message) => add({ kind: 'error', name: t('frameError'), title: message }),
        onEnd({ closeCode, name, reason, verdict }) {
          const title = `${closeCode} ${name ?? ''}`;
          add({ kind: 'end', name: t('frameEnd'), title, text: `${reason}\n${verdict}` });
          if (state.get().phase === 'connected') state.set({ phase: 'closed' });
        },
      });
      const welcome = await player.connect();
      followed.set({ playerId: welcome.playerId, after: newest?.LogLines?.[0]?.Position });
      state.set({ phase: 'connected', playerId: welcome.playerId, deploymentId });
    } catch (error) {
      state.set({ phase: 'closed', failure: failureOf(error) });
    }
  }

  async function send({ kind, type }: PlayableMessage, payload: Readonly<Record<string, unknown>>): Promise<void> {
    const begun = performance.now();
    const afterMs = () => performance.now() - begun;
    try {
      if (kind === 'event') {
        player?.event(type, payload);
        sent.set({ kind: 'event' });
        return;
      }
      sent.set({ kind: 'waiting' });
      const answer = await player?.request(type, payload);
      sent.set({ kind: 'answer', afterMs: afterMs(), text: JSON.stringify(answer, null, 2) });
    } catch (error) {
      const { code, message } = failureOf(error);
      if (kind === 'event') sent.set({ kind: 'unsent', text: message });
      else sent.set({ kind: 'error', afterMs: afterMs(), text: `${code ?? ''}: ${message}` });
    }
  }

  /** Adds what the scripts have written about the player since this was called last. */
  async function readLines(signal: AbortSignal): Promise<void> {
    const of = followed.get();
    const call = session.get()?.call;
    if (of === undefined || call === undefined) return;
    const asked = { ...on, PlayerId: of.playerId, Order: 'OLDEST_FIRST', After: of.after } as const;
    const page = await call('ListStageLogLines', asked, signal);
    of.after = page.Cursor ?? of.after;
    for (const line of page.LogLines ?? []) add(entryOfLine(line));
  }

  return {
    ...{ game, stage, state, sent, entries, followed, connect, send, readLines, clear },
    /** The player of the last connection; undefined before the first. */
    lastAs: () => lastAs,
    disconnect: () => player?.close(),
    complain: (title: string) => add({ kind: 'error', name: t('frameError'), title }),
    end(): void {
      isOver = true;
      player?.close();
    },
  };
}

/** All that has happened, in order of time: what scripts have written is read only after it has happened. */
function createEntries() {
  const entries = signal<readonly Entry[]>([]);
  let count = 0;
  return {
    entries,
    add(entry: NewEntry): void {
      count += 1;
      const all = [...entries.get(), { at: onServer(Date.now()), ...entry, id: count }];
      entries.set(all.sort((one, other) => one.at - other.at).slice(-KEPT_ENTRIES));
    },
    clear: () => entries.set([]),
  };
}

/** What a player shows the server to be let in. */
async function identify(call: Call, on: { GameName: string; StageName: string }, playerId: string | undefined) {
  if (playerId === undefined) {
    const { Stage } = await call('GetStage', on);
    return { token: undefined, gameKey: Stage?.GameKey ?? '' };
  }
  const made = await call('CreatePlayerToken', { ...on, PlayerId: playerId, LifetimeSeconds: TOKEN_SECONDS });
  return { token: made.AuthenticationToken, gameKey: made.GameKey ?? '' };
}

function failureOf(error: unknown): ConnectFailure {
  if (!(error instanceof Error)) return { message: String(error) };
  if (error.name === 'CallError') return { message: error.message, error: asCallError('CreatePlayerToken', error) };
  const { code } = error as { code?: unknown };
  return { message: error.message, ...(typeof code === 'string' && { code }) };
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
