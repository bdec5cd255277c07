import type { HttpRequest } from '../http/exchange.ts';

/** Where a call was sent, as far as its caller has proved it: the host is part of the signature. */
export interface CalledAt {
  /** The host for which the call was signed, with its port unless that is the scheme's own. */
  readonly host: string;
  readonly isSecure: HttpRequest['isSecure'];
}

/** Makes an absolute URL of a relative one of this server, such as `/download/…`, for the caller of a call. */
export type UrlFor = (calledAt: CalledAt, relative: string) => string;

/** A name or an address, perhaps with a port, that cannot be mistaken for more than the host of a URL. */
const HOST = /^(?:[\w.-]{1,253}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i;

/**
 * Without a public URL in the settings, a caller gets URLs of the host that it called, because it can reach that one.
 * The address that the server listens on may mean nothing outside of its container.
 */
export function createUrlFor({
  settings: { publicUrl },
  ownUrl,
}: {
  settings: { readonly publicUrl: string | undefined };
  /** For a caller whose host does not fit into a URL. */
  ownUrl: () => string;
}): UrlFor {
  return function urlFor({ host, isSecure }, relative) {
    const called = HOST.test(host) ? `${isSecure ? 'https' : 'http'}://${host}` : ownUrl();
    return `${publicUrl ?? called}${relative}`;
  };
}
