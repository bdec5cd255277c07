export interface BackoffOptions {
  /** The bound of the first wait, milliseconds; it doubles with each attempt. */
  readonly baseMs: number;
  /** The bound of every wait, milliseconds. */
  readonly capMs: number;
  /** Reconnection attempts in a row without a lasting connection; 0 never reconnects. */
  readonly maxRetries: number;
}

/**
 * Exponential back-off with full jitter: each wait is uniform between 0 and a bound that doubles. A server's hint is
 * waited for first, and the jitter added, so that clients with the same hint still come apart.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #attempts = 0;

  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /** How long to wait before the next attempt, in milliseconds; undefined when there shall be none. */
  next(retryAfterMs = 0): number | undefined {
    const { baseMs, capMs, maxRetries } = this.#options;
    if (this.#attempts >= maxRetries) return undefined;
    const boundMs = Math.min(capMs, baseMs * 2 ** this.#attempts);
    this.#attempts += 1;
    return retryAfterMs + this.#random() * boundMs;
  }

  reset(): void {
    this.#attempts = 0;
  }
}
