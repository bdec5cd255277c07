import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { widestGroup } from '../address-buckets.ts';
import type { Clock } from '../clock.ts';
import { createTokenBuckets } from '../token-bucket.ts';
import type { Turns } from '../turns.ts';
import { addressGroup } from './client-address.ts';
import { helloIn } from './client-hello.ts';

/** How long a client may take to send the first message of a handshake. The rest of it has a limit of its own. */
const HELLO_MS = 10_000;

/**
 * How many handshakes may wait for their second half, which comes when the client likes and takes 0.2 ms before anything else
 * can run. The addresses that have any share them.
 */
const MAX_HALF_DONE = 64;
/** However many addresses there are, each may have so many. */
const MIN_HALF_DONE = 4;

/**
 * How much of the time of a server the first halves of an address may take, and how many milliseconds at once. With an RSA key
 * of 2,048 bits that is a few hundred handshakes a second, with a P-256 key more than a thousand.
 */
const SHARE = 0.3;
const AT_ONCE_MS = 10;
/** Addresses whose time is remembered. */
const MAX_ADDRESSES = 10_000;

/** The property of a socket that leads to its handshake, so that all sockets share their event handlers. */
const HANDSHAKE = Symbol('handshake');

/** The property of a socket that has come out of TLS which leads to the one that came in. */
const INNER = Symbol('inner');

interface Carrier extends Socket {
  [HANDSHAKE]?: Handshake | undefined;
  [INNER]?: Socket;
}

/** The socket that TLS has wrapped in this one, from the event `secureConnection` on; undefined for a plain socket. */
export function innerSocketOf(socket: Socket): Socket | undefined {
  return (socket as Carrier)[INNER];
}

