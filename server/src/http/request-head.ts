import type { IncomingMessage } from 'node:http';
import { type ClientAddress, urlOf } from './client-address.ts';
import { collectHeaders, type HttpRequest, type RequestHeaders } from './exchange.ts';

/** All that a request says before its body. */
export type RequestHead = Omit<HttpRequest, 'readBody' | 'callerIsKnown'>;

/** More than any client or chain of proxies needs. A line is small, but takes a hundred times its length once it has been read. */
export const MAX_HEADER_LINES = 200;

export const TOO_MANY_HEADERS = `a request may have at most ${MAX_HEADER_LINES} header lines`;

/** Answered with 431. The server must not read such a head. */
export function hasTooManyHeaders({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.length > 2 * MAX_HEADER_LINES;
}

/** A host and perhaps a port, or nothing where a target has no authority. */
const HOST = /^[^\s/?#@\\,]*$/;

/**
 * Why a request must be refused with 400 for what it says of its host (RFC 9112, 3.2): a proxy in front, and what stands
 * behind, could each take it for another one. Undefined when it need not be.
 */
export function findHostFault(
  { httpVersion }: Pick<IncomingMessage, 'httpVersion'>,
  { headers }: Pick<RequestHead, 'headers'>,
): string | undefined {
  const [host, ...others] = headers.get('host') ?? [];
  if (others.length > 0) return 'a request must have one Host header, not several';
  if (host === undefined) return httpVersion === '1.0' ? undefined : 'a request must have a Host header';
  return HOST.test(host) ? undefined : 'the Host header must be a host, and perhaps a port';
}

/** Undefined when the peer has no address: its socket must be destroyed, and the request left unanswered. */
export type ReadHead = (
  request: Pick<IncomingMessage, 'method' | 'url' | 'rawHeaders' | 'socket'>,
) => RequestHead | undefined;

/**
 * Makes the one reader of heads, for every listener and for upgrades. Signatures are verified on `rawHeaders`, so
 * nothing may read `request.headers` of Node.js, which treats repeated and numerous headers in ways of its own: a
 * header that one reader sees and another does not lets a caller pass for somebody else.
 */
export function createHeadReader({ clientAddress }: { clientAddress: ClientAddress }): ReadHead {
  return function readHead({ method = '', url = '', rawHeaders, socket }) {
    const { authority, target } = splitTarget(url, method);
    const headers = authority === undefined ? collectHeaders(rawHeaders) : withHost(authority, rawHeaders);
    const client = clientAddress(socket.remoteAddress, headers, 'encrypted' in socket);
    if (client === undefined) return undefined;
    const question = target.indexOf('?');
    return {
      method,
      rawPath: question === -1 ? target : target.slice(0, question),
      rawQuery: question === -1 ? '' : target.slice(question + 1),
      headers,
      remoteAddress: client.address,
      peerAddress: client.peerAddress,
      isSecure: client.isSecure,
      isForwarded: client.isForwarded,
      mayBeProxied: client.mayBeProxied,
    };
  };
}

/** The head of a well-behaved client is shorter than this, even with everything that proxies add. */
const MAX_LOOKED_AT_BYTES = 4_096;

/** The headers by which clients are told apart. */
const TELLING_HEADERS = /^(x-forwarded-for|authorization):[ \t]*([^\r\n]*)/gim;

/**
 * What the head that these bytes begin with says of its client, as Node's `rawHeaders` (name, value, name, …), without the
 * cost of parsing it. It decides nothing but whose turn it is. Undefined where the head is long, or has not come whole.
 */
export function headersIn(bytes: Buffer): string[] | undefined {
  const end = bytes.subarray(0, MAX_LOOKED_AT_BYTES).indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  return [...bytes.toString('latin1', 0, end).matchAll(TELLING_HEADERS)].flatMap(([, name = '', value = '']) => [
    name,
    value,
  ]);
}

/**
 * Takes the path out of a target such as `http://host/path`, which clients send to a proxy and every server must accept
 * (RFC 9112, 3.2.2). An authority with a user name is none. The scheme says nothing about how the request came.
 */
function splitTarget(url: string, method: string): { authority: string | undefined; target: string } {
  if (url.startsWith('/')) return { authority: undefined, target: url };
  const [, authority, rest = ''] = /^(?:https?|wss?):\/\/([^/?#@\\\s]+)(.*)$/is.exec(url) ?? [];
  if (authority === undefined || rest.startsWith('/'))
    return { authority, target: authority === undefined ? url : rest };
  return { authority, target: rest === '' && method === 'OPTIONS' ? '*' : `/${rest}` };
}

/**
 * The headers with this authority in place of their Host, as RFC 9112 demands. A Host that only spells it in another way
 * stays, because that spelling was signed. Several Hosts stay too, for the signature to be refused.
 */
function withHost(authority: string, rawHeaders: readonly string[]): RequestHeaders {
  const headers = collectHeaders(rawHeaders);
  const [host, ...others] = headers.get('host') ?? [];
  if (others.length > 0 || (host !== undefined && canonical(host) === canonical(authority))) return headers;
  return new Map([...headers, ['host', [authority]]]);
}

function canonical(authority: string): string {
  return urlOf('http', authority)?.host ?? authority;
}
