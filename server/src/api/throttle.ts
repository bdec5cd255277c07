import type { Clock } from '../clock.ts';
import { createTokenBuckets, type TokenBuckets } from '../token-bucket.ts';

/** Operations that share a bucket: one kind of work cannot use up the calls of another. */
export type ThrottleClass = 'read' | 'write' | 'disconnect';

export interface ThrottleSettings {
  readonly readCallsPerSecond: number;
  readonly readCallsBurst: number;
  readonly writeCallsPerSecond: number;
  readonly writeCallsBurst: number;
  readonly disconnectCallsPerSecond: number;
  readonly disconnectCallsBurst: number;
}

/** Principals are access keys that signed correctly, so an operator's own keys are all that fills this. */
const MAX_PRINCIPALS = 10_000;

/** 0 when the principal may make the call now, otherwise the milliseconds until it may. */
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
