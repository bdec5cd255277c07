import type { Clock } from '../clock.ts';

/**
 * Deadlines that all have the same delay, so that one queue and one timer serve any number of items. Adding, removing
 * and expiring an item cost the same however many there are.
 */
export class Deadlines<T> {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #expire: (item: T, lateMs: number) => void;
  /** Item → monotonic time when it expires. The order of insertion is the order of expiry. */
  readonly #items = new Map<T, number>();
  #cancelTimer: (() => void) | undefined;

  constructor({
    clock,
    delayMs,
    expire,
  }: {
    clock: Clock;
    delayMs: number;
    /**
     * Called once the item's delay is over, and told how much later that is. When it is late, the process was held up:
     * what clients sent meanwhile is still unread, because timers run before input.
     */
    expire: (item: T, lateMs: number) => void;
  }) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#expire = expire;
  }

  get size(): number {
    return this.#items.size;
  }

  /** In the order of expiry. */
  items(): IterableIterator<T> {
    return this.#items.keys();
  }

  /** Starts the item's delay, or starts it over. */
  add(item: T): void {
    this.#items.delete(item);
    this.#items.set(item, this.#clock.monotonic() + this.#delayMs);
    this.#cancelTimer ??= this.#clock.after(this.#delayMs, () => this.#tick());
  }

  delete(item: T): void {
    if (this.#items.delete(item) && this.#items.size === 0) this.close();
  }

  /** Drops every item without expiring it, and stops the timer. */
  close(): void {
    this.#items.clear();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    const failures: unknown[] = [];
    for (const [item, at] of this.#items) {
      if (at > now) break;
      this.#items.delete(item);
      try {
        this.#expire(item, now - at);
      } catch (error) {
        failures.push(error);
      }
    }
    // An item that was added meanwhile may have set a timer, but not for the item that now comes first.
    this.#cancelTimer?.();
    const [next] = this.#items.values();
    this.#cancelTimer = next === undefined ? undefined : this.#clock.after(Math.max(1, next - now), () => this.#tick());
    // Failures are thrown only now, so that one item's failure delays no other item.
    if (failures.length > 0) throw new AggregateError(failures, 'the work of an expired deadline failed');
  }
}
