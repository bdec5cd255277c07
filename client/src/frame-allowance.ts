import type { WelcomeFrame } from '@respark/protocol';
import type { Clock } from './clock.ts';

/** The share of a burst that messages leave unused: for heartbeats, and for a network that delivers frames at once. */
const RESERVED_SHARE = 1 / 4;

type Limits = Pick<WelcomeFrame, 'messagesPerSecond' | 'messagesBurst' | 'bytesPerSecond' | 'bytesBurst'>;

/**
 * The client's copy of the server's count of its frames and their bytes. The server closes a connection that sends too
 * many of either. Its limit for all clients behind one address is the one that no client can keep count of.
 */
export class FrameAllowance {
  readonly #frames: Bucket;
  readonly #bytes: Bucket;

  /** Must be created at the welcome, when the client has sent its hello, of `helloBytes`, and nothing else. */
  constructor(limits: Limits, helloBytes: number, clock: Clock) {
    this.#frames = new Bucket(limits.messagesPerSecond, limits.messagesBurst, clock);
    this.#bytes = new Bucket(limits.bytesPerSecond, limits.bytesBurst, clock);
    this.take(helloBytes);
  }

  /** Counts a frame that is sent no matter how much is left. */
  take(bytes: number): void {
    this.#frames.take(1);
    this.#bytes.take(bytes);
  }

  /** Counts a message and returns undefined; returns what it would have too much of, and counts nothing. */
  tryTake(bytes: number): 'messages' | 'bytes' | undefined {
    if (!this.#frames.has(1)) return 'messages';
    if (!this.#bytes.has(bytes)) return 'bytes';
    this.take(bytes);
    return undefined;
  }
}

class Bucket {
  readonly #clock: Clock;
  readonly #ratePerMs: number;
  readonly #burst: number;
  readonly #reserved: number;
  #left: number;
  #countedAtMs: number;

  constructor(ratePerSecond: number, burst: number, clock: Clock) {
    this.#clock = clock;
    this.#ratePerMs = ratePerSecond / 1_000;
    this.#burst = burst;
    // In a burst of one frame nothing is reserved, or no message could ever be sent.
    this.#reserved = Math.ceil((burst - 1) * RESERVED_SHARE);
    this.#left = burst;
    this.#countedAtMs = clock.monotonic();
  }

  /** Whether this much is left beside the reserved part. */
  has(count: number): boolean {
    this.#refill();
    return this.#left - count >= this.#reserved;
  }

  take(count: number): void {
    this.#refill();
    this.#left -= count;
  }

  #refill(): void {
    const now = this.#clock.monotonic();
    this.#left = Math.min(this.#burst, this.#left + (now - this.#countedAtMs) * this.#ratePerMs);
    this.#countedAtMs = now;
  }
}
