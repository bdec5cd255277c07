import { hasWiderGroups, widerGroups } from '../address-buckets.ts';
import { Counts } from '../counts.ts';

/** Counts something by address group, by the wider groups around it, and in total. A group at zero takes no memory. */
export class GroupCounter {
  readonly #byGroup = new Counts();
  total = 0;

  /** The number of groups, wider ones included, that are not at zero. */
  get groups(): number {
    return this.#byGroup.size;
  }

  of(group: string): number {
    return this.#byGroup.of(group);
  }

  /** Whether the group has its limit, or a wider group around it its larger share. */
  isFull(group: string, limit: number): boolean {
    if (!hasWiderGroups(group)) return this.of(group) >= limit;
    return widerGroups(group).some((each) => this.of(each.group) >= limit * each.share);
  }

  add(group: string): void {
    this.#change(group, 1);
  }

  remove(group: string): void {
    this.#change(group, -1);
  }

  #change(group: string, by: number): void {
    this.total += by;
    if (!hasWiderGroups(group)) this.#byGroup.add(group, by);
    else for (const each of widerGroups(group)) this.#byGroup.add(each.group, by);
  }
}
