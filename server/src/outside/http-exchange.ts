import type { LookupAddress } from 'node:dns';
import { type Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { readReply } from './bounded-reply.ts';
import { awaitBytes, BoundedTlsAgent, endOf, type Owned } from './bounded-tls.ts';
import { always } from './look-up.ts';
import { connectionFault, OutsideFault } from './outside-fault.ts';

/**
 * Answers that only say that another one will follow. Servers send one or two; each takes a few microseconds in which
 * nothing else happens, and there may be any number before the answer that has a limit.
 */
const MAX_INTERIM_ANSWERS = 16;

/**
 * An answer may come in this many pieces, and in one more for each `BYTES_OF_PIECE` of the bytes that it may have. A piece
 * takes some microseconds, even one of a single byte.
 */
const PIECES = 256;
const BYTES_OF_PIECE = 64;

export interface HttpRequest {
  readonly url: string;
  readonly method: string;
  /** By lower-case name; those of the connection itself, and that of the body's length, are added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** The owner that takes turns with others for the handshakes of TLS, such as a game; without one, each host does. */
  readonly owner?: string;
  /** Where the connection may go; without them, the operating system looks the URL's host up. */
  readonly addresses?: readonly LookupAddress[];
  /** What of the reply is wanted beside its status: these headers, and nothing of its body. Without it, everything is. */
  readonly onlyHeaders?: readonly string[];
}

export interface HttpReply {
  readonly status: number;
  /** By lower-case name; those that came several times are joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface ExchangeLimits {
  readonly signal: AbortSignal;
  /** The limit of the reply's body. */
  readonly maxBytes: number;
}

/**
 * Sends a request and reads the whole reply, until the signal aborts. No redirect is followed, nothing is decompressed,
 * and certificates must be valid. Throws an `OutsideFault` for whatever goes wrong on the way. The other end decides how
 * much of the event loop's time this takes, so it is for a thread of its own.
 */
export async function exchange(
  request: HttpRequest,
  /** Keeps connections for later requests; for TLS it must be a `BoundedTlsAgent`. With false, the request has its own. */
  agent: Agent | false,
  { signal, maxBytes }: ExchangeLimits,
): Promise<HttpReply> {
  const { host: whom } = new URL(request.url);
  let outgoing: ClientRequest | undefined;
  let response: IncomingMessage | undefined;
  try {
    outgoing = start(request, agent, signal);
    outgoing.once('socket', (socket) => awaitBytes(socket, maxBytes));
    response = await responseTo(outgoing, request.body, PIECES + maxBytes / BYTES_OF_PIECE);
    const body = await readReply(response, maxBytes, whom);
    return replyOf(response, body, request);
  } catch (error) {
    // The other end may close a connection that was kept just when the next request is written.
    const isStale = outgoing?.reusedSocket === true && response === undefined && !signal.aborted;
    if (isStale && isReset(error)) return await exchange(request, false, { signal, maxBytes });
    throw endOf(outgoing?.socket) ?? connectionFault(error, whom) ?? error;
  }
}

function start(
  { url, method, headers, body, addresses, owner }: HttpRequest,
  agent: Agent | false,
  signal: AbortSignal,
): ClientRequest {
  const isSecure = url.startsWith('https:');
  const request = isSecure ? requestHttps : requestHttp;
  const owned: Owned = owner === undefined ? {} : { owner };
  return request(url, {
    method,
    agent: isSecure && agent === false ? new BoundedTlsAgent() : agent,
    signal,
    headers: {
      'accept-encoding': 'identity',
      'user-agent': 'respark',
      ...headers,
      // Node.js adds it by itself only for some methods.
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    },
    ...(addresses === undefined ? {} : { lookup: always(addresses) }),
    ...owned,
  });
}

/** One read may bring thousands of pieces, and all of them are handed over before anything else can run. */
function limitPieces(response: IncomingMessage, max: number, whom: string): void {
  let pieces = 0;
  const { push } = response;
  // An error may come before the response is read, which throws it again; without a listener it would end the thread.
  response.on('error', () => {});
  response.push = (chunk, encoding) => {
    if (chunk !== null) pieces += 1;
    if (pieces <= max) return push.call(response, chunk, encoding);
    if (!response.destroyed) {
      response.destroy(new OutsideFault('too_large', `${whom} answered in more than ${Math.floor(max)} pieces`));
    }
    return false;
  };
}

function responseTo(outgoing: ClientRequest, body: string | undefined, maxPieces: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // The listener stays: an error may also follow the response.
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      // Pieces that came with the head are handed over before other code hears of the response.
      limitPieces(response, maxPieces, outgoing.host);
      resolve(response);
    });
    // Without a listener, Node.js would end the connection without a word.
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new OutsideFault('failed', `${outgoing.host} changed the protocol, which it was not asked for`));
    });
    let interim = 0;
    outgoing.on('information', function count() {
      interim += 1;
      if (interim <= MAX_INTERIM_ANSWERS) return;
      // The bytes that have come already may have many more of them.
      outgoing.off('information', count);
      const limit = `${MAX_INTERIM_ANSWERS} answers that only announce another one`;
      outgoing.destroy(new OutsideFault('failed', `${outgoing.host} sent more than ${limit}`));
    });
    outgoing.end(body);
  });
}

/** The other end decides how many headers there are, and the server's own thread gets a copy of what is in the reply. */
function replyOf(
  { statusCode: status = 0, headers }: IncomingMessage,
  body: Uint8Array,
  { onlyHeaders }: Pick<HttpRequest, 'onlyHeaders'>,
): HttpReply {
  const names = onlyHeaders?.filter((name) => headers[name] !== undefined) ?? Object.keys(headers);
  const values = names.map((name) => [name, [headers[name]].flat().join(', ')] as const);
  return { status, headers: Object.fromEntries(values), body: onlyHeaders === undefined ? body : new Uint8Array() };
}

function isReset(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ECONNRESET' || code === 'EPIPE';
}
