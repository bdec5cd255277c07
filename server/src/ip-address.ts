import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;

/** Whether an address, of either form, is among those that a text named. */
export type IpRange = (address: IpAddress) => boolean;

/**
 * IPv4-mapped IPv6 addresses become IPv4. Of IPv4 only the four-part form in decimal: the others (`10`, `127.1`, octal) are
 * read differently by different programs, ipaddr.js takes them all. That in turn refuses some zones that isIP takes.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  return isIP(text) !== 0 && ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}

/** An address or a CIDR range. */
export function parseIpRange(range: string): IpRange | undefined {
  const [text = '', bits, ...rest] = range.split('/');
  const start = parseIpAddress(text);
  if (start === undefined || rest.length > 0) return undefined;
  // A mapped range counts its bits in IPv6, and is matched as IPv4.
  if (start.kind() === 'ipv4' && text.includes(':')) return undefined;
  const maxBits = start.kind() === 'ipv4' ? 32 : 128;
  if (bits !== undefined && (!/^(0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > maxBits)) return undefined;
  const prefix = bits === undefined ? maxBits : Number(bits);
  return (address) => address.kind() === start.kind() && address.match(start, prefix);
}
