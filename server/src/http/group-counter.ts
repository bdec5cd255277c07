/** Counts something by address group and in total. A group at zero takes no memory. */
export class GroupCounter {
  readonly #byGroup = new Map<string, number>();
  total = 0;

  /** The number of groups that are not at zero. */
  get groups(): number {
    return this.#byGroup.size;
  }

  of(group: string): number {
    return this.#byGroup.get(group) ?? 0;
  }

  add(group: string): void {
    this.total += 1;
    this.#byGroup.set(group, this.of(group) + 1);
  }

  remove(group: string): void {
    this.total -= 1;
    const left = this.of(group) - 1;
    if (left > 0) this.#byGroup.set(group, left);
    else this.#byGroup.delete(group);
  }
}
