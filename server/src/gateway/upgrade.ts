import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CONNECT_PATH, SUBPROTOCOL } from '@respark/protocol';
import { type RawData, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { addressGroup, type ClientAddress } from '../http/client-address.ts';
import type { Metrics } from '../metrics.ts';
import type { Connection } from './connection.ts';
import type { Gateway } from './gateway.ts';
import type { LimitRefusal, Limits } from './limits.ts';
import { WsPlayerSocket } from './player-socket.ts';

export interface UpgradeSettings {
  /** Origins whose pages may connect; `*` stands for every one but `null`. Empty: no browser may. */
  readonly allowedOrigins: readonly string[];
  readonly maxFrameBytes: number;
  readonly closeGraceMs: number;
}

/** Frames of one message, and unread pieces of one frame: far more than a frame of the allowed size needs. */
const MAX_FRAGMENTS = 64;
const MAX_BUFFERED_CHUNKS = 1024;

/** `ws` destroys a socket whose peer never answers the close frame; the gateway is to be first, with its own grace. */
const BACKSTOP_MS = 1_000;

/** Carries its connection, so that all sockets share their handlers: no closure a socket. */
class PlayerWebSocket extends WebSocket {
  player: PlayerOfSocket | undefined;

  /** `ws` calls it too, and alone gives a Buffer: the reason in the peer's close frame, which nothing may follow. */
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason);
    if (typeof reason === 'object') this.player?.socket.closeFrameReceived();
  }
}

interface PlayerOfSocket {
  readonly connection: Connection;
  readonly socket: WsPlayerSocket;
  readonly gateway: Gateway;
}

/**
 * What node:http calls for `Upgrade` requests: refuses over HTTP what need not become a socket, and hands the rest to the
 * gateway. Refusals that a browser must be able to tell apart are given as close codes, which HTTP statuses cannot be.
 */
export function createUpgradeHandler({
  gateway,
  limits,
  clientAddress,
  metrics,
  settings,
}: {
  gateway: Gateway;
  limits: Limits;
  clientAddress: ClientAddress;
  metrics: Pick<Metrics, 'refused'>;
  settings: UpgradeSettings;
}): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  // What `ws` knows and its type declarations do not yet.
  type NewerOptions = { closeTimeout: number; maxPendingAutoPongs: number };
  const options: ServerOptions<typeof PlayerWebSocket> & NewerOptions = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    WebSocket: PlayerWebSocket,
    maxPayload: settings.maxFrameBytes,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: MAX_BUFFERED_CHUNKS,
    closeTimeout: settings.closeGraceMs + BACKSTOP_MS,
    // Its bound would break the connection without a reason; the connection has its own, for frames and for the outbox.
    maxPendingAutoPongs: 0,
    handleProtocols: () => SUBPROTOCOL,
  };
  const webSockets = new WebSocketServer(options);
  const allowedOrigins = new Set(settings.allowedOrigins.map((origin) => origin.toLowerCase()));

  function isOriginAllowed(origin: string | undefined): boolean {
    // Only browsers send one; what is not a browser could send any.
    if (origin === undefined) return true;
    return allowedOrigins.has(origin.toLowerCase()) || (allowedOrigins.has('*') && origin !== 'null');
  }

  return (request, duplex, head) => {
    const socket = duplex as Socket;
    const fault = upgradeFault(request);
    if (fault !== undefined) {
      metrics.refused(fault.cause);
      return refuse(socket, fault.status, fault.message);
    }
    if (gateway.isDraining) {
      metrics.refused('draining');
      return refuse(socket, 503, 'this node is shutting down', RETRY_WHEN_DRAINING_MS);
    }
    const { address } = clientAddress(socket.remoteAddress, request.headers, 'encrypted' in socket);
    const group = addressGroup(address);
    const refusal = limits.refusal(group);
    if (refusal !== undefined) metrics.refused(refusal.limit);
    if (refusal !== undefined && refusal.limit !== 'full') {
      return refuse(socket, refusal.isOfAddress ? 429 : 503, describe(refusal), refusal.retryAfterMs);
    }

    const { origin } = request.headers;
    webSockets.handleUpgrade(request, socket, head, (ws) => {
      const playerSocket = new WsPlayerSocket(ws, socket);
      const connection = gateway.accept(playerSocket, group);
      ws.player = { connection, socket: playerSocket, gateway };
      ws.on('message', onMessage)
        .on('ping', onPingOrPong)
        .on('pong', onPingOrPong)
        .on('close', onClose)
        .on('error', onError);
      if (refusal !== undefined) {
        gateway.close(connection, 'node_full', describe(refusal), { retryAfterMs: refusal.retryAfterMs });
      } else if (!isOriginAllowed(origin)) {
        metrics.refused('origin');
        gateway.close(connection, 'origin_refused', 'this origin is not allowed');
      }
    });
  };
}

const RETRY_WHEN_DRAINING_MS = 5_000;

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  const { connection, gateway } = playerOf(this);
  if (isBinary) gateway.close(connection, 'protocol_error', 'frames are text');
  else connection.receive(data.toString());
}

function onPingOrPong(this: WebSocket): void {
  playerOf(this).connection.receivePingOrPong();
}

function onClose(this: WebSocket, code: number): void {
  const { connection, gateway, socket } = playerOf(this);
  socket.closed();
  gateway.socketClosed(connection, code);
}

/** `ws` has answered the fault with its own close code by now; the connection only has to end. */
function onError(this: WebSocket): void {
  const { connection, gateway } = playerOf(this);
  gateway.close(connection, 'protocol_error');
}

function playerOf(ws: WebSocket): PlayerOfSocket {
  if (!(ws instanceof PlayerWebSocket) || ws.player === undefined) throw new Error('a WebSocket without a player');
  return ws.player;
}

function upgradeFault(request: IncomingMessage): { cause: string; status: number; message: string } | undefined {
  const path = request.url?.split('?', 1)[0];
  if (path !== CONNECT_PATH) return { cause: 'path', status: 404, message: `players connect at ${CONNECT_PATH}` };
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim());
  if (!offered?.includes(SUBPROTOCOL))
    return { cause: 'subprotocol', status: 400, message: `the subprotocol ${SUBPROTOCOL} is missing` };
  return undefined;
}

function describe({ limit, isOfAddress }: LimitRefusal): string {
  const who = isOfAddress ? 'this address' : 'this node';
  const what = {
    rate: 'has too many handshakes at once',
    unauthenticated: 'has too many sockets that are not welcomed yet',
    full: 'has all the connections it may have',
  };
  return `${who} ${what[limit]}`;
}

function refuse(socket: Socket, status: number, message: string, retryAfterMs?: number): void {
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(message)}`,
    ...(retryAfterMs === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterMs / 1000)}`]),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${message}`);
}
