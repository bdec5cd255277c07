import { parseIpAddress, parseIpRange } from '../ip-address.ts';

const GLOBAL_IPV6 = parseIpRange('2000::/3');
/** Looks like any other, and is the virtual machine's own host in every network of Azure, which hands out its configuration. */
const AZURE_HOST = '168.63.129.16';
const NAT64 = parseIpRange('64:ff9b::/96');

/**
 * Whether an address is one of the public internet: not private, of this machine, of the link (where clouds hand out
 * credentials), or of a tunnel that could lead to any of these.
 */
export function isPublic(text: string): boolean {
  const address = parseIpAddress(text);
  if (address === undefined) return false;
  if (NAT64?.(address) === true) return isPublic(address.toByteArray().slice(12).join('.'));
  if (address.toString() === AZURE_HOST) return false;
  return address.range() === 'unicast' && (address.kind() === 'ipv4' || GLOBAL_IPV6?.(address) === true);
}

export function isLoopback(text: string): boolean {
  return parseIpAddress(text)?.range() === 'loopback';
}
