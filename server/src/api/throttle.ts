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
  readonly replyBytesPerSecond: number;
  readonly replyBytesBurst: number;
}

/** Principals have signed in, so only the keys that an operator has made can fill this. */
const MAX_PRINCIPALS = 10_000;

/**
 * How many bytes of a caller's own words a record may keep for the call to count as a disconnect alone, and how many all those
 * of a principal each second and at once. As many long records as there may be disconnects would fill the audit log within an
 * hour, and it would lose what the same key has done before.
 */
const MAX_BRIEF_BYTES = 4_096;
const RECORDED_BYTES_PER_SECOND = 131_072;
const RECORDED_BYTES_BURST = 4_194_304;

export interface Excess {
  readonly of: string;
  /** Milliseconds until the call may be made. */
  readonly waitMs: number;
}

export interface Throttle {
  /** Counts a call. Returns undefined when the principal may make it now, otherwise what it has too many of. */
  take(principal: string, throttleClass: ThrottleClass): Excess | undefined;
  /**
   * Counts the bytes of a reply, which are known only now: the principal waits with its next calls until it may have had
   * them. Disconnects do not wait for that.
   */
  replied(principal: string, bytes: number): void;
  /** Counts the bytes that a record keeps of a caller's own words, and says whether they are many for a mere disconnect. */
  isMuchOnRecord(principal: string, bytes: number): boolean;
  /**
   * Counts those of a record that has many of them, of whatever call. Returns undefined when it may be made now: at the rate
   * of write calls, the longest records would fill the audit log within two hours.
   */
  takeLongRecord(principal: string, bytes: number): Excess | undefined;
  /**
   * Milliseconds until a stream may go on. It leaves half of the bytes that the principal may have at once to its calls.
   */
  streamWaitMs(principal: string): number;
}

/**
 * A principal's calls may come to any node: each node that takes calls gives its share of the rate and of the burst, so
 * that no node has to ask another.
 */
export function createThrottle({
  settings,
  clock,
  managementNodes = () => 1,
}: {
  settings: ThrottleSettings;
  clock: Clock;
  /** How many nodes take calls. */
  managementNodes?: (() => number) | undefined;
}): Throttle {
  const bucketsOf = (ratePerSecond: number, burst: number): TokenBuckets =>
    createTokenBuckets({ ratePerSecond, burst, maxKeys: MAX_PRINCIPALS, clock });
  const buckets = {
    read: bucketsOf(settings.readCallsPerSecond, settings.readCallsBurst),
    write: bucketsOf(settings.writeCallsPerSecond, settings.writeCallsBurst),
    disconnect: bucketsOf(settings.disconnectCallsPerSecond, settings.disconnectCallsBurst),
  } satisfies Record<ThrottleClass, TokenBuckets>;
  const bursts = {
    read: settings.readCallsBurst,
    write: settings.writeCallsBurst,
    disconnect: settings.disconnectCallsBurst,
  } satisfies Record<ThrottleClass, number>;
  const replyBytes = bucketsOf(settings.replyBytesPerSecond, settings.replyBytesBurst);
  const recordedBytes = bucketsOf(RECORDED_BYTES_PER_SECOND, RECORDED_BYTES_BURST);
  const waitForRecorded = (principal: string, bytes: number) =>
    recordedBytes.take(principal, Math.min(bytes * managementNodes(), RECORDED_BYTES_BURST));
  return {
    take(principal, throttleClass) {
      const bytesWaitMs = throttleClass === 'disconnect' ? 0 : replyBytes.peek(principal);
      if (bytesWaitMs > 0) return { of: 'bytes of replies', waitMs: bytesWaitMs };
      // A burst that is smaller than the number of nodes still lets a call through at each.
      const waitMs = buckets[throttleClass].take(principal, Math.min(managementNodes(), bursts[throttleClass]));
      return waitMs > 0 ? { of: `${throttleClass} calls`, waitMs } : undefined;
    },
    replied: (principal, bytes) => replyBytes.spend(principal, bytes * managementNodes()),
    isMuchOnRecord(principal, bytes) {
      if (bytes === 0 || bytes > MAX_BRIEF_BYTES) return bytes > 0;
      return waitForRecorded(principal, bytes) > 0;
    },
    takeLongRecord(principal, bytes) {
      const waitMs = bytes > MAX_BRIEF_BYTES ? waitForRecorded(principal, bytes) : 0;
      return waitMs > 0 ? { of: 'bytes on record', waitMs } : undefined;
    },
    streamWaitMs: (principal) => replyBytes.peek(principal, settings.replyBytesBurst / 2),
  };
}
