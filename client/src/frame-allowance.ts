import type { WelcomeFrame } from '@respark/protocol';
import type { Clock } from './clock.ts';

/** The share of a burst that messages leave unused: for heartbeats, and for a network that delivers frames at once. */
const RESERVED_SHARE = 1 / 4;

/** The client's copy of the server's count of its frames. The server closes a connection that sends too many. */
export class FrameAllowance {
  readonly #clock: Clock;
  readonly #ratePerMs: number;
  readonly #burst: number;
  readonly #reserved: number;
  #left: number;
  #countedAtMs: number;

  /** Must be created at the welcome, when the client has sent its hello and nothing else. */
  constructor(limits: Pick<WelcomeFrame, 'messagesPerSecond' | 'messagesBurst'>, clock: Clock) {
    this.#clock = clock;
    this.#ratePerMs = limits.messagesPerSecond / 1_000;
    this.#burst = limits.messagesBurst;
    // In a burst of one frame nothing is reserved, or no message could ever be sent.
    this.#reserved = Math.ceil((limits.messagesBurst - 1) * RESERVED_SHARE);
    this.#left = limits.messagesBurst - 1;
    this.#countedAtMs = clock.monotonic();
  }

  /** Counts a frame that is sent no matter how much is left. */
  take(): void {
    this.#refill();
    this.#left -= 1;
  }

  /** Counts a message and returns true; returns false and counts nothing if the message would use the reserved part. */
  tryTake(): boolean {
    this.#refill();
    if (this.#left - 1 < this.#reserved) return false;
    this.#left -= 1;
    return true;
  }

  #refill(): void {
    const now = this.#clock.monotonic();
    this.#left = Math.min(this.#burst, this.#left + (now - this.#countedAtMs) * this.#ratePerMs);
    this.#countedAtMs = now;
  }
}
