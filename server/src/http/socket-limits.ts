import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { addressGroup } from './client-address.ts';
import { GroupCounter } from './group-counter.ts';

export interface SocketLimitSettings {
  readonly maxHttpSockets: number;
  readonly maxHttpSocketsPerAddress: number;
}

/** A socket that is counted. */
interface Held {
  readonly socket: Socket;
  /** Stops counting the socket; later calls do nothing. */
  release(): void;
  requests: number;
}

/**
 * Bounds a server's sockets that are not players' WebSockets: those that send nothing, are still in their TLS
 * handshake, or wait between requests. A socket beyond the bound of its address is destroyed at once, and so is one
 * whose peer has no address any more. A trusted proxy stands for many clients, so its address has no bound of its own.
 * When the server has all its sockets, the newest takes the place of the one that has said nothing for longest, or else
 * of the one whose last answer was longest ago. A socket with a request, or that has brought a known caller, keeps its
 * place. From the upgrade on, players' sockets have bounds of their own. Must be called after the server's other event
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
  /** Both ends of a socket → what is held for it. TLS wraps one socket in another, but both have the same ends. */
  const heldByEnds = new Map<string, Held>();
  /** Sockets that may give way, in order: the first of them has waited longest. */
  const silent = new Set<Held>();
  const idle = new Set<Held>();

  function hold(socket: Socket, group: string): void {
    const ends = endsOf(socket);
    let isCounted = true;
    const held: Held = {
      socket,
      requests: 0,
      release() {
        if (!isCounted) return;
        isCounted = false;
        sockets.remove(group);
        silent.delete(held);
        idle.delete(held);
        // A new socket with the same ends may be here already: Node.js may report it before the end of the old one.
        if (heldByEnds.get(ends) === held) heldByEnds.delete(ends);
      },
    };
    sockets.add(group);
    silent.add(held);
    heldByEnds.set(ends, held);
    socket.once('close', held.release);
  }

  /** Whether there is a place, if need be that of another socket. */
  function hasPlace(): boolean {
    if (sockets.total < settings.maxHttpSockets) return true;
    const [first] = silent.size > 0 ? silent : idle;
    first?.release();
    first?.socket.destroy();
    return first !== undefined;
  }

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    // An earlier request took the socket out of those that may give way, and a known one does not return to them.
    if (isKnown(request.socket)) return;
    const held = heldByEnds.get(endsOf(request.socket));
    if (held === undefined) return;
    silent.delete(held);
    idle.delete(held);
    held.requests += 1;
    response.once('close', () => {
      held.requests -= 1;
      if (held.requests === 0 && heldByEnds.get(endsOf(request.socket)) === held && !isKnown(request.socket))
        idle.add(held);
    });
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
    server.on('upgrade', (_request, socket) => heldByEnds.get(endsOf(socket as Socket))?.release());
  }
}

/** The local address is part of it: a peer may use one port for sockets to several of this machine's addresses. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
