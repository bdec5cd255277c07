export interface BackoffOptions {
  /** The upper bound of the first wait, in milliseconds; it doubles with each attempt. */
  readonly baseMs: number;
  /** The upper bound of every wait, in milliseconds. */
  readonly capMs: number;
  /** How many reconnection attempts in a row may fail to get a lasting connection; 0 never reconnects. */
  readonly maxRetries: number;
}

/**
 * Exponential back-off with full jitter: each wait is uniform between 0 and a bound that doubles. If the server gave a
 * hint, the jitter is added to it, so that clients with the same hint still spread out.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #attempts = 0;

  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /** How long to wait before the next attempt, in milliseconds; undefined if there is to be none. */
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