/** A handshake that has begun, or waits for that. */
interface Handshake {
  readonly socket: Carrier;
  /** All addresses that one customer may have; undefined for a trusted proxy, which stands for many clients. */
  readonly group: string | undefined;
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
 * would hold up everybody for a second. So TLS gets a socket only when that message has come whole, and the sockets of an
 * address get theirs one after the other, in a share of the time. Must be called after the server's other event handlers
 * have been added.
 */
export function shakeHandsInTurns(
  server: Server,
  {
    turns,
    clock,
    isTrusted,
  }: {
    turns: Turns;
    clock: Pick<Clock, 'after' | 'monotonic'>;
    isTrusted: (address: string) => boolean;
  },
): void {
  if (!('setSecureContext' in server)) return;
  // The server's own listener, which was added first, wraps the socket in TLS.
  const [wrap] = server.listeners('connection') as ((socket: Socket) => void)[];
  if (wrap === undefined) throw new Error('a TLS server has a listener of its own for connections');

  const places = createPlaces({
    clock,
    begin(handshake, begun) {
      const { socket, bytes } = handshake;
      handshake.bytes = NOTHING;
      turns.wait(laneOf(handshake), () => {
        const startedAt = clock.monotonic();
        if (!socket.destroyed) {
          socket.unshift(bytes);
          wrap.call(server, socket);
        }
        // TLS reads the message when its caller has returned.
        process.nextTick(() => begun(clock.monotonic() - startedAt));
      });
    },
  });

  function onData(this: Carrier, chunk: Buffer): void {
    const handshake = this[HANDSHAKE];
    if (handshake === undefined) return;
    handshake.bytes = handshake.bytes.length === 0 ? chunk : Buffer.concat([handshake.bytes, chunk]);
    const hello = helloIn(handshake.bytes);
    if (hello === 'incomplete') return;
    handshake.cancelTimeout();
    this.off('data', onData).pause();
    // Closing hundreds of sockets takes longer than a turn, too.
    if (hello === 'wrong') turns.wait(laneOf(handshake), () => this.destroy());
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
    const group = isTrusted(remoteAddress) ? undefined : widestGroup(addressGroup(remoteAddress));
    socket[HANDSHAKE] = { socket, group, bytes: NOTHING, cancelTimeout, ends: undefined };
    socket.on('close', onClose).on('error', ignore).on('data', onData);
  }

  server.off('connection', wrap);
  server.on('connection', onConnection);
  server.prependListener('secureConnection', (secure: Carrier) => {
    const socket = places.done(secure)?.socket;
    if (socket === undefined) return;
    secure[INNER] = socket;
    // Nothing of this is kept for a player who may stay for hours.
    socket[HANDSHAKE] = undefined;
    socket.off('close', onClose).off('error', ignore);
  });
}

/** What is known of an address while any handshake of it waits or is under way. */
interface Place {
  /** The handshakes that have come and not begun, the first first. */
  readonly waiting: Set<Handshake>;
  halfDone: number;
  /** Whether the next one is about to begin, or there is no time for it yet. */
  isBusy: boolean;
}

/** Shares the handshakes that may be under way out among the addresses that have any. */
function createShares() {
  /** How many addresses have any. */
  let count = 0;
  return {
    hasAll({ halfDone }: Place): boolean {
      const sharing = count + (halfDone === 0 ? 1 : 0);
      return halfDone >= Math.max(MIN_HALF_DONE, Math.floor(MAX_HALF_DONE / sharing));
    },
    take(place: Place): void {
      if (place.halfDone === 0) count += 1;
      place.halfDone += 1;
    },
    /** Whether the other addresses may have more from now on. */
    giveBack(place: Place): boolean {
      place.halfDone -= 1;
      if (place.halfDone === 0) count -= 1;
      return place.halfDone === 0;
    },
  };
}

/** Has the handshakes of each address begin one after the other, when there are not too many and there is time. */
function createPlaces({
  clock,
  begin,
}: {
  clock: Pick<Clock, 'after' | 'monotonic'>;
  /** Begins the handshake in a later turn, and tells then how long that took. */
  begin: (handshake: Handshake, begun: (tookMs: number) => void) => void;
}) {
  const byGroup = new Map<string, Place>();
  const byEnds = new Map<string, Handshake>();
  const shares = createShares();
  /** The addresses whose next handshake waits because they have their share. */
  const sated = new Set<string>();
  const time = createTokenBuckets({
    ...{ ratePerSecond: 1_000 * SHARE, burst: AT_ONCE_MS, maxKeys: MAX_ADDRESSES },
    clock,
  });

  function take(handshake: Handshake): void {
    const { group } = handshake;
    if (group === undefined) {
      start(handshake, () => {});
      return;
    }
    const place = byGroup.get(group) ?? { waiting: new Set(), halfDone: 0, isBusy: false };
    byGroup.set(group, place);
    place.waiting.add(handshake);
    admitNext(group, place);
  }

  function admitNext(group: string, place: Place): void {
    const [next] = place.waiting;
    if (next === undefined) {
      sated.delete(group);
      if (place.halfDone === 0 && !place.isBusy) byGroup.delete(group);
      return;
    }
    if (place.isBusy) return;
    if (shares.hasAll(place)) {
      sated.add(group);
      return;
    }
    sated.delete(group);
    place.isBusy = true;
    const goOn = () => {
      place.isBusy = false;
      admitNext(group, place);
    };
    const waitMs = time.peek(group, 0);
    if (waitMs > 0) {
      clock.after(waitMs, goOn);
      return;
    }
    place.waiting.delete(next);
    shares.take(place);
    start(next, (tookMs) => {
      time.spend(group, tookMs);
      goOn();
    });
  }

  /** Must be called when the shares have become larger. */
  function goOnWithSated(): void {
    for (const group of [...sated]) {
      const place = byGroup.get(group);
      if (place !== undefined) admitNext(group, place);
    }
  }

  function start(handshake: Handshake, begun: (tookMs: number) => void): void {
    handshake.ends = endsOf(handshake.socket);
    byEnds.set(handshake.ends, handshake);
    begin(handshake, begun);
  }

  function end(handshake: Handshake): void {
    const { group, ends } = handshake;
    const place = group === undefined ? undefined : byGroup.get(group);
    place?.waiting.delete(handshake);
    if (ends !== undefined) {
      handshake.ends = undefined;
      // A new socket with the same ends may be here already.
      if (byEnds.get(ends) === handshake) byEnds.delete(ends);
      if (place !== undefined && shares.giveBack(place)) goOnWithSated();
    }
    if (group !== undefined && place !== undefined) admitNext(group, place);
  }

  return {
    take,
    /** Must be called when the socket has ended. */
    leave: end,
    /** Must be called with what comes out of TLS when a handshake is done. Returns the handshake. */
    done(socket: Socket): Handshake | undefined {
      const handshake = byEnds.get(endsOf(socket));
      if (handshake !== undefined) end(handshake);
      return handshake;
    },
  };
}

/** Handshakes are not in the way of what the sockets of the same address bring. */
const laneOf = ({ group = 'proxies' }: Handshake) => handshakeLane(group);

/** The lane of the handshakes of an address group. */
export function handshakeLane(group: string): string {
  return `handshakes of ${widestGroup(group)}`;
}

const NOTHING = Buffer.alloc(0);

/** What is wrong with a socket ends it, and nothing more is to be done then. */
function ignore(): void {}

/** The local address is part of it: a peer may use one port for sockets to several of this machine's addresses. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
