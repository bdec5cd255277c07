import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Turns } from '../turns.ts';
import { createBodyMemory } from './body-memory.ts';
import { createCallers } from './callers.ts';
import { firstReply, type HttpReply, type HttpRequest, type RequestHeaders, type Site, textReply } from './exchange.ts';
import { sendStream } from './reply-stream.ts';
import { hasBody, isWaitingToSend, readBody } from './request-body.ts';
import { findHostFault, hasTooManyHeaders, type ReadHead, type RequestHead, TOO_MANY_HEADERS } from './request-head.ts';
import { createRequestLines, type RequestLines } from './request-lines.ts';
import { noteCaller } from './socket-limits.ts';
import { type ParsingOrder, parseBodyInLane, resumeParsing } from './socket-turns.ts';
import { answerUnreadable } from './unreadable.ts';

export interface ListenerSettings {
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly longBodyMemoryBytes: number;
}

/** A longer body may have to wait until its client reads. */
const MAX_SHORT_BODY_BYTES = 16_384;

/**
 * TLS keeps a copy of all that it is given until the client has taken it, so a longer body comes to it in parts of one record.
 * Without TLS what waits is the body itself, which all who ask for the same file share.
 */
const PART_BYTES = 16_384;

/** How long the rest of a refused body is read and discarded, so that the client can still receive the reply. */
const LINGER_MS = 1_000;

const NOTHING_HERE = textReply(404, 'there is nothing here\n');
const HEAD_TOO_LONG = textReply(431, `${TOO_MANY_HEADERS}\n`);
const UNKNOWN_EXPECTATION = textReply(417, 'the only expectation that can be met is 100-continue\n');

export interface HttpListener extends ParsingOrder {
  /** Serves the requests of `server`, except upgrades, and sets its time limits. May be called for several servers. */
  attach(server: Server): void;
  /** Resolves when no request is in flight. From this call on, each reply also closes its connection. */
  drain(): Promise<void>;
  /** Whether a request on the socket is being answered, or waits for that. */
  isBusy(socket: Socket): boolean;
  /** Requests whose reply has not been handed over completely. */
  readonly inFlight: number;
}

/** A request that is being answered. */
interface Asked {
  readonly request: IncomingMessage;
  readonly headers: RequestHeaders;
  readonly response: ServerResponse;
}

