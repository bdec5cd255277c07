import type { WelcomeFrame } from '@respark/protocol';
import type { Clock } from './clock.ts';

/** Of a burst, what messages leave to heartbeats, and to a network that delivers at once what was sent over a while. */
const RESERVED_SHARE = 1 / 4;

/** This side's copy of the count that the server keeps of our frames, and closes the connection by. */
export class FrameAllowance {
  readonly #clock: Clock;
  readonly #ratePerMs: number;
  readonly #burst: number;
  readonly #reserved: number;
  #left: number;
  #countedAtMs: number;

  /** To be made at the welcome: by then the hello has been sent, and nothing else. */
  constructor(limits: Pick<WelcomeFrame, 'messagesPerSecond' | 'messagesBurst'>, clock: Clock) {
    this.#clock = clock;
    this.#ratePerMs = limits.messagesPerSecond / 1_000;
    this.#burst = limits.messagesBurst;
    // Of the smallest burst nothing: it would leave no message.
    this.#reserved = Math.ceil((limits.messagesBurst - 1) * RESERVED_SHARE);
    this.#left = limits.messagesBurst - 1;
    this.#countedAtMs = clock.monotonic();
  }

  /** Counts a frame that is sent whatever is left. */
  take(): void {
    this.#refill();
    this.#left -= 1;
  }

  /** Counts a message; false, and nothing counted, when it would use what is reserved. */
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
