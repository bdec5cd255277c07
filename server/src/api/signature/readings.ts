import type { HttpRequest } from '../../http/exchange.ts';

/** One way in which a client may have sent a request before proxies changed it. */
export interface Reading {
  /** The Host header. */
  readonly host: string;
  /** Still percent-encoded, without the query. */
  readonly path: string;
}

/**
 * The readings of a request, the one as it came first. A signature must have been made for exactly one of them, so none
 * lets in a caller that has not signed, and every path means the same call. A host is only a claim until then, and may
 * therefore be one that the client itself put into `X-Forwarded-Host`. The first value there is the client's, should
 * several proxies have added theirs.
 */
export function readingsOf({
  request: { headers, isForwarded },
  paths,
  publicHost,
}: {
  request: Pick<HttpRequest, 'headers' | 'isForwarded'>;
  /** The paths that the client may have signed. */
  paths: readonly string[];
  /** The host of the public URL, for proxies that send a Host of their own and do not say which one came. */
  publicHost: string | undefined;
}): readonly Reading[] {
  const forwardedHost = isForwarded ? headers.get('x-forwarded-host')?.[0]?.split(',', 1)[0]?.trim() : undefined;
  // A request without a host, or with several, has been refused.
  const hosts = new Set([headers.get('host')?.[0] ?? '', forwardedHost, publicHost]);
  return [...hosts]
    .filter((host) => host !== undefined)
    .flatMap((host) => [...new Set(paths)].map((path) => ({ host, path })));
}