export function createHttpListener({
  sites,
  readHead,
  turns,
  settings,
  clock,
  log,
}: {
  /** Asked one after the other, in this order, until one answers. A request that no site answers is a 404. */
  sites: readonly Site[];
  readHead: ReadHead;
  turns: Turns;
  settings: ListenerSettings;
  clock: Clock;
  log: Log;
}): HttpListener {
  let isDraining = false;
  const inFlight = createFlights();
  const answered = (socket: Socket) => {
    unreadable.answered(socket);
    resumeParsing(socket);
  };
  const lines = createRequestLines({ turns, dropped: inFlight.leave, answered });
  const abandoned = createAbandoned({ lines, inFlight, timeoutMs: settings.requestTimeoutMs });
  const { headersTimeoutMs } = settings;
  const unreadable = answerUnreadable({ lines, abandon: abandoned.follow, headersTimeoutMs, clock });
  const callers = createCallers({ turns, readHead });
  const holdMemory = createBodyMemory({ ownBytes: settings.maxBodyBytes, sharedBytes: settings.longBodyMemoryBytes });

  async function serve(request: IncomingMessage, head: RequestHead, response: ServerResponse): Promise<void> {
    const { socket } = request;
    if (abandoned.isClosed(socket)) return inFlight.leave();
    // What bounded the sending of the answer before would end this request. Node.js resets it only for what comes later.
    if (socket.timeout) socket.setTimeout(0);
    const { headers } = head;
    const memory = holdMemory();
    const timeoutMs = settings.requestTimeoutMs;
    const body: HttpRequest['readBody'] = (maxBytes, onPart, signer) => {
      const isBroken = unreadable.isBroken(socket);
      return readBody({ request, headers, response, isBroken, maxBytes, timeoutMs, memory, clock, onPart, signer });
    };
    let isKnown = false;
    const callerIsKnown = () => {
      isKnown = true;
      callers.add(response, head);
    };
    try {
      // V8 adds members to a copy ten times as slowly as it makes the copy, so the new ones come first.
      const answered = firstReply(sites, { callerIsKnown, readBody: body, ...head });
      const reply = answered instanceof Promise ? await answered : answered;
      memory.release();
      if (!isKnown) noteCaller(response, undefined);
      const handedOver = send(
        reply ?? NOTHING_HERE,
        { request, headers, response },
        { isDraining, abandon: abandoned.close, timeoutMs, clock },
      );
      if (handedOver !== undefined) await handedOver;
    } catch (error) {
      memory.release();
      log.error({ err: error }, 'request could not be answered');
      response.destroy();
    }
    inFlight.leave();
  }

  function onRequest(request: IncomingMessage, response: ServerResponse, refusal?: HttpReply): void {
    if (abandoned.take(request, response, hasTooManyHeaders(request) ? HEAD_TOO_LONG : refusal)) return;
    const { socket } = request;
    const head = readHead(request);
    if (head === undefined) return void socket.destroy();
    const hostFault = findHostFault(request, head);
    if (hostFault !== undefined) {
      abandoned.take(request, response, textReply(400, `${hostFault}\n`));
      return;
    }
    if (head.headers.has('upgrade')) abandoned.add(socket);
    inFlight.enter();
    const lane = callers.laneOf(head);
    if (head.isForwarded) parseBodyInLane(socket, lane);
    lines.enqueue(response, lane, () => serve(request, head, response));
  }

  return {
    attach(server) {
      server.headersTimeout = settings.headersTimeoutMs;
      // Later than the limit of the body, so that the site answers first, with the name of an error and a request id.
      server.requestTimeout = settings.headersTimeoutMs + settings.requestTimeoutMs;
      server.keepAliveTimeout = settings.keepAliveTimeoutMs;
      // With a handler for `checkContinue`, the server asks for each body, and never for one that it would refuse.
      server.on('request', (request, response) => onRequest(request, response));
      server.on('checkContinue', (request, response) => onRequest(request, response));
      server.on('checkExpectation', (request, response) => onRequest(request, response, UNKNOWN_EXPECTATION));
      unreadable.attach(server);
    },
    async drain() {
      isDraining = true;
      await inFlight.none();
    },
    isBusy: lines.isBusy,
    laneFinderOf: callers.laneFinderOf,
    mayParse: (socket) => !unreadable.isBroken(socket) && lines.mayParse(socket, abandoned.has(socket)),
    get inFlight() {
      return inFlight.count;
    },
  };
}

/** Counts the requests whose replies have not been handed over completely. */
function createFlights() {
  let count = 0;
  const waitingForNone = new Set<() => void>();
  return {
    enter() {
      count += 1;
    },
    leave() {
      count -= 1;
      if (count === 0) for (const resolve of waitingForNone) resolve();
    },
    async none() {
      if (count > 0) await new Promise<void>((resolve) => waitingForNone.add(resolve));
    },
    get count() {
      return count;
    },
  };
}

/**
 * Sockets with a request after whose answer nothing is served. One is a request whose offer of an upgrade is ignored:
 * Node.js drops what it has read behind it, so a client that pipelines would take the answer to a later request for that
 * to the one which was dropped.
 */
