import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CONNECT_PATH, MAX_HELLO_BYTES, SUBPROTOCOL } from '@respark/protocol';
import { type RawData, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { addressGroup } from '../http/client-address.ts';
import type { ReadHead, RequestHead } from '../http/request-head.ts';
import type { Metrics } from '../metrics.ts';
import type { WarnRarely } from '../rare-warnings.ts';
import { excerpt } from '../text.ts';
import type { Turns } from '../turns.ts';
import type { Connection } from './connection.ts';
import type { Gateway } from './gateway.ts';
import type { LimitRefusal, Limits } from './limits.ts';
import { createOriginCheck } from './origins.ts';
import { WsPlayerSocket } from './player-socket.ts';

export interface UpgradeSettings {
  /** Origins whose pages may connect, as `createOriginCheck` reads them. */
  readonly allowedOrigins: readonly string[];
  readonly maxFrameBytes: number;
  readonly closeGraceMs: number;
}

/**
 * A message may come in many pieces: websocket-sharp, which Unity games use, sends 1,016 bytes in each. A message of the
 * longest size may have pieces of half that length, and any message this many.
 */
const MIN_FRAGMENTS = 64;
const FRAGMENT_BYTES = 512;

/** Unread pieces per frame, at most: far more than a message of the allowed size needs. */
const MAX_BUFFERED_CHUNKS = 1024;

/** A frame of a client has a head of at most 14 bytes, and a hello may come in pieces with pings between them. */
const MAX_FRAME_HEAD_BYTES = 1_024;

/** How much longer `ws` waits than the gateway before it destroys a socket whose peer never answers the close frame. */
const BACKSTOP_MS = 1_000;

/** What `ws` means by the codes with which it closes by itself. */
const REASONS: ReadonlyMap<number | undefined, string> = new Map([
  [1002, 'a frame broke the WebSocket protocol'],
  [1007, 'text must be UTF-8'],
  [1008, 'a message came in too many pieces'],
  [1009, 'a message was longer than maxFrameBytes'],
]);

/** A WebSocket that carries its connection, so that all of them share their event handlers and none needs closures. */
class PlayerWebSocket extends WebSocket {
  player: PlayerOfSocket | undefined;

  /**
   * `ws` calls this too: without a reason when it has found a fault, and when the peer's close frame has come, which is
   * the last that the peer may send. Only `ws` passes a Buffer: the reason from that frame.
   */
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason ?? REASONS.get(code));
    if (typeof reason === 'object') this.player?.socket.closeFrameReceived();
  }
}

interface PlayerOfSocket {
  readonly connection: Connection;
  readonly socket: WsPlayerSocket;
  readonly gateway: Gateway;
  readonly turns: Turns;
  /** Whether the first frame has come, which should be the hello. */
  hasSentFrame: boolean;
  /** Frames that have come and wait for their turn. While there are any, no more are read from the socket. */
  waiting: number;
}

/**
 * The handler of node:http's `upgrade` event. It refuses over HTTP what need not become a WebSocket, and hands the rest
 * to the gateway. A refusal that a browser must be able to recognize is a close code, because browsers hide HTTP
 * statuses.
 */
export function createUpgradeHandler({
  gateway,
  limits,
  readHead,
  turns,
  warn,
  metrics,
  settings,
}: {
  gateway: Gateway;
  limits: Limits;
  readHead: ReadHead;
  turns: Turns;
  warn: WarnRarely;
  metrics: Pick<Metrics, 'refused'>;
  settings: UpgradeSettings;
}): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  // Options that `ws` has and its type declarations lack.
  type NewerOptions = { closeTimeout: number; maxPendingAutoPongs: number };
  const options: ServerOptions<typeof PlayerWebSocket> & NewerOptions = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    WebSocket: PlayerWebSocket,
    maxPayload: settings.maxFrameBytes,
    maxFragments: Math.max(MIN_FRAGMENTS, Math.ceil(settings.maxFrameBytes / FRAGMENT_BYTES)),
    maxBufferedChunks: MAX_BUFFERED_CHUNKS,
    closeTimeout: settings.closeGraceMs + BACKSTOP_MS,
    // This bound of `ws` would break the connection without a reason. The connection has bounds for frames and the
    // outbox.
    maxPendingAutoPongs: 0,
    handleProtocols: () => SUBPROTOCOL,
  };
  const webSockets = new WebSocketServer(options);
  const isOriginAllowed = createOriginCheck(settings.allowedOrigins);

  return (request, duplex, firstBytes) => {
    const socket = duplex as Socket;
    const head = readHead(request);
    if (head === undefined) {
      socket.destroy();
      return;
    }
    const fault = upgradeFault(head);
    if (fault !== undefined) {
      metrics.refused(fault.cause);
      return refuse(socket, fault.status, fault.message);
    }
    if (gateway.isDraining) {
      metrics.refused('draining');
      return refuse(socket, 503, 'this node is shutting down', RETRY_WHEN_DRAINING_MS);
    }
    if (head.remoteAddress === undefined) {
      metrics.refused('address');
      const { peerAddress: peer } = head;
      warn(peer, { peer }, NO_ADDRESS_WARNING);
      return refuse(socket, 403, NO_ADDRESS);
    }
    const group = addressGroup(head.remoteAddress);
    const refusal = limits.refusal(group, () => gateway.findSilent() !== undefined);
    if (refusal !== undefined) metrics.refused(`${refusal.isOfAddress ? 'address_' : ''}${refusal.limit}`);
    if (refusal !== undefined && refusal.limit !== 'full') {
      return refuse(socket, refusal.isOfAddress ? 429 : 503, describe(refusal), refusal.retryAfterMs);
    }

    webSockets.handleUpgrade(request, socket, firstBytes, (ws) => {
      const isAllowed = isOriginAllowed(head);
      // Only now is it certain that the new connection takes the place.
      const silent = refusal === undefined && isAllowed && limits.isCrowded ? gateway.findSilent() : undefined;
      if (silent !== undefined) gateway.giveWay(silent);
      const playerSocket = new WsPlayerSocket(ws, socket);
      const connection = gateway.accept(playerSocket, group);
      ws.player = { connection, socket: playerSocket, gateway, turns, hasSentFrame: false, waiting: 0 };
      boundHello(socket, connection, gateway);
      ws.on('message', onMessage).on('ping', onPing).on('pong', onPong).on('close', onClose).on('error', onError);
      if (refusal !== undefined) {
        gateway.close(connection, 'node_full', describe(refusal), { retryAfterMs: refusal.retryAfterMs });
      } else if (!isAllowed) {
        metrics.refused('origin');
        const origin = excerpt(head.headers.get('origin')?.join() ?? '');
        warn(origin, { origin }, REFUSED_ORIGIN_WARNING);
        gateway.close(connection, 'origin_refused', 'this origin is not allowed');
      }
    });
  };
}

