/**
 * One budget for all messages that have arrived in part: a client may stop in the middle of a message, and keep its connection
 * alive with pings. When the budget is exceeded, the connections whose messages began first are ended, because the rest of an
 * honest message comes soon.
 */
export class Inboxes<T> {
  readonly #budgetBytes: number;
  readonly #end: (inbox: T) => void;
  /** Inbox → how many bytes of its unfinished message have come. The message that began first comes first. */
  readonly #begun = new Map<T, number>();
  #total = 0;

  constructor({ budgetBytes, end }: { budgetBytes: number; end: (inbox: T) => void }) {
    this.#budgetBytes = budgetBytes;
    this.#end = end;
  }

  /** Notes how many bytes of an unfinished message have come; 0 when there is none any more. May end inboxes, this one included. */
  note(inbox: T, bytes: number): void {
    this.#total += bytes - (this.#begun.get(inbox) ?? 0);
    if (bytes === 0) this.#begun.delete(inbox);
    else this.#begun.set(inbox, bytes);
    while (this.#total > this.#budgetBytes) {
      const [first] = this.#begun.keys();
      if (first === undefined) return;
      this.note(first, 0);
      this.#end(first);
    }
  }
}
