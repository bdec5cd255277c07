/**
 * One budget for the beginnings of messages that players have sent and not ended: a client may stop in the middle of each,
 * and keep it there with pings. When the budget is exceeded, those that have been there for longest are ended, because the
 * rest of an honest message comes soon.
 */
export class Inboxes<T> {
  readonly #budgetBytes: number;
  readonly #end: (inbox: T) => void;
  /** Inbox → the bytes that have come of its message, if it has not come whole. The message that began first comes first. */
  readonly #begun = new Map<T, number>();
  #total = 0;

  constructor({ budgetBytes, end }: { budgetBytes: number; end: (inbox: T) => void }) {
    this.#budgetBytes = budgetBytes;
    this.#end = end;
  }

  /** The bytes that have come of the message that is on its way; 0 when there is none. May end inboxes, this one included. */
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
