import type { Clock } from '../clock.ts';
import { createTokenBuckets, type TokenBuckets } from '../token-bucket.ts';

/** Operations of one class share a bucket, so that one kind of work cannot use up the calls of another. */
export type ThrottleClass = 'read' | 'write' | 'disconnect';

export interface ThrottleSettings {
  readonly readCallsPerSecond: number;
  readonly readCallsBurst: number;
  readonly writeCallsPerSecond: number;
  readonly writeCallsBurst: number;
  readonly disconnectCallsPerSecond: number;
  readonly disconnectCallsBurst: number;
}

/** Principals have signed in, so only the keys that an operator has made can fill this. */
const MAX_PRINCIPALS = 10_000;

/** Counts a call. Returns 0 when the principal may make it now, otherwise the milliseconds until it may. */
export type Throttle = (principal: string, throttleClass: ThrottleClass) => number;

export function createThrottle({ settings, clock }: { settings: ThrottleSettings; clock: Clock }): Throttle {
  const bucketsOf = (ratePerSecond: number, burst: number): TokenBuckets =>
    createTokenBuckets({ ratePerSecond, burst, maxKeys: MAX_PRINCIPALS, clock });
  const buckets = {
    read: bucketsOf(settings.readCallsPerSecond, settings.readCallsBurst),
    write: bucketsOf(settings.writeCallsPerSecond, settings.writeCallsBurst),
    disconnect: bucketsOf(settings.disconnectCallsPerSecond, settings.disconnectCallsBurst),
  } satisfies Record<ThrottleClass, TokenBuckets>;
  return (principal, throttleClass) => buckets[throttleClass].take(principal);
}
