import { isIPv4, isIPv6 } from 'node:net';
import type { IPv6 } from 'ipaddr.js';
import { type IpRange, parseIpAddress, parseIpRange } from '../ip-address.ts';
import type { WarnRarely } from '../rare-warnings.ts';
import type { RequestHeaders } from './exchange.ts';

export interface Client {
  /** The client's IP address, with IPv4 in IPv6 written as IPv4; undefined when a trusted proxy does not say it. */
  readonly address: string | undefined;
  /** The address at the other end of the socket: the client's own, or that of the proxy in front of the server. */
  readonly peerAddress: string;
  /** Whether the client reached the server, or the trusted proxy in front of it, over TLS. */
  readonly isSecure: boolean;
  /** Whether headers say that a proxy sent the request, although its peer is not a trusted one: `address` may be its. */
  readonly mayBeProxied: boolean;
  /** Whether a trusted proxy sent the request, so that its forwarding headers count. */
  readonly isForwarded: boolean;
}

/**
 * Undefined for a socket without an address: its peer has reset it, although what the peer sent before can still be
 * read. Nothing that depends on an address could be decided for such a peer, so it must get no service.
 */
export type ClientAddress = (
  peerAddress: string | undefined,
  headers: RequestHeaders,
  isTls: boolean,
) => Client | undefined;

/** Headers by which a proxy gives itself away. Load balancers and content networks have some of their own. */
const FORWARDING_HEADERS = [
  ...['x-forwarded-for', 'forwarded', 'via', 'x-real-ip'],
  ...['x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-server', 'x-forwarded-scheme'],
  ...['x-client-ip', 'x-cluster-client-ip', 'true-client-ip', 'cf-connecting-ip', 'fastly-client-ip', 'cdn-loop'],
  ...['x-azure-clientip', 'x-envoy-external-address', 'x-original-forwarded-for', 'x-original-host'],
];

/**
 * Finds the client behind a socket. Forwarding headers count only when they come from `trustedProxies` (addresses or
 * CIDR ranges). The client is then the right-most address in `X-Forwarded-For` that is not a trusted proxy itself,
 * because everything to the left of it is only the client's own claim. Where that entry is no address, or there is none,
 * the client has no address: to take the proxy's would make every client a caller from the proxy's machine. Throws for
 * an entry of `trustedProxies` that is neither an address nor a range.
 */
export function createClientAddress({
  trustedProxies,
  warn,
}: {
  trustedProxies: readonly string[];
  /** Told of every request that came with forwarding headers from a peer that is not trusted. */
  warn: WarnRarely;
}): ClientAddress {
  const isTrusted = createProxyCheck({ trustedProxies });

  return function clientAddress(peerAddress, headers, isTls) {
    const peer = peerAddress === undefined ? undefined : normalizedPeer(peerAddress);
    if (peer === undefined) return undefined;
    if (!isTrusted(peer)) {
      const header = FORWARDING_HEADERS.find((name) => headers.has(name));
      if (header !== undefined) warn(peer, { peer, header }, UNTRUSTED_PROXY);
      return {
        address: peer,
        peerAddress: peer,
        isSecure: isTls,
        isForwarded: false,
        mayBeProxied: header !== undefined,
      };
    }
    const [protocol] = fromTheEnd(headers, 'x-forwarded-proto');
    const isSecure = protocol?.toLowerCase() === 'https';
    let address: string | undefined;
    for (const hop of fromTheEnd(headers, 'x-forwarded-for')) {
      address = normalized(withoutPort(hop));
      if (address === undefined || !isTrusted(address)) break;
    }
    return { address, peerAddress: peer, isSecure, isForwarded: true, mayBeProxied: false };
  };
}

const UNTRUSTED_PROXY =
  'a request was forwarded by a peer that is not trusted: if it is your proxy, add it to RESPARK_TRUSTED_PROXIES, since until then all of its clients count as one';

/** Makes a check for addresses of trusted proxies. Throws for an entry that is neither an address nor a range. */
export function createProxyCheck({
  trustedProxies,
}: {
  trustedProxies: readonly string[];
}): (address: string) => boolean {
  const ranges = trustedProxies.map(getRange);
  const remembered = new Map<string, boolean>();
  return (address) => {
    if (ranges.length === 0) return false;
    const known = remembered.get(address);
    if (known !== undefined) return known;
    const parsed = parseIpAddress(address);
    const isTrusted = parsed !== undefined && ranges.some((range) => range(parsed));
    if (remembered.size >= MAX_REMEMBERED_ADDRESSES) remembered.clear();
    if (address.length <= MAX_REMEMBERED_CHARACTERS) remembered.set(address, isTrusted);
    return isTrusted;
  };
}

