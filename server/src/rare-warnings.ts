import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { createTokenBuckets } from './token-bucket.ts';

/** Warns of a kind of thing, the message, that `key` did; a repetition is left out. `key` must be short. */
export type WarnRarely = (key: string, facts: object, message: string) => void;

const REPEATED_AFTER_SECONDS = 3_600;
const MAX_AT_ONCE = 10;
const MAX_PER_SECOND = 1 / 60;
const MAX_REMEMBERED_KEYS = 1_000;

/**
 * Makes the warnings about what clients do. Clients may do it a thousand times a second and each time under another
 * name, so an hour passes before the same key is named again, and a minute between the names once ten are in the log.
 */
export function createRareWarnings({ clock, log }: { clock: Clock; log: Pick<Log, 'warn'> }): WarnRarely {
  const buckets = (limits: { ratePerSecond: number; burst: number }) =>
    createTokenBuckets({ ...limits, maxKeys: MAX_REMEMBERED_KEYS, clock });
  const byKey = buckets({ ratePerSecond: 1 / REPEATED_AFTER_SECONDS, burst: 1 });
  const byMessage = buckets({ ratePerSecond: MAX_PER_SECOND, burst: MAX_AT_ONCE });
  return function warnRarely(key, facts, message) {
    const named = `${message} ${key}`;
    if (byKey.peek(named) > 0 || byMessage.take(message) > 0) return;
    byKey.take(named);
    log.warn(facts, message);
  };
}
