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
  // A request without a host, or with several, has been refused.
  const [host = ''] = headers.get('host') ?? [];
  const forwarded = (name: string) => (isForwarded ? headers.get(name)?.[0]?.split(',', 1)[0]?.trim() : undefined);
  const forwardedHost = forwarded('x-forwarded-host');
  const port = forwarded('x-forwarded-port') ?? '';
  const respelled = isForwarded ? [host, forwardedHost].map((each) => respelledHost(each, port)) : [];
  const hosts = new Set([host, forwardedHost, publicHost, ...respelled]);
  return [...hosts]
    .filter((host) => host !== undefined)
    .flatMap((host) => [...new Set(paths)].map((path) => ({ host, path })));
}

const PORT = /^\d{1,5}$/;
const WITH_PORT = /:\d{1,5}$/;
const WITH_DEFAULT_PORT = /:(?:80|443)$/;

/** Proxies leave out the port that a client called and wrote, or write the default one that it left out. */
function respelledHost(host: string | undefined, port: string): string | undefined {
  if (host === undefined) return undefined;
  if (WITH_DEFAULT_PORT.test(host)) return host.replace(WITH_DEFAULT_PORT, '');
  return WITH_PORT.test(host) || !PORT.test(port) ? undefined : `${host}:${port}`;
}
