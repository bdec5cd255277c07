/** What is left free, as a share of the budget, once the largest outboxes have been closed. */
const FREED_SHARE = 1 / 16;

/** A connection whose writes may wait in this process until its player reads them. */
interface Outbox {
  /** Bytes that wait at this moment. */
  readonly outboxBytes: number;
}

/**
 * One budget for the outboxes of all players. Nothing tells when a player has read what waited, so what was noted last
 * may be too much, never too little. Only when that sum exceeds the budget is every noted outbox measured, and the
 * largest are closed until a sixteenth of the budget is free; that much must be written before it comes to that again,
 * so that its cost per byte has a bound.
 */
export class Outboxes<T extends Outbox> {
  readonly #budgetBytes: number;
  readonly #close: (outbox: T) => void;
  /** Outbox → the bytes that were noted last, where there are any. */
  readonly #noted = new Map<T, number>();
  #total = 0;

  constructor({ budgetBytes, close }: { budgetBytes: number; close: (outbox: T) => void }) {
    this.#budgetBytes = budgetBytes;
    this.#close = close;
  }

  /** Must be called after each write. May close outboxes, this one included; each must then be deleted. */
  note(outbox: T): void {
    this.#set(outbox, outbox.outboxBytes);
    if (this.#total > this.#budgetBytes) this.#shrink();
  }

  delete(outbox: T): void {
    this.#set(outbox, 0);
  }

  #set(outbox: T, bytes: number): void {
    const before = this.#noted.get(outbox) ?? 0;
    if (bytes === before) return;
    this.#total += bytes - before;
    if (bytes === 0) this.#noted.delete(outbox);
    else this.#noted.set(outbox, bytes);
  }

  #shrink(): void {
    for (const outbox of this.#noted.keys()) this.#set(outbox, outbox.outboxBytes);
    const enough = this.#budgetBytes * (1 - FREED_SHARE);
    if (this.#total <= enough) return;
    const largestFirst = [...this.#noted].sort(([, one], [, other]) => other - one);
    for (const [outbox] of largestFirst) {
      if (this.#total <= enough) return;
      this.delete(outbox);
      this.#close(outbox);
    }
  }
}
