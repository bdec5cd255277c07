import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { addressGroup } from './client-address.ts';
import { GroupCounter } from './group-counter.ts';

export interface SocketLimitSettings {
  readonly maxHttpSockets: number;
  readonly maxHttpSocketsPerAddress: number;
}

/** A socket that is counted, or was. */
export interface Held {
  readonly socket: Carrier;
  readonly group: string;
  isCounted: boolean;
  requests: number;
  /** The socket that brings the requests: over TLS another one than that which is counted. */
  speaker: Socket;
  /** While a TLS handshake is followed, the ends of the socket: a closed one no longer knows its own address. */
  ends?: string | undefined;
}

/** The property of a socket that leads to what is held for it, so that all sockets of a server share event handlers. */
const HELD = Symbol('held');

interface Carrier extends Socket {
  [HELD]?: Held | undefined;
}

/**
 * Bounds a server's sockets that are not players' WebSockets: those that send nothing, are still in their TLS
 * handshake, or wait between requests. A socket beyond the bound of its address is destroyed at once, and so is one
 * whose peer has no address any more. A trusted proxy stands for many clients, so its address has no bound of its own.
 * When the server has all its sockets, the newest takes the place of the one that has said nothing for longest, or else
 * of the one whose last answer was longest ago, or else of the one whose request has been under way for longest. Only a
 * socket that has brought a known caller keeps its place: anyone can begin a request. From the upgrade on, players' sockets have bounds of their own. Must be called after the server's other event
 * handlers have been added.
 */
export function limitSockets(
  server: Server,
  {
    settings,
    isTrusted,
    isKnown,
  }: {
    settings: SocketLimitSettings;
    isTrusted: (address: string) => boolean;
    /** Whether a request on the socket had a verified signature. */
    isKnown: (socket: Socket) => boolean;
  },
): void {
  const sockets = new GroupCounter();
  const handshakes = 'setSecureContext' in server ? followHandshakes(server) : undefined;
  const order = new YieldOrder(isKnown);

  function hold(socket: Carrier, group: string): void {
    const held: Held = { socket, group, isCounted: true, requests: 0, speaker: socket };
    socket[HELD] = held;
    sockets.add(group);
    order.begin(held);
    handshakes?.begin(held);
    socket.on('close', onClose);
  }

  /** Stops counting a socket. */
  function release(held: Held): void {
    if (!held.isCounted) return;
    held.isCounted = false;
    sockets.remove(held.group);
    order.delete(held);
    handshakes?.end(held);
  }

  function onClose(this: Carrier): void {
    if (this[HELD] !== undefined) release(this[HELD]);
  }

  /** Whether there is a place, if need be that of another socket. */
  function hasPlace(): boolean {
    if (sockets.total < settings.maxHttpSockets) return true;
    const first = order.first();
    if (first === undefined) return false;
    release(first);
    first.socket.destroy();
    return true;
  }

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    if (isKnown(request.socket)) return;
    const held = (request.socket as Carrier)[HELD];
    if (held === undefined || !held.isCounted) return;
    held.speaker = request.socket;
    order.ask(held);
    response.on('close', onAnswered);
  }

  function onAnswered(this: ServerResponse): void {
    const held = (this.req.socket as Carrier)[HELD];
    if (held !== undefined) order.answer(held);
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
  // First of all, because the other handlers may know the caller, or have answered, by the time that they return.
  server.prependListener('request', onRequest).prependListener('checkContinue', onRequest);
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

/** Which of the sockets gives way when all places are taken. In each set, the first has waited longest. */
class YieldOrder {
  readonly #isKnown: (socket: Socket) => boolean;
  readonly #silent = new Set<Held>();
  readonly #idle = new Set<Held>();
  readonly #asking = new Set<Held>();

  constructor(isKnown: (socket: Socket) => boolean) {
    this.#isKnown = isKnown;
  }

  begin(held: Held): void {
    this.#silent.add(held);
  }

  ask(held: Held): void {
    this.#silent.delete(held);
    this.#idle.delete(held);
    this.#asking.add(held);
    held.requests += 1;
  }

  answer(held: Held): void {
    held.requests -= 1;
    if (held.requests > 0) return;
    this.#asking.delete(held);
    if (held.isCounted && !this.#isKnown(held.speaker)) this.#idle.add(held);
  }

  delete(held: Held): void {
    for (const set of [this.#silent, this.#idle, this.#asking]) set.delete(held);
  }

  first(): Held | undefined {
    const [first] = this.#silent.size > 0 ? this.#silent : this.#idle;
    if (first !== undefined) return first;
    for (const held of this.#asking) {
      if (!this.#isKnown(held.speaker)) return held;
      this.#asking.delete(held);
    }
    return undefined;
  }
}

/**
 * Has the sockets that a TLS server hands out after their handshakes lead to what is held for the sockets that came in.
 * TLS wraps one in the other, and only their ends, which are the same, tell that they belong together.
 */
export function followHandshakes(server: Server): {
  begin(held: Held): void;
  end(held: Held): void;
  readonly size: number;
} {
  const heldByEnds = new Map<string, Held>();
  function end(held: Held): void {
    const { ends } = held;
    // A new socket with the same ends may be here already: Node.js may report it before the end of the old one.
    if (ends !== undefined && heldByEnds.get(ends) === held) heldByEnds.delete(ends);
    held.ends = undefined;
  }
  server.on('secureConnection', (socket: Carrier) => {
    const held = heldByEnds.get(endsOf(socket));
    if (held === undefined) return;
    socket[HELD] = held;
    end(held);
  });
  return {
    begin(held) {
      held.ends = endsOf(held.socket);
      heldByEnds.set(held.ends, held);
    },
    end,
    get size() {
      return heldByEnds.size;
    },
  };
}

/** The local address is part of it: a peer may use one port for sockets to several of this machine's addresses. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
