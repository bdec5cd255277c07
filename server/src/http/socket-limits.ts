import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { addressGroup } from './client-address.ts';
import { GroupCounter } from './group-counter.ts';
import { innerSocketOf } from './handshake-turns.ts';
import { type Placed, YieldOrder } from './yield-order.ts';

export interface SocketLimitSettings {
  readonly maxHttpSockets: number;
  readonly maxHttpSocketsPerAddress: number;
}

/** A socket that has a place, or had one. */
interface Held extends Placed {
  readonly socket: Carrier;
  readonly order: YieldOrder;
  requests: number;
}

/** The share of all places that one known caller may keep from newcomers. */
const SHARE_OF_CALLER = 0.1;

/** The property of a socket that leads to what is held for it, so that all sockets of a server share event handlers. */
const HELD = Symbol('held');

interface Carrier extends Socket {
  [HELD]?: Held | undefined;
}

/**
 * Bounds a server's sockets that are not players' WebSockets: those that send nothing, are still in their TLS
 * handshake, or wait between requests. A socket beyond the bound of its address is destroyed at once, and so is one
 * whose peer has no address any more. A trusted proxy stands for many clients, so its address has no bound of its own.
 * When the server has all its sockets, the newest takes the place of another, as `YieldOrder` says. From the upgrade
 * on, players' sockets have bounds of their own. Must be called after the server's other event handlers have been added; a
 * TLS server needs `shakeHandsInTurns`, too.
 */
export function limitSockets(
  server: Server,
  {
    settings,
    isTrusted,
    clock,
  }: {
    settings: SocketLimitSettings;
    isTrusted: (address: string) => boolean;
    clock: Pick<Clock, 'monotonic'>;
  },
): void {
  const sockets = new GroupCounter();
  const order = new YieldOrder({ clock, maxKnownOfCaller: Math.ceil(settings.maxHttpSockets * SHARE_OF_CALLER) });

  function hold(socket: Carrier, group: string): void {
    const held: Held = { socket, group, standing: undefined, since: 0, order, requests: 0 };
    socket[HELD] = held;
    sockets.add(group);
    order.move(held, 'silent');
    socket.on('close', onClose);
  }

  /** Stops counting a socket. */
  function release(held: Held): void {
    if (held.standing === undefined) return;
    sockets.remove(held.group);
    order.delete(held);
  }

  function onClose(this: Carrier): void {
    if (this[HELD] !== undefined) release(this[HELD]);
  }

  /** Whether there is a place, if need be that of another socket. */
  function hasPlace(): boolean {
    if (sockets.total < settings.maxHttpSockets) return true;
    const first = order.first() as Held | undefined;
    if (first === undefined) return false;
    release(first);
    first.socket.destroy();
    return true;
  }

  server.on('connection', (socket: Socket) => {
    const { remoteAddress: address } = socket;
    // A peer without an address has reset the socket before the server took it, but what it sent before could be read.
    const group = address === undefined ? undefined : addressGroup(address);
    const isRefused =
      address === undefined ||
      group === undefined ||
      (sockets.isFull(group, settings.maxHttpSocketsPerAddress) && !isTrusted(address)) ||
      !hasPlace();
    if (isRefused) socket.destroy();
    else hold(socket, group);
  });
  server.on('secureConnection', (socket: Carrier) => {
    const held = (innerSocketOf(socket) as Carrier | undefined)?.[HELD];
    if (held !== undefined) socket[HELD] = held;
  });
  // First of all, because the other handlers may know the caller, or have answered, by the time that they return.
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.prependListener(event, onRequest);
  // A handler on a server that serves no players would make Node.js accept their upgrades, which get no answer then.
  if (server.listenerCount('upgrade') > 0) {
    server.on('upgrade', (_request, duplex) => {
      const socket = duplex as Carrier;
      const held = socket[HELD];
      if (held === undefined) return;
      release(held);
      // Nothing of this is kept for a player who may stay for hours.
      socket[HELD] = undefined;
      held.socket[HELD] = undefined;
      held.socket.off('close', onClose);
    });
  }
}

function onRequest(request: IncomingMessage, response: ServerResponse): void {
  const held = (request.socket as Carrier)[HELD];
  // A known caller keeps its standing, whatever it does, until a request of it turns out to be no known caller's.
  if (held === undefined || held.standing === undefined || held.standing === 'known') return;
  held.order.move(held, 'asking');
  held.requests += 1;
  response.on('close', onAnswered);
}

function onAnswered(this: ServerResponse): void {
  const held = (this.req.socket as Carrier)[HELD];
  if (held === undefined) return;
  held.requests -= 1;
  if (held.requests === 0 && held.standing === 'asking') held.order.move(held, 'idle');
}

/**
 * Must be called before each request is answered, and as soon as the signature of one has been verified: who the caller is,
 * if they are known. The socket of a caller who turns out to be unknown, or has as many sockets as a known caller may, has a
 * request under way until the answer has been sent.
 */
export function noteCaller(response: ServerResponse, caller: string | undefined): void {
  const held = (response.req.socket as Carrier)[HELD];
  if (held === undefined || held.standing === undefined) return;
  if (caller !== undefined && held.order.know(held, caller)) return;
  if (held.standing !== 'known') return;
  held.order.move(held, 'asking');
  held.requests += 1;
  response.on('close', onAnswered);
}
