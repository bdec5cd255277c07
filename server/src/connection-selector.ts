import { type IpAddress, type IpRange, parseIpAddress, parseIpRange } from './ip-address.ts';
import { isNewerRuntime } from './runtime-id.ts';

/**
 * Which connections of a stage are meant: those of which everything is true that is said here, so one that says nothing means
 * all. It is plain data, because it crosses the network and is kept; `createMatcher` tells whom it means.
 */
export interface ConnectionSelector {
  readonly playerIds?: readonly string[] | undefined;
  readonly playerIdPrefix?: string | undefined;
  readonly runtimeId?: string | undefined;
  /** Runtimes that are older than this one. */
  readonly beforeRuntimeId?: string | undefined;
  /** The incarnation that owns the connection. */
  readonly node?: string | undefined;
  /** Registered at this time or later, milliseconds since 1970. */
  readonly connectedSince?: number | undefined;
  readonly connectedBefore?: number | undefined;
  /** An address or a CIDR range that `parseAddresses` can read. */
  readonly addresses?: string | undefined;
}

/** A connection, and whose it is. */
export interface NamedConnection {
  readonly connectionId: string;
  readonly playerId: string;
}

/** What a selector asks about a connection. */
export interface ConnectionFacts {
  readonly playerId: string;
  readonly runtimeId: string;
  readonly node: string;
  readonly createdAt: number;
  /** The address group that the connection counts against. Only its owner knows it. */
  readonly addressGroup: string;
}

export type Matcher = (facts: ConnectionFacts) => boolean;

/**
 * Makes a check of connections. Throws for addresses that cannot be read. `addressGroup` is looked at last, and only if the
 * selector has addresses.
 */
export function createMatcher(selector: ConnectionSelector): Matcher {
  const { playerIdPrefix, runtimeId, beforeRuntimeId, node, connectedSince, connectedBefore } = selector;
  const playerIds = selector.playerIds && new Set(selector.playerIds);
  const isInRange = selector.addresses === undefined ? undefined : rangeOf(selector.addresses);
  return (facts) =>
    (node === undefined || facts.node === node) &&
    (runtimeId === undefined || facts.runtimeId === runtimeId) &&
    (beforeRuntimeId === undefined || isNewerRuntime(beforeRuntimeId, facts.runtimeId)) &&
    (connectedSince === undefined || facts.createdAt >= connectedSince) &&
    (connectedBefore === undefined || facts.createdAt < connectedBefore) &&
    (playerIds === undefined || playerIds.has(facts.playerId)) &&
    (playerIdPrefix === undefined || facts.playerId.startsWith(playerIdPrefix)) &&
    (isInRange === undefined || isInRange(facts.addressGroup));
}

/** What `createMatcher` asks of whom it does not tell the address group. */
export function withoutAddresses(selector: ConnectionSelector): ConnectionSelector {
  return { ...selector, addresses: undefined };
}

/**
 * Reads an address or a CIDR range, as a check of address groups; undefined when it is neither. Of an IPv6 address only the
 * group is known, its /64, so an IPv6 address means its group, and a narrower range cannot be read.
 */
export function parseAddresses(text: string): ((addressGroup: string) => boolean) | undefined {
  const [address = '', bits] = text.split('/');
  const isV6 = parseIpAddress(address)?.kind() === 'ipv6';
  if (isV6 && Number(bits) > GROUP_BITS) return undefined;
  const range: IpRange | undefined = parseIpRange(isV6 && bits === undefined ? `${address}/${GROUP_BITS}` : text);
  if (range === undefined) return undefined;
  return (addressGroup) => {
    const parsed = parseGroup(addressGroup);
    return parsed !== undefined && range(parsed);
  };
}

const GROUP_BITS = 64;

/** Parsing an address takes a hundred times as long as comparing it, and a list meets the same ones again. */
const parsedGroups = new Map<string, IpAddress | undefined>();
const MAX_PARSED_GROUPS = 20_000;

function parseGroup(addressGroup: string): IpAddress | undefined {
  if (parsedGroups.has(addressGroup)) return parsedGroups.get(addressGroup);
  const parsed = parseIpAddress(addressGroup.replace(/\/64$/, ''));
  if (parsedGroups.size >= MAX_PARSED_GROUPS) parsedGroups.clear();
  parsedGroups.set(addressGroup, parsed);
  return parsed;
}

function rangeOf(text: string): (addressGroup: string) => boolean {
  const range = parseAddresses(text);
  if (range === undefined) throw new Error(`addresses must be an IP address or a CIDR range, got "${text}"`);
  return range;
}
