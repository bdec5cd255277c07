import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { addressGroup } from './client-address.ts';
import { GroupCounter } from './group-counter.ts';

export interface SocketLimitSettings {
  readonly maxHttpSockets: number;
  readonly maxHttpSocketsPerAddress: number;
}

/**
 * Bounds a server's sockets that are not players' WebSockets: those that send nothing, are still in their TLS
 * handshake, or wait between requests. A socket beyond the bound of its address or of the server is destroyed at once.
 * So is one whose peer has no address any more. From the upgrade on, players' sockets have bounds of their own. A trusted proxy stands for many clients, so its
 * address has no bound of its own. Must be called after the server's other event handlers have been added.
 */
export function limitSockets(
  server: Server,
  { settings, isTrusted }: { settings: SocketLimitSettings; isTrusted: (address: string) => boolean },
): void {
  const sockets = new GroupCounter();
  /** Both ends of a socket → its release. TLS wraps one socket in another, but both have the same ends. */
  const releases = new Map<string, () => void>();

  server.on('connection', (socket: Socket) => {
    const { remoteAddress: address } = socket;
    // The peer has reset the socket before the server took it, but what it sent before could still be read.
    if (address === undefined) {
      socket.destroy();
      return;
    }
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
      // A new socket with the same ends may be here already: Node.js may report it before the end of the old one.
      if (releases.get(ends) === release) releases.delete(ends);
    };
    sockets.add(group);
    releases.set(ends, release);
    socket.once('close', release);
  });
  // A handler on a server that serves no players would make Node.js accept their upgrades, which get no answer then.
  if (server.listenerCount('upgrade') > 0) {
    server.on('upgrade', (_request, socket) => releases.get(endsOf(socket as Socket))?.());
  }
}

/** The local address is part of it: a peer may use one port for sockets to several of this machine's addresses. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
