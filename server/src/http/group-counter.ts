/**
 * How many more than one /64 the wider networks of IPv6 may have of a limit. A customer has at least 256 of the /64s
 * that count as one address, and often 65,536 of them.
 */
export const WIDER_SHARES = [
  { bits: 56, share: 2 },
  { bits: 48, share: 4 },
] as const;

/** The groups that an address group belongs to, the narrowest first: itself, and the wider networks of an IPv6 /64. */
export function widerGroups(group: string): readonly { readonly group: string; readonly share: number }[] {
  const [, site, subnet = ''] = /^([\da-f]+:[\da-f]+:[\da-f]+):([\da-f]+)::\/64$/.exec(group) ?? [];
  if (site === undefined) return [{ group, share: 1 }];
  const ofBits = { 56: `${site}:${(Number.parseInt(subnet, 16) >> 8).toString(16)}`, 48: site };
  return [{ group, share: 1 }, ...WIDER_SHARES.map(({ bits, share }) => ({ group: `${ofBits[bits]}/${bits}`, share }))];
}

/** Counts something by address group, by the wider groups around it, and in total. A group at zero takes no memory. */
export class GroupCounter {
  readonly #byGroup = new Map<string, number>();
  total = 0;

  /** The number of groups, wider ones included, that are not at zero. */
  get groups(): number {
    return this.#byGroup.size;
  }

  of(group: string): number {
    return this.#byGroup.get(group) ?? 0;
  }

  /** Whether the group has its limit, or a wider group around it its larger share. */
  isFull(group: string, limit: number): boolean {
    return widerGroups(group).some((each) => this.of(each.group) >= limit * each.share);
  }

  add(group: string): void {
    this.total += 1;
    for (const each of widerGroups(group)) this.#byGroup.set(each.group, this.of(each.group) + 1);
  }

  remove(group: string): void {
    this.total -= 1;
    for (const each of widerGroups(group)) {
      const left = this.of(each.group) - 1;
      if (left > 0) this.#byGroup.set(each.group, left);
      else this.#byGroup.delete(each.group);
    }
  }
}
