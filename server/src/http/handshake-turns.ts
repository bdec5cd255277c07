import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { widestGroup } from '../address-buckets.ts';
import type { Clock } from '../clock.ts';
import type { Turns } from '../turns.ts';
import { addressGroup } from './client-address.ts';
import { helloIn } from './client-hello.ts';

/** For so long a client may take to say what a handshake begins with. The rest of it has a limit of its own. */
const HELLO_MS = 10_000;

/**
 * So many handshakes of an address may wait for their second half, which comes when the client likes and takes 0.2 ms
 * before anything else can run.
 */
const MAX_HALF_DONE = 64;

/** The property of a socket that leads to its handshake, so that all sockets share their event handlers. */
const HANDSHAKE = Symbol('handshake');

interface Carrier extends Socket {
  [HANDSHAKE]?: Handshake | undefined;
}

/** A handshake that has begun, or waits for that. */
interface Handshake {
  readonly socket: Carrier;
  /** All addresses that one customer may have. */
  readonly group: string;
  /** What has come of the first message. */
  bytes: Buffer;
  cancelTimeout: () => void;
  /** Where the socket is found when the handshake is done: what comes out of TLS is another object with the same ends. */
  ends: string | undefined;
}

/**
 * Has a TLS server begin its handshakes in turns with everything else that clients have it do; does nothing for other
 * servers. The first message of a client has the server sign, which takes a millisecond or three with an RSA key, and
 * Node.js answers all that have come before anything else can run: a few hundred sockets that send it at the same moment
 * would hold up everybody for a second. So TLS gets a socket only when that message has come whole. Must be called after
 * the server's other event handlers have been added.
 */
export function shakeHandsInTurns(
  server: Server,
  { turns, clock }: { turns: Turns; clock: Pick<Clock, 'after'> },
): void {
  if (!('setSecureContext' in server)) return;
  // The server's own listener, which was added first, wraps the socket in TLS.
  const [wrap] = server.listeners('connection') as ((socket: Socket) => void)[];
  if (wrap === undefined) throw new Error('a TLS server has a listener of its own for connections');

  function begin(handshake: Handshake): void {
    const { socket } = handshake;
    if (socket.destroyed) return;
    socket.unshift(handshake.bytes);
    handshake.bytes = NOTHING;
    wrap?.call(server, socket);
  }

  const places = createPlaces((handshake) => {
    // Handshakes are not in the way of what the sockets of the same address bring.
    const lane = `handshakes of ${handshake.group}`;
    if (turns.isOpen(lane)) begin(handshake);
    else turns.wait(lane, () => begin(handshake));
  });

  function onData(this: Carrier, chunk: Buffer): void {
    const handshake = this[HANDSHAKE];
    if (handshake === undefined) return;
    handshake.bytes = handshake.bytes.length === 0 ? chunk : Buffer.concat([handshake.bytes, chunk]);
    const hello = helloIn(handshake.bytes);
    if (hello === 'incomplete') return;
    handshake.cancelTimeout();
    this.off('data', onData).pause();
    if (hello === 'wrong') this.destroy();
    else places.take(handshake);
  }

  function onClose(this: Carrier): void {
    const handshake = this[HANDSHAKE];
    if (handshake === undefined) return;
    this[HANDSHAKE] = undefined;
    handshake.cancelTimeout();
    places.leave(handshake);
  }

  function onConnection(socket: Carrier): void {
    const { remoteAddress } = socket;
    // It has no place, or its peer has gone.
    if (socket.destroyed || remoteAddress === undefined) return;
    const cancelTimeout = clock.after(HELLO_MS, () => socket.destroy());
    const group = widestGroup(addressGroup(remoteAddress));
    socket[HANDSHAKE] = { socket, group, bytes: NOTHING, cancelTimeout, ends: undefined };
    socket.on('close', onClose).on('error', ignore).on('data', onData);
  }

  server.off('connection', wrap);
  server.on('connection', onConnection);
  server.prependListener('secureConnection', (secure: Socket) => {
    const socket = places.done(secure)?.socket;
    if (socket === undefined) return;
    // Nothing of this is kept for a player who may stay for hours.
    socket[HANDSHAKE] = undefined;
    socket.off('close', onClose).off('error', ignore);
  });
}

/** Gives each socket its place when its address has not too many. */
function createPlaces(begin: (handshake: Handshake) => void) {
  /** By group, how many have a place. */
  const halfDone = new Map<string, number>();
  const byEnds = new Map<string, Handshake>();
  /** By group, those for which there are too many already, the first first. */
  const waiting = new Map<string, Set<Handshake>>();

  function take(handshake: Handshake): void {
    const { group } = handshake;
    const others = halfDone.get(group) ?? 0;
    if (others >= MAX_HALF_DONE) {
      waiting.set(group, (waiting.get(group) ?? new Set()).add(handshake));
      return;
    }
    halfDone.set(group, others + 1);
    handshake.ends = endsOf(handshake.socket);
    byEnds.set(handshake.ends, handshake);
    begin(handshake);
  }

  function end(handshake: Handshake): void {
    const { group, ends } = handshake;
    if (ends === undefined) return;
    handshake.ends = undefined;
    // A new socket with the same ends may be here already.
    if (byEnds.get(ends) === handshake) byEnds.delete(ends);
    const left = (halfDone.get(group) ?? 1) - 1;
    if (left === 0) halfDone.delete(group);
    else halfDone.set(group, left);
    admitNext(group);
  }

  function admitNext(group: string): void {
    const [next] = waiting.get(group) ?? [];
    if (next === undefined) return;
    forget(next);
    take(next);
  }

  function forget(handshake: Handshake): void {
    const others = waiting.get(handshake.group);
    others?.delete(handshake);
    if (others?.size === 0) waiting.delete(handshake.group);
  }

  return {
    take,
    /** Must be called when the socket has ended. */
    leave(handshake: Handshake): void {
      forget(handshake);
      end(handshake);
    },
    /** Must be called with what comes out of TLS when a handshake is done. Gives the handshake. */
    done(socket: Socket): Handshake | undefined {
      const handshake = byEnds.get(endsOf(socket));
      if (handshake !== undefined) end(handshake);
      return handshake;
    },
  };
}

const NOTHING = Buffer.alloc(0);

/** What is wrong with a socket ends it, and nothing more is to be done then. */
function ignore(): void {}

function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
