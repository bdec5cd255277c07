/** `host:port`, also of a URL that does not say its port, as the settings list hosts. */
export function placeOf({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}

/** The host of a URL, without the brackets in which an IPv6 address is. */
export function bareHostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}
