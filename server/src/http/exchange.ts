import { inSteps, type MaybePromise, type Steps, settled } from '../maybe-promise.ts';

/** Lower-case name → values in the order received. */
export type RequestHeaders = ReadonlyMap<string, readonly string[]>;

/** A request as it came, before anything in it is trusted. */
export interface HttpRequest {
  readonly method: string;
  /** Still percent-encoded, without the query. */
  readonly rawPath: string;
  /** Still percent-encoded, without its `?`; '' when the request has no query. */
  readonly rawQuery: string;
  readonly headers: RequestHeaders;
  /** The client's IP address, behind trusted proxies too; undefined when a trusted proxy does not say it. */
  readonly remoteAddress: string | undefined;
  /** The address at the other end of the socket, for limits that must hold whatever a proxy says. */
  readonly peerAddress: string;
  /** Whether the client reached the server, or the trusted proxy in front of it, over TLS. */
  readonly isSecure: boolean;
  /** Whether a trusted proxy sent the request, so that its forwarding headers count. */
  readonly isForwarded: boolean;
  /** Whether headers say that a proxy sent the request, although its peer is not a trusted one. */
  readonly mayBeProxied: boolean;
  /** Must be called once the signature is verified: the connection then keeps its place when there are too many. */
  callerIsKnown(): void;
  /**
   * Reads the whole body; empty when there is none. Fails with a BodyError when the body is longer than `maxBytes`, is
   * malformed or does not arrive whole in time, and with a `throttled` ServiceError when other bodies use the memory that it needs.
   * May be called once, by the site that answers; a client that waits to be asked for its body is asked only then.
   * `onPart` is called with each part as it arrives, for work that would take long on the whole body at once. A proven body,
   * which a known caller has signed if it is what its head says, finds room where others do not.
   */
  readBody(maxBytes: number, onPart?: (part: Uint8Array) => void, signer?: string): MaybePromise<Uint8Array>;
}

/** A reply to send over HTTP. A reply to HEAD has the body that GET would get, but only its length is sent. */
export interface HttpReply {
  readonly status: number;
  /** By lower-case name. The listener adds `content-length`, and `connection: close` where the connection must end. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  /**
   * Writes what follows the body, for as long as it likes: such a reply has no length, and its connection ends with it.
   * Returns a function that the listener calls when the client is gone.
   */
  readonly stream?: (sink: ReplySink) => () => void;
}

/** Where the rest of a reply is written to. */
export interface ReplySink {
  write(text: string): void;
  /** Bytes that the client has not taken yet. */
  readonly bufferedBytes: number;
  /** Ends the reply after what was written. A client that does not take that in time is cut off. */
  end(): void;
}

/**
 * One part of what a listener serves. It gets every request, of any method and path, that no site before it has
 * answered. Undefined means that the request is not for this site; the site must then have left the body unread for the
 * next one. A site that has its answer at once need not make a promise of it. An error is a bug: it is logged, and the
 * client loses its connection. The body's memory is given to other requests when the site has answered, so a site must
 * not keep the body.
 */
export type Site = (request: HttpRequest) => MaybePromise<HttpReply | undefined>;

/** The reply of the first site that has one. */
export const firstReply = inSteps(function* (
  sites: readonly Site[],
  request: HttpRequest,
): Steps<HttpReply | undefined> {
  for (const site of sites) {
    const reply = yield* settled(site(request));
    if (reply !== undefined) return reply;
  }
  return undefined;
});

/** A reply for people to read, which no cache may keep. `text` should end with a line break. */
export function textReply(status: number, text: string): HttpReply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }, body: text };
}

/** Why a body was not read to its end. The message may be shown to the client. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly kind: 'too_large' | 'incomplete' | 'malformed';

  constructor(kind: BodyError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** What `collectHeaders` gives for one lower-case name, joined with commas, without a look at the values of the others. */
export function findHeader(rawHeaders: readonly string[], name: string): string | undefined {
  let found: string | undefined;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const given = rawHeaders[i] as string;
    if (given.length !== name.length || given.toLowerCase() !== name) continue;
    const value = rawHeaders[i + 1] as string;
    found = found === undefined ? value : `${found},${value}`;
  }
  return found;
}

/**
 * Groups Node's `rawHeaders` (name, value, name, …) by name. `headersDistinct` does not serve, because on some
 * supported versions of Node.js that getter throws for a header called `__proto__`.
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

/** How many bytes the body may have; Infinity for one that comes in chunks, which does not say. */
export function longestBody(headers: RequestHeaders): number {
  return headers.has('transfer-encoding') ? Number.POSITIVE_INFINITY : declaredLength(headers);
}

/** Node.js has refused a request with two lengths, or with one that is not a number. */
export function declaredLength(headers: RequestHeaders): number {
  return Number(headers.get('content-length')?.[0] ?? 0);
}