const NO_ADDRESS = 'the proxy in front of this server must say in X-Forwarded-For which address a player connects from';

const NO_ADDRESS_WARNING =
  'a player was refused because a proxy in RESPARK_TRUSTED_PROXIES sent no address in X-Forwarded-For: let it send one';

const REFUSED_ORIGIN_WARNING =
  'an origin was refused: if its pages or apps may connect, add it to RESPARK_ALLOWED_ORIGINS';

const RETRY_WHEN_DRAINING_MS = 5_000;

/**
 * Closes a connection that sends more than a hello needs before its hello has come. Without this, any client
 * could have the server keep as much as a frame may have for each socket.
 */
function boundHello(socket: Socket, connection: Connection, gateway: Gateway): void {
  let bytes = 0;
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    if (!connection.isAwaitingHello) socket.off('data', count);
    else if (bytes > MAX_HELLO_BYTES + MAX_FRAME_HEAD_BYTES) {
      socket.off('data', count);
      gateway.close(connection, 'bad_hello', `a hello has at most ${MAX_HELLO_BYTES} bytes`);
    }
  };
  // The bytes are counted before `ws` reads them.
  socket.prependListener('data', count);
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  const player = playerOf(this);
  const { connection, gateway } = player;
  const isEarly = player.hasSentFrame && !connection.isWelcomed;
  player.hasSentFrame = true;
  if (isBinary) gateway.close(connection, 'protocol_error', 'frames are text');
  // Whether the hello has had its turn must make no difference.
  else if (isEarly) gateway.close(connection, 'protocol_error', 'wait for the welcome');
  else if (player.waiting === 0 && player.turns.isOpen(connection.addressGroup)) receive(connection, data as Buffer);
  else waitForTurn(this, player, () => receive(connection, data as Buffer));
}

function receive(connection: Connection, data: Buffer): void {
  connection.receive(data.toString(), data.length);
}

/** What the socket has already read may bring further frames, which wait too. */
function waitForTurn(ws: WebSocket, player: PlayerOfSocket, work: () => void): void {
  if (player.connection.isStopped) return;
  if (player.waiting === 0) ws.pause();
  player.waiting += 1;
  player.turns.wait(player.connection.addressGroup, () => {
    player.waiting -= 1;
    if (player.waiting === 0) ws.resume();
    work();
  });
}

function onPing(this: WebSocket, data: Buffer): void {
  playerOf(this).connection.receivePing(data.length);
}

function onPong(this: WebSocket, data: Buffer): void {
  playerOf(this).connection.receivePong(data.length);
}

function onClose(this: WebSocket, code: number): void {
  const { connection, gateway, socket, turns, waiting } = playerOf(this);
  socket.closed();
  // Frames that came before the end, and still wait for their turn, are handled before it.
  if (waiting === 0) gateway.socketClosed(connection, code);
  else turns.wait(connection.addressGroup, () => gateway.socketClosed(connection, code));
}

/** `ws` has already answered the fault with a close code of its own; the connection only has to end. */
function onError(this: WebSocket): void {
  const { connection, gateway } = playerOf(this);
  gateway.close(connection, 'protocol_error');
}

function playerOf(ws: WebSocket): PlayerOfSocket {
  if (!(ws instanceof PlayerWebSocket) || ws.player === undefined) throw new Error('a WebSocket without a player');
  return ws.player;
}

function upgradeFault({
  rawPath,
  headers,
}: RequestHead): { cause: string; status: number; message: string } | undefined {
  if (rawPath !== CONNECT_PATH) return { cause: 'path', status: 404, message: `players connect at ${CONNECT_PATH}` };
  const offered = headers
    .get('sec-websocket-protocol')
    ?.join()
    .split(',')
    .map((name) => name.trim());
  if (!offered?.includes(SUBPROTOCOL))
    return { cause: 'subprotocol', status: 400, message: `the subprotocol ${SUBPROTOCOL} is missing` };
  return undefined;
}

function describe({ limit, isOfAddress }: LimitRefusal): string {
  const who = isOfAddress ? 'this address' : 'this node';
  const what = {
    rate: 'has too many handshakes at once',
    unauthenticated: 'has too many sockets that have not been welcomed yet',
    full: 'has reached its connection limit',
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