const MAX_REMEMBERED_ADDRESSES = 1_000;
/** The longest IPv6 address. With a zone it may be as long as a client likes. */
const MAX_REMEMBERED_CHARACTERS = 45;

/** Whether a client's address is a loopback address of this machine. An address that is not known is none. */
export function isLoopback(address: string | undefined): boolean {
  return address === '::1' || address?.startsWith('127.') === true;
}

/** Groups addresses that one client can get in bulk: IPv6 addresses by /64; an IPv4 address is a group of its own. */
export function addressGroup(address: string): string {
  if (isIPv4(address)) return address;
  const [, firstFour] = isIPv6(address) ? (FIRST_FOUR_PARTS.exec(address) ?? []) : [];
  if (firstFour !== undefined) return `${firstFour}:/64`;
  const parsed = parseIpAddress(address);
  if (parsed === undefined || parsed.kind() === 'ipv4') return parsed?.toString() ?? address;
  const groups = (parsed as IPv6).parts.slice(0, 4).map((part) => part.toString(16));
  return `${groups.join(':')}::/64`;
}

function getRange(text: string): IpRange {
  const range = parseIpRange(text);
  if (range === undefined) throw new Error(`trusted proxies must be IP addresses or CIDR ranges, got "${text}"`);
  return range;
}

/** A full parse takes microseconds, so what most sockets say of their peers is recognized without one. */
function normalized(text: string): string | undefined {
  if (isIPv4(text) || EIGHT_PARTS.test(text)) return text;
  const mapped = text.startsWith('::ffff:') ? text.slice(7) : '';
  return isIPv4(mapped) ? mapped : parseIpAddress(text)?.toString();
}

/** An IPv6 address that has no shorter form than its own. */
const EIGHT_PARTS = /^(?:[1-9a-f][\da-f]{0,3}:){7}[1-9a-f][\da-f]{0,3}$/;

/** The beginning, up to the fourth colon, of an IPv6 address without a zone that stands for no IPv4 address. */
const FIRST_FOUR_PARTS = /^((?!0:)(?:(?:0|[1-9a-f][\da-f]{0,3}):){4})[\da-f:]+$/;

/** The kernel's word for a peer may end in a zone that cannot be read, such as `fe80::1%br-lan`. */
function normalizedPeer(text: string): string | undefined {
  return normalized(text) ?? normalized(text.replace(/%.*$/, ''));
}

/** Some proxies write a port behind the address: `1.2.3.4:80`, `[::1]:80`. */
function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(hop);
  return bracketed?.[1] ?? (/^[\d.]+:\d+$/.test(hop) ? hop.slice(0, hop.indexOf(':')) : hop);
}

/** The items of a list, the last one first. Clients write what is before it, and make it as long as they like. */
function* fromTheEnd(headers: RequestHeaders, name: string): Generator<string> {
  for (const line of [...(headers.get(name) ?? [])].reverse()) {
    for (let end = line.length; end !== -1; ) {
      const comma = end === 0 ? -1 : line.lastIndexOf(',', end - 1);
      yield line.slice(comma + 1, end).trim();
      end = comma;
    }
  }
}

/**
 * A host name has at most 253 characters, with a port behind it. To read a longer one that is not ASCII as a URL takes
 * milliseconds, and any stranger may send it.
 */
const AUTHORITY = /^[^/?#@\\\s]{1,300}$/;

/** The URL of an authority, which is a host and perhaps a port; undefined for what is none. */
export function urlOf(scheme: 'http' | 'https', authority: string): URL | undefined {
  if (!AUTHORITY.test(authority)) return undefined;
  const url = `${scheme}://${authority}`;
  return URL.canParse(url) ? new URL(url) : undefined;
}

/** A web page may have a name of its own lead to this machine (DNS rebinding), but then it says that name. */
export function isLoopbackName(host: string): boolean {
  const url = urlOf('http', host);
  if (url === undefined) return false;
  const { hostname } = url;
  return hostname === 'localhost' || isLoopback(parseIpAddress(hostname.replace(/^\[|\]$/g, ''))?.toString());
}
