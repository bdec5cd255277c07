import type { CloseFacts, CloseName } from '@respark/protocol';
import type { Bar, Barred, BarTarget, LoadBars, Newcomer } from '../../../cluster/cluster.ts';
import type { FarewellWords } from '../../../disconnect-order.ts';
import type { SignedInPlayer } from '../../../player-key.ts';
import type { BarKind, BarRecord } from '../../../store/bars.ts';
import type { Store } from '../../../store/store.ts';

/** The player, the stage or the game that a bar is about. */
export interface BarredScope {
  readonly gameId: string;
  /** Undefined for all stages of the game. */
  readonly stageId?: string | undefined;
  /** Undefined for everybody. */
  readonly playerId?: string | undefined;
}

/** What the directory keeps for the players that a bar keeps out. */
interface Note {
  readonly kind: BarKind;
  readonly text: string;
}

/** More of a message does not fit into a close frame. */
const MAX_NOTE_CHARACTERS = 123;

/** The name under which the store and the directory know a bar. Ids of games and stages have no colon. */
export function barName(kind: BarKind, { gameId, stageId, playerId }: BarredScope): string {
  const scope = stageId === undefined ? `game:${gameId}` : `stage:${stageId}`;
  return playerId === undefined ? `${kind}:${scope}` : `${kind}:${scope}:${playerId}`;
}

/** Every bar that may keep the player out. */
export function newcomerOf(player: SignedInPlayer, now: number): Newcomer {
  const { barNames, ...rest } = holderOf(player, now);
  const { gameId, stageId } = player;
  return { barNames: [...barNames, barName('closure', { gameId, stageId })], ...rest };
}

/** Every bar because of which the player gets no token: one about the stage passes before the token is used. */
export function holderOf({ gameId, stageId, playerId, signedInAt }: SignedInPlayer, now: number): Newcomer {
  const barNames = [
    barName('block', { gameId, playerId }),
    barName('block', { gameId, stageId, playerId }),
    barName('revocation', { gameId, playerId }),
    barName('revocation', { gameId, stageId, playerId }),
  ];
  return { barNames, at: now, signedInAt };
}

/** Under which name the directory knows a bar, and where. */
export function targetOf({ name, stageId, playerId }: Pick<BarRecord, 'name' | 'stageId' | 'playerId'>): BarTarget {
  const player = stageId === undefined || playerId === undefined ? undefined : { stageId, playerId };
  return { name, player };
}

/** How the directory knows a bar of the store. */
export function markerOf(record: BarRecord): { readonly target: BarTarget; readonly bar: Bar } {
  const { kind, version, until, signedInBefore, messages } = record;
  const text = messages[''] ?? Object.values(messages)[0] ?? '';
  const note: Note = { kind, text: text.slice(0, MAX_NOTE_CHARACTERS) };
  return { target: targetOf(record), bar: { version, until, signedInBefore, note: JSON.stringify(note) } };
}

/**
 * What a player who is connected is told. The text for all other locales is that of an unknown language. A revocation has no
 * end to tell, because players with a new token are let in.
 */
export function farewellOfBar({
  kind,
  reason,
  messages: { '': message, ...messages },
  until,
}: Pick<BarRecord, 'kind' | 'reason' | 'messages' | 'until'>): FarewellWords {
  const hasMore = Object.keys(messages).length > 0;
  return {
    ...(reason !== '' && { reason }),
    ...(hasMore ? { messages: { ...(message !== undefined && { und: message }), ...messages } } : { message }),
    ...(kind === 'block' && { until }),
  };
}

/** What a player hears who is kept out. `spreadMs` is random, so that not all come back at once. */
export function refusalOf(
  { note, until }: Barred,
  { now, spreadMs }: { readonly now: number; readonly spreadMs: number },
): { readonly name: CloseName; readonly text: string | undefined; readonly facts: CloseFacts } {
  const { kind, text: said } = JSON.parse(note) as Note;
  const text = said === '' ? undefined : said;
  const facts = until === undefined ? {} : { until };
  switch (kind) {
    case 'block':
      return { name: 'blocked', text, facts };
    case 'revocation':
      return { name: 'token_refused', text: text ?? 'the token was revoked', facts: {} };
    case 'closure': {
      const waits = until === undefined ? {} : { retryAfterMs: Math.max(0, until - now) + spreadMs };
      return { name: 'maintenance', text, facts: { ...facts, ...waits } };
    }
  }
}

const LOADED_AT_ONCE = 500;

/** The bars of the store, for a directory that has none yet. */
export function loadBarsOf({
  store,
  limit = LOADED_AT_ONCE,
}: {
  store: { readonly bars: Pick<Store['bars'], 'listAll'> };
  limit?: number;
}): LoadBars {
  return async (after) => {
    const page = { ...(after !== undefined && { after }), limit };
    const records = await store.bars.listAll(page);
    return { bars: records.map(markerOf), next: records.length === limit ? records.at(-1)?.name : undefined };
  };
}
