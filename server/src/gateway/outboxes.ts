/** What is left free, as a share of the budget, once outboxes have been closed. */
const FREED_SHARE = 1 / 16;

/** A connection whose writes may wait in this process until its player reads them. */
interface Outbox {
  /** Bytes that wait at this moment. */
  readonly outboxBytes: number;
}

/**
 * One budget for the outboxes of all players. Nothing tells when a player has read what waited, so what was noted last
 * may be too much, never too little. Only when that sum exceeds the budget is every noted outbox measured, and some
 * are closed until a sixteenth of the budget is free; that much must be written before it comes to that again,
 * so that its cost per byte has a bound. The owners, such as games, for whom most waits make room, each with its largest
 * outboxes: otherwise one whose many players read nothing would have the few larger outboxes of all others closed.
 */
export class Outboxes<T extends Outbox> {
  readonly #budgetBytes: number;
  readonly #close: (outbox: T) => void;
  readonly #ownerOf: (outbox: T) => string;
  /** Outbox → the bytes that were noted last, where there are any. */
  readonly #noted = new Map<T, number>();
  #total = 0;

  constructor({
    budgetBytes,
    close,
    ownerOf,
  }: {
    budgetBytes: number;
    close: (outbox: T) => void;
    ownerOf: (outbox: T) => string;
  }) {
    this.#budgetBytes = budgetBytes;
    this.#close = close;
    this.#ownerOf = ownerOf;
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
    const owners = new Map<string, { sum: number; readonly noted: [outbox: T, bytes: number][] }>();
    for (const each of this.#noted) {
      const owner = this.#ownerOf(each[0]);
      const known = owners.get(owner) ?? { sum: 0, noted: [] };
      known.sum += each[1];
      known.noted.push(each);
      owners.set(owner, known);
    }
    const mostFirst = [...owners.values()].sort((one, other) => other.sum - one.sum);
    const share = shareWithin(
      enough,
      mostFirst.map(({ sum }) => sum),
    );
    for (const { sum, noted } of mostFirst) {
      let left = sum;
      const largestFirst = noted.sort(([, one], [, other]) => other - one);
      for (const [outbox, bytes] of largestFirst) {
        if (this.#total <= enough) return;
        if (left <= share) break;
        left -= bytes;
        this.delete(outbox);
        this.#close(outbox);
      }
    }
  }
}

/** How much each may have so that all together have no more than enough, where some have less; the greatest sum comes first. */
function shareWithin(enough: number, sums: readonly number[]): number {
  let others = sums.reduce((total, sum) => total + sum, 0);
  for (const [index, sum] of sums.entries()) {
    others -= sum;
    const share = (enough - others) / (index + 1);
    if (share >= (sums[index + 1] ?? 0)) return share;
  }
  return enough;
}
