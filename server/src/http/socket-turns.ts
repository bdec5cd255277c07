import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Turns } from '../turns.ts';
import { addressGroup } from './client-address.ts';

/**
 * What is read from a socket reaches Node.js's parser in pieces of this size. The shortest request has 26 bytes, so one
 * read of 64 KiB may hold 2,500, and the parser makes an object of each before anything else can run.
 */
const PIECE_BYTES = 1_024;

type Feed = (chunk: Buffer) => void;

/**
 * Has the server parse what its sockets bring in turns with everything else that clients have it do. Must be called
 * after the server's other event handlers have been added.
 */
export function parseInTurns(server: Server, turns: Turns): void {
  const detachments = new WeakMap<Socket, () => void>();
  // A handler on a server that serves no players would make Node.js accept their upgrades, which get no answer then.
  if (server.listenerCount('upgrade') > 0) {
    server.prependListener('upgrade', (_request, socket) => detachments.get(socket as Socket)?.());
  }
  // The server's own listener has run before, and has attached its parser. TLS has an event of its own.
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
    const [feed, ...others] = socket.listeners('data') as Feed[];
    if (feed === undefined || others.length > 0) return;
    const lane = addressGroup(socket.remoteAddress ?? '');
    const pieces: Buffer[] = [];
    let isWaiting = false;
    let isDetached = false;

    function onData(chunk: Buffer): void {
      if (chunk.length <= PIECE_BYTES) pieces.push(chunk);
      else for (let at = 0; at < chunk.length; at += PIECE_BYTES) pieces.push(chunk.subarray(at, at + PIECE_BYTES));
      goOn();
    }

    /** Gives the parser what there is, unless another turn or the parser itself, which pauses the socket, must come first. */
    function goOn(): void {
      while (pieces.length > 0 && !isWaiting && !socket.isPaused()) {
        if (turns.isOpen(lane)) giveOne();
        else waitForTurn();
      }
    }

    function giveOne(): void {
      const piece = pieces.shift();
      if (piece === undefined || socket.destroyed) {
        pieces.length = 0;
        return;
      }
      feed?.call(socket, piece);
      // After an upgrade the rest is no longer HTTP: the code that has taken the socket over reads it.
      if (isDetached) for (const rest of pieces.splice(0)) socket.push(rest);
    }

    function detach(): void {
      isDetached = true;
      socket.off('data', onData).off('resume', goOn);
    }

    function waitForTurn(): void {
      isWaiting = true;
      socket.pause();
      turns.wait(lane, () => {
        isWaiting = false;
        socket.resume();
        giveOne();
        goOn();
      });
    }

    detachments.set(socket, detach);
    socket.off('data', feed).on('data', onData).on('resume', goOn);
  });
}
