/** Lower-case name → values in the order received. */
export type RequestHeaders = ReadonlyMap<string, readonly string[]>;

/** A request as it came, before anything is believed. */
export interface HttpRequest {
  readonly method: string;
  /** Still percent-encoded, without the query. */
  readonly rawPath: string;
  /** Still percent-encoded, without its `?`; '' when there is none. */
  readonly rawQuery: string;
  readonly headers: RequestHeaders;
  /** The client's IP address, behind trusted proxies too; 'unknown' when its socket is already gone. */
  readonly remoteAddress: string;
  /** Whether the client reached the server, or the trusted proxy in front of it, over TLS. */
  readonly isSecure: boolean;
  /**
   * The whole body, empty when there is none. Rejects with a BodyError when it is longer than `maxBytes` or does not come
   * whole in time, and with a `throttled` ServiceError when other bodies have the memory that it needs. May be called once,
   * by the site that answers; a client that waits to be asked for its body is asked only then.
   */
  readBody(maxBytes: number): Promise<Uint8Array>;
}

/** What goes back over HTTP. A reply to HEAD has the body that GET would get; only the body's length is sent then. */
export interface HttpReply {
  readonly status: number;
  /** Lower-case names. The listener adds `content-length`, and `connection: close` where the connection must end. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/**
 * A part of what a listener serves, which gets every request that no site before it has answered, of any method and path.
 * Undefined means that the request is none of this site's; the site has left its body alone, for the next one to read. A
 * rejection is a bug: it is logged, and the client loses its connection. The memory of the body is given to others again
 * when the promise settles, so a site keeps nothing of it.
 */
export type Site = (request: HttpRequest) => Promise<HttpReply | undefined>;

/** A reply that a person reads, and that no cache keeps. `text` ends with a line break. */
export function textReply(status: number, text: string): HttpReply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }, body: text };
}

/** A body that was not read to its end. The message may be shown to the client. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly kind: 'too_large' | 'incomplete';

  constructor(kind: BodyError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

/**
 * Groups Node's `rawHeaders` (name, value, name, …). Not `headersDistinct`: on some supported Node versions that getter
 * throws for a header called `__proto__`.
 */
export function collectHeaders(rawHeaders: readonly string[]): RequestHeaders {
  const headers = new Map<string, string[]>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [rawHeaders[i + 1] as string]);
    else values.push(rawHeaders[i + 1] as string);
  }
  return headers;
}
