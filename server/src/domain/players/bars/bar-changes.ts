import type { Clock } from '../../../clock.ts';
import { ServiceError } from '../../../errors.ts';
import type { BarRecord, NewBar } from '../../../store/bars.ts';
import type { Store } from '../../../store/store.ts';
import type { Change } from '../../audit/audit.ts';
import { createGameTurns } from '../../game-turns.ts';
import { gameNotFound } from '../../games.ts';
import { getActiveStage } from '../../stages.ts';
import type { DisconnectResult } from '../disconnect.ts';
import type { BarEnforcement } from './bar-enforcement.ts';
import type { BarRoom } from './bar-room.ts';
import { type BarredScope, barName, targetOf } from './bars.ts';

/** What is said of a bar. */
export interface Wording {
  readonly reason?: string | undefined;
  /** By locale; the one under `` is for all others. */
  readonly messages?: Readonly<Record<string, string>> | undefined;
  readonly evidence?: string | undefined;
}

/** What is said of a bar takes no more: many bars are kept, and each is read again when the directory starts anew. */
const MAX_WORDING_BYTES = 8_192;

/** Throws `validation` for more than is kept. */
export function checkWording({ reason = '', messages = {}, evidence = '' }: Wording): void {
  const texts = [reason, evidence, ...Object.entries(messages).flat()];
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes <= MAX_WORDING_BYTES) return;
  throw new ServiceError(
    'validation',
    `Reason, Message, Messages and Evidence take ${bytes} bytes together, and may take ${MAX_WORDING_BYTES} of what is kept: shorten them`,
  );
}

/** A database that several nodes use has no more patience with what waits for it. */
const MAX_WAIT_MS = 5_000;

/** How long: until a time, for a time, or, with neither, until somebody ends it. */
export interface Duration {
  readonly until?: number | undefined;
  readonly seconds?: number | undefined;
}

/** A game, or a stage of it. */
export interface NamedPlace {
  readonly gameName: string;
  readonly stageName?: string | undefined;
}

type NewTerms = Wording & Pick<NewBar, 'until' | 'signedInBefore' | 'endsConnections'>;

/** How bars of every kind change: in the store first, then in the directory. */
export interface BarChanges {
  /** Throws `not_found` for a game or stage that is unknown or being deleted. */
  getScope(place: NamedPlace & Pick<BarredScope, 'playerId'>): Promise<BarredScope>;
  /** Throws `quota_exceeded` for a new bar of a game that has as many of the kind as it may. */
  set(
    kind: BarRecord['kind'],
    scope: BarredScope,
    terms: NewTerms,
    asked: {
      readonly change: Pick<Change, 'actor' | 'requestId'>;
      readonly isDetailed?: boolean | undefined;
      /** Called when the bar is stored, and so will be enforced whatever comes next. */
      readonly stored?: () => void;
    },
  ): Promise<{ readonly record: BarRecord; readonly ended: DisconnectResult }>;
  /** Says whether the bar held until now, be it in the directory alone; calls `lifted` if so, as soon as it is lifted for good. */
  lift(kind: BarRecord['kind'], scope: BarredScope, lifted?: () => void): Promise<boolean>;
  /** The bar, if it holds. */
  find(kind: BarRecord['kind'], scope: BarredScope): Promise<BarRecord | undefined>;
  /** Throws `validation` for a time that has passed. */
  endOf(duration: Duration): number | undefined;
}

export function createBarChanges({
  store,
  enforcement,
  room,
  clock,
}: {
  store: {
    readonly bars: Store['bars'];
    readonly games: Pick<Store['games'], 'find'>;
    readonly stages: Pick<Store['stages'], 'find'>;
  };
  enforcement: Pick<BarEnforcement, 'bring' | 'forget' | 'standing'>;
  room: BarRoom;
  clock: Clock;
}): BarChanges {
  // A key may set hundreds of them in a second.
  const inTurn = createGameTurns({ clock, what: 'blocks and revocations', maxWaitMs: MAX_WAIT_MS });

  function holds({ state, until }: BarRecord): boolean {
    return state === 'SET' && (until === undefined || until > clock.now());
  }

  /**
   * Lifts the bar in the store, and resolves with its record; without one, has the directory forget what it may have, and
   * resolves with whether that held.
   */
  async function forgetOrLift(name: string, { gameId, stageId, playerId }: BarredScope): Promise<BarRecord | boolean> {
    for (let at = Math.floor(clock.now()); ; ) {
      const from = at;
      const lifted = await inTurn(gameId, () => store.bars.lift(name, from));
      if (typeof lifted !== 'number') return lifted;
      // A database that has lost its last commits lacks bars that the directory still has, of versions that may be newer.
      const { hasHeld, newer } = await enforcement.forget(targetOf({ name, stageId, playerId }), lifted);
      if (newer === undefined) return hasHeld;
      at = newer + 1;
    }
  }

  return {
    async getScope({ gameName, stageName, playerId }) {
      if (stageName !== undefined) {
        const stage = await getActiveStage(store, { gameName, stageName });
        return { gameId: stage.gameId, stageId: stage.id, playerId };
      }
      const game = await store.games.find(gameName);
      if (game === undefined || game.state === 'DELETING') return gameNotFound(gameName);
      return { gameId: game.id, playerId };
    },

    async set(kind, scope, { reason = '', messages = {}, evidence = '', ...terms }, asked) {
      const { actor, requestId } = asked.change;
      const { gameId, stageId, playerId } = scope;
      const { until, signedInBefore, endsConnections } = terms;
      const name = barName(kind, scope);
      const isSet = await room.take({ kind, name, gameId, stageId });
      const asOf = enforcement.standing();
      const bar = { name, kind, gameId, stageId, playerId, until, signedInBefore, endsConnections };
      const setting = inTurn(gameId, () =>
        store.bars.set({
          ...{ ...bar, reason, messages, evidence, actor, requestId, createdAt: Math.floor(clock.now()) },
        }),
      );
      const record = await setting.finally(isSet);
      asked.stored?.();
      const ended = await enforcement.bring(record, asOf, asked);
      return { record: { ...record, isEnforced: ended.failures.length === 0 }, ended };
    },

    async lift(kind, scope, onLifted) {
      const name = barName(kind, scope);
      const asOf = enforcement.standing();
      const before = await store.bars.find(name);
      const lifted = await forgetOrLift(name, scope);
      if (typeof lifted === 'boolean') {
        if (lifted) onLifted?.();
        return lifted;
      }
      // One that was set meanwhile has held until now, too.
      const held = holds(before ?? { ...lifted, state: 'SET' });
      if (held) onLifted?.();
      await enforcement.bring(lifted, asOf);
      room.freed(lifted);
      return held;
    },

    async find(kind, scope) {
      const record = await store.bars.find(barName(kind, scope));
      return record !== undefined && holds(record) ? record : undefined;
    },

    endOf({ until, seconds }) {
      const end = seconds === undefined ? until : Math.ceil(clock.now() + seconds * 1_000);
      if (end === undefined || end > clock.now()) return end;
      throw new ServiceError(
        'validation',
        `the time at which it ends must be in the future, got ${new Date(end).toISOString()}`,
      );
    },
  };
}
