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
  /** Peer's address and port → its group. TLS wraps a socket in another, but both have the same peer. */
  const open = new Map<string, string>();
  const sockets = new GroupCounter();

  function release(peer: string): void {
    const group = open.get(peer);
    if (group === undefined) return;
    open.delete(peer);
    sockets.remove(group);
  }

  server.on('connection', (socket: Socket) => {
    const { remoteAddress: address } = socket;
    if (address === undefined) return;
    const group = addressGroup(address);
    const isFull = open.size >= settings.maxHttpSockets;
    if (isFull || (sockets.of(group) >= settings.maxHttpSocketsPerAddress && !isTrusted(address))) {
      socket.destroy();
      return;
    }
    const peer = peerOf(socket);
    open.set(peer, group);
    sockets.add(group);
    socket.once('close', () => release(peer));
  });
  // With a listener of its own, a server that serves no players would take their upgrades and never answer them.
  if (server.listenerCount('upgrade') > 0) {
    server.on('upgrade', (_request, socket) => release(peerOf(socket as Socket)));
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
