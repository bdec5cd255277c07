import { isIP } from 'node:net';
import { urlOf } from '../http/client-address.ts';
import type { RequestHead } from '../http/request-head.ts';

/** Longer than any with a host. To read one that is not ASCII takes the longer the longer it is, for any stranger. */
const MAX_ORIGIN_CHARACTERS = 400;

export type IsOriginAllowed = (head: Pick<RequestHead, 'headers' | 'isSecure'>) => boolean;

/**
 * Makes the check of an upgrade's `Origin`. An entry of `allowedOrigins` is an origin, `https://*.game.example` for all
 * subdomains of whatever depth, but not the domain itself, or `*` for every origin except `null`. Without an entry no
 * page may connect.
 */
export function createOriginCheck(allowedOrigins: readonly string[]): IsOriginAllowed {
  const listed = new Set(allowedOrigins.map((origin) => origin.toLowerCase()));
  const subdomains = [...listed].flatMap((origin) => {
    const [scheme, domain] = origin.split('*', 2);
    return scheme && domain ? [{ scheme, domain }] : [];
  });

  return function isOriginAllowed({ headers, isSecure }) {
    const given = headers.get('origin')?.join();
    // Only browsers and some frameworks of apps send an origin. Another client could send any, so there is no point in
    // asking for one.
    if (given === undefined) return true;
    if (given.length > MAX_ORIGIN_CHARACTERS) return false;
    const origin = asBrowsersSpell(given);
    if (listed.has(origin) || (listed.has('*') && origin !== 'null')) return true;
    if (!isWebOrigin(origin)) return false;
    const isOf = ({ scheme, domain }: (typeof subdomains)[number]) =>
      origin.startsWith(scheme) && origin.endsWith(domain) && origin.length > scheme.length + domain.length;
    if (subdomains.some(isOf)) return true;
    return isOwnOrigin(origin, headers.get('host') ?? [], isSecure);
  };
}

/**
 * Whether the origin is the server's own, as it was addressed: React Native sends that for apps, which have no origin.
 * A page can have it only if it came from this host and port. A name over plain HTTP proves nothing, because a page may
 * have its own name lead to this server (DNS rebinding); with TLS, browsers find that the certificate does not fit.
 */
function isOwnOrigin(origin: string, hosts: readonly string[], isSecure: boolean): boolean {
  const own = urlOf(isSecure ? 'https' : 'http', hosts.join());
  if (own === undefined || origin !== own.origin) return false;
  const { hostname } = own;
  return isSecure || hostname === 'localhost' || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
}

function isWebOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

/** Lower case and without a default port, which React Native may leave in. What is no origin of the web stays as it is. */
function asBrowsersSpell(text: string): string {
  const origin = text.toLowerCase();
  return /^https?:\/\/[^/?#@\\\s]+$/.test(origin) && URL.canParse(origin) ? new URL(origin).origin : origin;
}
