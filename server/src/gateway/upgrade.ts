import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CONNECT_PATH, SUBPROTOCOL } from '@respark/protocol';
import { addressGroup } from '../http/client-address.ts';
import {
  findHostFault,
  hasTooManyHeaders,
  type ReadHead,
  type RequestHead,
  TOO_MANY_HEADERS,
} from '../http/request-head.ts';
import type { Metrics } from '../metrics.ts';
import type { WarnRarely } from '../rare-warnings.ts';
import { excerpt } from '../text.ts';
import type { Turns } from '../turns.ts';
import type { Gateway } from './gateway.ts';
import type { LimitRefusal, Limits } from './limits.ts';
import { createOriginCheck } from './origins.ts';
import { createSocketHost, type SocketHostSettings } from './socket-host.ts';
import { acceptance, findHandshakeFault, offeredSubprotocols } from './websocket/handshake.ts';
import { ServerWebSocket } from './websocket/server-web-socket.ts';

export interface UpgradeSettings extends SocketHostSettings {
  /** Origins whose pages may connect, as `createOriginCheck` reads them. */
  readonly allowedOrigins: readonly string[];
  /** A node for `management` alone takes no players. */
  readonly nodeRole?: 'both' | 'gateway' | 'management';
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
  const host = createSocketHost({ gateway, turns, settings });
  const isOriginAllowed = createOriginCheck(settings.allowedOrigins);
  if (settings.nodeRole === 'management') return refusePlayers;

  const refuseMalformed = (socket: Socket, refusal: HttpRefusal) => {
    metrics.refused('malformed');
    refuse(socket, refusal);
  };

  return (request, duplex, firstBytes) => {
    const socket = duplex as Socket;
    if (hasTooManyHeaders(request)) return refuseMalformed(socket, { status: 431, message: TOO_MANY_HEADERS });
    const head = readHead(request);
    if (head === undefined) {
      socket.destroy();
      return;
    }
    const hostFault = findHostFault(request, head);
    if (hostFault !== undefined) return refuseMalformed(socket, { status: 400, message: hostFault });
    const fault = upgradeFault(head);
    if (fault !== undefined) {
      metrics.refused(fault.cause);
      return refuse(socket, fault);
    }
    if (gateway.isDraining) {
      metrics.refused('draining');
      return refuse(socket, { status: 503, message: 'this node is shutting down' }, RETRY_WHEN_DRAINING_MS);
    }
    if (head.remoteAddress === undefined) {
      metrics.refused('address');
      const { peerAddress: peer } = head;
      warn(peer, { peer }, NO_ADDRESS_WARNING);
      return refuse(socket, { status: 403, message: NO_ADDRESS });
    }
    const group = addressGroup(head.remoteAddress);
    const refusal = limits.refusal(group, {
      unread: turns.backlogOf(group),
      canMakeRoom: () => gateway.findYielding() !== undefined,
    });
    if (refusal !== undefined) metrics.refused(`${refusal.isOfAddress ? 'address_' : ''}${refusal.limit}`);
    if (refusal !== undefined && refusal.limit !== 'full') {
      const status = refusal.isOfAddress ? 429 : 503;
      return refuse(socket, { status, message: describe(refusal) }, refusal.retryAfterMs);
    }

    const handshakeFault = findHandshakeFault(head);
    if (handshakeFault !== undefined) return refuseMalformed(socket, handshakeFault);
    if (!socket.readable || !socket.writable) {
      socket.destroy();
      return;
    }
    socket.write(acceptance(head, SUBPROTOCOL));
    const isAllowed = isOriginAllowed(head);
    // Only now is it certain that the new connection takes the place.
    const yielding = refusal === undefined && isAllowed && limits.isCrowded ? gateway.findYielding() : undefined;
    if (yielding !== undefined) gateway.giveWay(yielding);
    const webSocket = new ServerWebSocket(socket, firstBytes, host);
    const hasPlace = refusal === undefined && !limits.isCrowded;
    const connection = gateway.accept(webSocket, group, { hasPlace });
    webSocket.owner = connection;
    if (refusal !== undefined) {
      gateway.close(connection, 'node_full', describe(refusal), { retryAfterMs: refusal.retryAfterMs });
    } else if (!isAllowed) {
      metrics.refused('origin');
      const origin = excerpt(head.headers.get('origin')?.join() ?? '');
      warn(origin, { origin }, REFUSED_ORIGIN_WARNING);
      gateway.close(connection, 'origin_refused', 'this origin is not allowed');
    }
  };
}

function refusePlayers(_request: IncomingMessage, duplex: Duplex): void {
  refuse(duplex as Socket, { status: 404, message: 'this node takes no players: RESPARK_NODE_ROLE is management' });
}

const NO_ADDRESS = 'the proxy in front of this server must say in X-Forwarded-For which address a player connects from';

const NO_ADDRESS_WARNING =
  'a player was refused because a proxy in RESPARK_TRUSTED_PROXIES sent no address in X-Forwarded-For: let it send one';

const REFUSED_ORIGIN_WARNING =
  'an origin was refused: if its pages or apps may connect, add it to RESPARK_ALLOWED_ORIGINS';

const RETRY_WHEN_DRAINING_MS = 5_000;

function upgradeFault(head: RequestHead): { cause: string; status: number; message: string } | undefined {
  if (head.rawPath !== CONNECT_PATH) {
    return { cause: 'path', status: 404, message: `players connect at ${CONNECT_PATH}` };
  }
  if (!offeredSubprotocols(head).includes(SUBPROTOCOL)) {
    return { cause: 'subprotocol', status: 400, message: `the subprotocol ${SUBPROTOCOL} is missing` };
  }
  return undefined;
}

function describe({ limit, isOfAddress }: LimitRefusal): string {
  const who = isOfAddress ? 'this address' : 'this node';
  const what = {
    rate: 'has too many handshakes at once',
    unread: 'has sent more than could be read so far',
    unauthenticated: 'has too many sockets that have not been welcomed yet',
    full: 'has reached its connection limit',
  };
  return `${who} ${what[limit]}`;
}

interface HttpRefusal {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How long a client has to take its refusal. No other limit counts a socket from its upgrade on until it is accepted. */
const REFUSAL_MS = 5_000;

function refuse(socket: Socket, { status, message, headers = {} }: HttpRefusal, retryAfterMs?: number): void {
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  socket.setTimeout(REFUSAL_MS, () => socket.destroy());
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(message)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(retryAfterMs === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterMs / 1000)}`]),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${message}`);
}