function createAbandoned({
  lines,
  inFlight,
  timeoutMs,
}: {
  lines: RequestLines;
  inFlight: ReturnType<typeof createFlights>;
  /** A refused client that takes nothing for this long counts as gone. */
  timeoutMs: number;
}) {
  const sockets = new WeakSet<Socket>();
  /** Those whose last answer has been given. */
  const closed = new WeakSet<Socket>();
  return {
    add: (socket: Socket) => void sockets.add(socket),
    has: (socket: Socket) => sockets.has(socket),
    /** Must be called when the last answer is given. Requests that have come behind it are not carried out. */
    close(socket: Socket): void {
      sockets.add(socket);
      closed.add(socket);
    },
    isClosed: (socket: Socket) => closed.has(socket),
    /** Abandons the socket, and has `work` run when its requests have been answered. */
    follow(socket: Socket, work: () => void): void {
      sockets.add(socket);
      inFlight.enter();
      lines.follow(socket, async () => {
        work();
        inFlight.leave();
      });
    },
    /**
     * Returns false for a request that is to be served. One that is not, because of the refusal or an earlier request,
     * waits in its line all the same: Node.js keeps it until its socket ends.
     */
    take(request: IncomingMessage, response: ServerResponse, refusal: HttpReply | undefined): boolean {
      const { socket } = request;
      const isFirst = !sockets.has(socket);
      if (isFirst && refusal === undefined) return false;
      sockets.add(socket);
      inFlight.enter();
      lines.enqueue(response, '', async () => {
        if (isFirst && refusal !== undefined && !closed.has(socket)) refuse(response, refusal, timeoutMs);
        inFlight.leave();
      });
      return true;
    },
  };
}

interface Sending {
  /** Whether the reply must be the last of its socket. */
  readonly isDraining: boolean;
  /** Called when it is. Nothing that the client has sent behind the request may be carried out. */
  readonly abandon: (socket: Socket) => void;
  /** A client that takes nothing for this long counts as gone. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Resolves when the reply has been handed over, or its client is gone; undefined when that is so at once. */
function send(
  reply: HttpReply,
  { request, headers: received, response }: Asked,
  { isDraining, abandon, timeoutMs, clock }: Sending,
): Promise<void> | undefined {
  const { socket } = request;
  if (response.destroyed || socket.destroyed) return undefined;
  const { status, body } = reply;
  if (reply.stream !== undefined && request.method !== 'HEAD') {
    abandon(socket);
    return sendStream({ ...reply, stream: reply.stream }, response, timeoutMs);
  }
  // Reading the rest of a refused body to keep the connection for another request is not worth it.
  const isUnread = !request.complete && hasBody(received);
  const bytes = Buffer.byteLength(body);
  const headers = { 'content-length': bytes, ...reply.headers };
  const isLast = isUnread || isDraining || received.has('upgrade');
  response.writeHead(status, isLast ? { ...headers, connection: 'close' } : headers);
  // Node.js has reasons of its own to close, such as a client that waits to be asked for its body, and has not been.
  if (isLast || !response.shouldKeepAlive || saysClose(reply)) abandon(socket);
  if (isUnread && !isWaitingToSend(request, received)) linger(request, response, body, clock);
  else if (bytes <= MAX_SHORT_BODY_BYTES) response.end(body);
  // From `end` on, Node.js counts a connection as idle even with bytes still to send, and a stop would cut it off.
  else if (!('encrypted' in socket)) response.write(body, () => response.end());
  else writeInParts(response, typeof body === 'string' ? Buffer.from(body) : body);
  // A short reply is mostly with the kernel by now, so nothing of it can be lost or has to be waited for.
  if (response.writableEnded && response.writableLength === 0) return undefined;
  // A client that takes nothing for this long counts as gone, and frees what it held. A new request starts over.
  socket.setTimeout(timeoutMs);
  return new Promise((resolve) => response.once('close', resolve));
}

/** Writes each part when the system has taken the one before, and then ends the response. */
function writeInParts(response: ServerResponse, body: Uint8Array, from = 0): void {
  if (from >= body.length) response.end();
  else {
    const next = from + PART_BYTES;
    response.write(body.subarray(from, next), () => writeInParts(response, body, next));
  }
}

/** Whether Node.js closes the socket behind the reply because of what the reply itself says. */
function saysClose({ headers }: HttpReply): boolean {
  return /\bclose\b/i.test(headers.connection ?? '');
}

function refuse(response: ServerResponse, { status, headers, body }: HttpReply, timeoutMs: number): void {
  // A client that reads nothing would keep its socket otherwise.
  response.req.socket.setTimeout(timeoutMs);
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers, connection: 'close' }).end(body);
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
