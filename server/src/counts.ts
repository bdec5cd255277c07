/** A count for each name. A name at zero takes no memory. */
export class Counts {
  readonly #byName = new Map<string, number>();

  /** The names that are not at zero. */
  get size(): number {
    return this.#byName.size;
  }

  of(name: string): number {
    return this.#byName.get(name) ?? 0;
  }

  /** Adds one, or as much as `by` says, which may be negative. */
  add(name: string, by = 1): void {
    const count = this.of(name) + by;
    if (count > 0) this.#byName.set(name, count);
    else this.#byName.delete(name);
  }

  /** The names that are not at zero, with their counts, in the order in which they left zero. */
  [Symbol.iterator](): IterableIterator<[name: string, count: number]> {
    return this.#byName[Symbol.iterator]();
  }
}
