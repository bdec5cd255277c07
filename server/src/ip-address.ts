import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;

/** Tells whether an address, IPv4 or IPv6, is in the range. */
export type IpRange = (address: IpAddress) => boolean;

/**
 * Reads an address; undefined when `text` is not one. IPv4-mapped IPv6 addresses become IPv4. An IPv4 address must have
 * four decimal parts: programs disagree about the other forms (`10`, `127.1`, octal), all of which ipaddr.js accepts.
 * On the other hand, ipaddr.js refuses some zones that isIP accepts.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  return isIP(text) !== 0 && ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}

/** Reads an address or a CIDR range; undefined when `range` is neither. */
export function parseIpRange(range: string): IpRange | undefined {
  const [text = '', bits, ...rest] = range.split('/');
  const start = parseIpAddress(text);
  if (start === undefined || rest.length > 0) return undefined;
  // The bits of a mapped range are counted in IPv6, but the range would be matched as IPv4.
  if (start.kind() === 'ipv4' && text.includes(':')) return undefined;
  const maxBits = start.kind() === 'ipv4' ? 32 : 128;
  if (bits !== undefined && (!/^(0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > maxBits)) return undefined;
  const prefix = bits === undefined ? maxBits : Number(bits);
  return (address) => address.kind() === start.kind() && address.match(start, prefix);
}
