import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { addressGroup } from './client-address.ts';
import { GroupCounter } from './group-counter.ts';

export interface SocketLimitSettings {
  readonly maxHttpSockets: number;
  readonly maxHttpSocketsPerAddress: number;
}

/**
 * Bounds a server's sockets that are not a player's WebSocket: those that say nothing, are still in their TLS handshake,
 * or wait between requests. One more than an address or the server may have is destroyed at once. Players' sockets have
 * bounds of their own from their upgrade on. Called when the server's other listeners are there. Addresses of trusted
 * proxies stand for many and share the server's bound.
 */
export function limitSockets(
  server: Server,
  { settings, isTrusted }: { settings: SocketLimitSettings; isTrusted: (address: string) => boolean },
): void {
  const sockets = new GroupCounter();
  /** Both ends of a socket → what gives its place back. TLS wraps a socket in another, but both have the same ends. */
  const releases = new Map<string, () => void>();

  server.on('connection', (socket: Socket) => {
    const { remoteAddress: address } = socket;
    if (address === undefined) return;
    const group = addressGroup(address);
    const isFull = sockets.total >= settings.maxHttpSockets;
    if (isFull || (sockets.of(group) >= settings.maxHttpSocketsPerAddress && !isTrusted(address))) {
      socket.destroy();
      return;
    }
    const ends = endsOf(socket);
    let isCounted = true;
    const release = () => {
      if (!isCounted) return;
      isCounted = false;
      sockets.remove(group);
      // Its successor may be here already: the kernel tells of a new socket before Node.js tells of the old one's end.
      if (releases.get(ends) === release) releases.delete(ends);
    };
    sockets.add(group);
    releases.set(ends, release);
    socket.once('close', release);
  });
  // With a listener of its own, a server that serves no players would take their upgrades and never answer them.
  if (server.listenerCount('upgrade') > 0) {
    server.on('upgrade', (_request, socket) => releases.get(endsOf(socket as Socket))?.());
  }
}

/** A peer may use one port for a socket to each of this machine's addresses. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
