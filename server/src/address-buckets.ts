import type { Clock } from './clock.ts';
import { createTokenBuckets, type TokenBucketLimits } from './token-bucket.ts';

/**
 * How many more than one /64 the wider networks of IPv6 may have of a limit. A customer has at least 256 of the /64s
 * that count as one address, and often 65,536 of them.
 */
const WIDER_SHARES = [
  { bits: 56, share: 2 },
  { bits: 48, share: 4 },
] as const;

/** Whether there are wider groups around a group, as there are around a /64 of IPv6: cheaper than to ask for them. */
export function hasWiderGroups(group: string): boolean {
  return group.endsWith('/64');
}

/** The groups that an address group belongs to, the narrowest first: itself, and the wider networks of an IPv6 /64. */
export function widerGroups(group: string): readonly { readonly group: string; readonly share: number }[] {
  const [, site, subnet = ''] = group.endsWith('::/64') ? (IPV6_GROUP.exec(group) ?? []) : [];
  if (site === undefined) return [{ group, share: 1 }];
  const ofBits = { 56: `${site}:${(Number.parseInt(subnet, 16) >> 8).toString(16)}`, 48: site };
  return [{ group, share: 1 }, ...WIDER_SHARES.map(({ bits, share }) => ({ group: `${ofBits[bits]}/${bits}`, share }))];
}

/** The widest of the groups that an address group belongs to: all that one customer may have. */
export function widestGroup(group: string): string {
  return hasWiderGroups(group) ? (widerGroups(group).at(-1)?.group ?? group) : group;
}

/** The widest group around that of a lane. After its group, the name of a lane may have an access key. */
export function networkOfLane(lane: string): string {
  const [group = '', ...key] = lane.split(' ');
  return [widestGroup(group), ...key].join(' ');
}

const IPV6_GROUP = /^([\da-f]+:[\da-f]+:[\da-f]+):([\da-f]+)::\/64$/;

/** A token bucket for each address group, and larger ones for the wider networks around it. */
export interface AddressBuckets {
  /**
   * Takes `count` tokens of the group and of each wider group around it and returns 0, or takes none and returns the
   * milliseconds until there are enough in all of them.
   */
  take(group: string, count?: number): number;
  /** Takes `count` tokens of each, even of one that has not as many: until it does, `take` has to wait. */
  spend(group: string, count?: number): void;
  /** What `take` would return now. */
  peek(group: string, count?: number): number;
}

/** `maxKeys` bounds the groups of each width that are remembered. */
export function createAddressBuckets({
  ratePerSecond,
  burst,
  ...rest
}: TokenBucketLimits & { clock: Clock }): AddressBuckets {
  const ofShare = (share: number) =>
    createTokenBuckets({ ratePerSecond: ratePerSecond * share, burst: burst * share, ...rest });
  const ofGroup = ofShare(1);
  const byWidth = [ofGroup, ...WIDER_SHARES.map(({ share }) => ofShare(share))];

  function waitOf(groups: ReturnType<typeof widerGroups>, count: number): number {
    let waitMs = 0;
    for (const [width, each] of groups.entries()) {
      waitMs = Math.max(waitMs, byWidth[width]?.peek(each.group, count) ?? 0);
    }
    return waitMs;
  }

  return {
    take(group, count = 1) {
      if (!hasWiderGroups(group)) return ofGroup.take(group, count);
      const groups = widerGroups(group);
      const waitMs = waitOf(groups, count);
      if (waitMs === 0) for (const [width, each] of groups.entries()) byWidth[width]?.take(each.group, count);
      return waitMs;
    },
    spend(group, count = 1) {
      for (const [width, each] of widerGroups(group).entries()) byWidth[width]?.spend(each.group, count);
    },
    peek: (group, count = 1) => waitOf(widerGroups(group), count),
  };
}
