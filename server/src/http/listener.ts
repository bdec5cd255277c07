import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { createBodyMemory, type HeldMemory } from './body-memory.ts';
import type { ClientAddress } from './client-address.ts';
import { collectHeaders, type HttpReply, type HttpRequest, type Site, textReply } from './exchange.ts';
import { hasBody, isWaitingToSend, readBody } from './request-body.ts';

export interface ListenerSettings {
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly longBodyMemoryBytes: number;
}

/** A longer body may have to wait until its client reads. */
const MAX_SHORT_BODY_BYTES = 16_384;

/** How long the rest of a refused body is read and discarded, so that the client can still receive the reply. */
const LINGER_MS = 1_000;

const NOTHING_HERE = textReply(404, 'there is nothing here\n');

export interface HttpListener {
  /** Serves the requests of `server`, except upgrades, and sets its time limits. May be called for several servers. */
  attach(server: Server): void;
  /** Resolves when no request is in flight. From this call on, each reply also closes its connection. */
  drain(): Promise<void>;
  /** Requests whose reply has not been handed over completely. */
  readonly inFlight: number;
}

export function createHttpListener({
  sites,
  clientAddress,
  settings,
  clock,
  log,
}: {
  /** Asked one after the other, in this order, until one answers. A request that no site answers is a 404. */
  sites: readonly Site[];
  clientAddress: ClientAddress;
  settings: ListenerSettings;
  clock: Clock;
  log: Log;
}): HttpListener {
  let inFlight = 0;
  let isDraining = false;
  const waitingForNone = new Set<() => void>();
  const holdMemory = createBodyMemory({ ownBytes: settings.maxBodyBytes, sharedBytes: settings.longBodyMemoryBytes });

  function toHttpRequest(request: IncomingMessage, response: ServerResponse, memory: HeldMemory): HttpRequest {
    const { method = '', url = '', socket } = request;
    const client = clientAddress(socket.remoteAddress, request.headers, 'encrypted' in socket);
    const question = url.indexOf('?');
    return {
      method,
      rawPath: question === -1 ? url : url.slice(0, question),
      rawQuery: question === -1 ? '' : url.slice(question + 1),
      headers: collectHeaders(request.rawHeaders),
      remoteAddress: client.address,
      isSecure: client.isSecure,
      readBody: (maxBytes, onPart) =>
        readBody({ request, response, maxBytes, timeoutMs: settings.requestTimeoutMs, memory, clock, onPart }),
    };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const memory = holdMemory();
    const httpRequest = toHttpRequest(request, response, memory);
    let reply: HttpReply | undefined;
    try {
      for (const site of sites) {
        reply = await site(httpRequest);
        if (reply !== undefined) break;
      }
    } finally {
      memory.release();
    }
    await send(reply ?? NOTHING_HERE, request, response);
  }

  /** Resolves when the reply has been handed over, or its client is gone. */
  function send(reply: HttpReply, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    if (response.destroyed || socket.destroyed) return Promise.resolve();
    const { status, body } = reply;
    // Reading the rest of a refused body to keep the connection for another request is not worth it.
    const isUnread = !request.complete && hasBody(request);
    const bytes = Buffer.byteLength(body);
    const headers = { ...reply.headers, 'content-length': bytes };
    response.writeHead(status, isUnread || isDraining ? { ...headers, connection: 'close' } : headers);
    return new Promise((resolve) => {
      const done = () => {
        response.off('close', done);
        socket.off('close', done);
        resolve();
      };
      response.on('close', done);
      // A reply that waits behind earlier ones is not told when the connection ends; clients may pipeline many.
      if (response.socket === null) socket.setMaxListeners(0).on('close', done);
      // A client that takes nothing for this long counts as gone, and frees what it held. A new request starts over.
      socket.setTimeout(settings.requestTimeoutMs);
      if (isUnread && !isWaitingToSend(request)) linger(request, response, body, clock);
      else if (bytes <= MAX_SHORT_BODY_BYTES) response.end(body);
      // From `end` on, Node.js counts a connection as idle even with bytes still to send, and a stop would cut it off.
      else response.write(body, () => response.end());
    });
  }

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    inFlight += 1;
    serve(request, response)
      .catch((error: unknown) => {
        log.error({ err: error }, 'request could not be answered');
        response.destroy();
      })
      .finally(() => {
        inFlight -= 1;
        if (inFlight === 0) for (const resolve of waitingForNone) resolve();
      });
  }

  return {
    attach(server) {
      server.headersTimeout = settings.headersTimeoutMs;
      // Later than the limit of the body, so that the site answers first, with the name of an error and a request id.
      server.requestTimeout = settings.headersTimeoutMs + settings.requestTimeoutMs;
      server.keepAliveTimeout = settings.keepAliveTimeoutMs;
      // With a handler for `checkContinue`, the server asks for each body, and never for one that it would refuse.
      server.on('request', onRequest).on('checkContinue', onRequest);
    },
    async drain() {
      isDraining = true;
      if (inFlight > 0) await new Promise<void>((resolve) => waitingForNone.add(resolve));
    },
    get inFlight() {
      return inFlight;
    },
  };
}

/** Reads on for a while after the reply: closing with unread input resets the connection, which may cost the reply. */
function linger(request: IncomingMessage, response: ServerResponse, body: HttpReply['body'], clock: Clock): void {
  response.write(body);
  const end = () => {
    cancel();
    response.end();
  };
  const cancel = clock.after(LINGER_MS, end);
  request.once('close', cancel).once('end', end).resume();
}
