import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';

const RETRY_AFTER_MS = 1_000;

/** Settles as `write` does, which is called when it is its turn among those of its game. */
export type GameTurns = <T>(gameId: string, write: () => Promise<T>) => Promise<T>;

/**
 * Has the writes of each game come one after the other. The store makes all writes in the order in which it is asked, so without
 * this, a game that asks for hundreds at once holds up every write of all others until they are done. A write that has waited
 * longer than `maxWaitMs` is never made, and rejects with `throttled`.
 */
export function createGameTurns({
  clock,
  what,
  maxWaitMs = Number.POSITIVE_INFINITY,
}: {
  clock: Pick<Clock, 'monotonic'>;
  /** Names what is written, in messages. */
  what: string;
  maxWaitMs?: number;
}): GameTurns {
  /** Game → its last write. A game without one is not there. */
  const last = new Map<string, Promise<unknown>>();

  return (gameId, write) => {
    const before = last.get(gameId);
    const askedAt = clock.monotonic();
    const inTurn = () => {
      if (clock.monotonic() - askedAt <= maxWaitMs) return write();
      const message = `The game has more ${what} waiting than can be stored in ${maxWaitMs} ms: try again in a second`;
      return Promise.reject(new ServiceError('throttled', message, { retryAfterMs: RETRY_AFTER_MS }));
    };
    const writing = before === undefined ? write() : before.then(inTurn, inTurn);
    last.set(gameId, writing);
    const ended = () => {
      if (last.get(gameId) === writing) last.delete(gameId);
    };
    writing.then(ended, ended);
    return writing;
  };
}
