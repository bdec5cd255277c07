import type { IncomingHttpHeaders } from 'node:http';
import { isIPv4 } from 'node:net';
import type { IPv6 } from 'ipaddr.js';
import { type IpRange, parseIpAddress, parseIpRange } from '../ip-address.ts';

export interface Client {
  /** The client's IP address, with IPv4 in IPv6 written as IPv4; 'unknown' when its socket is already gone. */
  readonly address: string;
  /** Whether the client reached the server, or the trusted proxy in front of it, over TLS. */
  readonly isSecure: boolean;
  /** Whether a trusted proxy sent the request, so that its forwarding headers count. */
  readonly isForwarded: boolean;
}

export type ClientAddress = (peerAddress: string | undefined, headers: IncomingHttpHeaders, isTls: boolean) => Client;

/**
 * Finds the client behind a socket. Forwarding headers count only when they come from `trustedProxies` (addresses or
 * CIDR ranges). The client is then the right-most address in `X-Forwarded-For` that is not a trusted proxy itself,
 * because everything to the left of it is only the client's own claim. Throws for an entry that is neither an address
 * nor a range.
 */
export function createClientAddress({ trustedProxies }: { trustedProxies: readonly string[] }): ClientAddress {
  const isTrusted = createProxyCheck({ trustedProxies });

  return function clientAddress(peerAddress, headers, isTls) {
    const peer = normalized(peerAddress ?? '') ?? 'unknown';
    if (!isTrusted(peer)) return { address: peer, isSecure: isTls, isForwarded: false };
    const isSecure = lastOf(headers['x-forwarded-proto'])?.toLowerCase() === 'https';
    let address = peer;
    for (const hop of listOf(headers['x-forwarded-for']).reverse()) {
      const forwarded = normalized(withoutPort(hop));
      // The proxy forwarded something that is not an address, so the last trusted hop counts as the client.
      if (forwarded === undefined) break;
      address = forwarded;
      if (!isTrusted(address)) break;
    }
    return { address, isSecure, isForwarded: true };
  };
}

/** Makes a check for addresses of trusted proxies. Throws for an entry that is neither an address nor a range. */
export function createProxyCheck({
  trustedProxies,
}: {
  trustedProxies: readonly string[];
}): (address: string) => boolean {
  const ranges = trustedProxies.map(getRange);
  return (address) => {
    if (ranges.length === 0) return false;
    const parsed = parseIpAddress(address);
    return parsed !== undefined && ranges.some((range) => range(parsed));
  };
}

/** Whether a client's address is a loopback address of this machine. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** Groups addresses that one client can get in bulk: IPv6 addresses by /64; an IPv4 address is a group of its own. */
export function addressGroup(address: string): string {
  if (isIPv4(address)) return address;
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

function normalized(text: string): string | undefined {
  return isIPv4(text) ? text : parseIpAddress(text)?.toString();
}

/** Some proxies write a port behind the address: `1.2.3.4:80`, `[::1]:80`. */
function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(hop);
  return bracketed?.[1] ?? (/^[\d.]+:\d+$/.test(hop) ? hop.slice(0, hop.indexOf(':')) : hop);
}

function listOf(header: string | readonly string[] | undefined): string[] {
  const text = typeof header === 'string' ? header : (header ?? []).join(',');
  return text === '' ? [] : text.split(',').map((hop) => hop.trim());
}

function lastOf(header: string | readonly string[] | undefined): string | undefined {
  return listOf(header).at(-1);
}
