import { constants } from 'node:crypto';
import type { ClientRequestArgs } from 'node:http';
import { Agent } from 'node:https';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls, DEFAULT_CIPHERS, type TLSSocket } from 'node:tls';
import { systemClock } from '../clock.ts';
import { createTurns } from '../turns.ts';
import { OutsideFault } from './outside-fault.ts';

/**
 * The limit until the handshake is done. Certificates take three to eight kilobytes, and the time to check how they constrain
 * one another grows faster than their length.
 */
const HANDSHAKE_BYTES = 24_576;
/** Allowed for heads of answers, and for what TLS adds to each of its records. */
const BYTES_BESIDE = 131_072;
/** An answer in records of a few hundred bytes takes less than twice its own bytes. */
const BYTES_OF_TLS = 2;
/**
 * So much of what comes is handed on at once. A record of a single byte takes two dozen of these bytes, and some microseconds in
 * which nothing else runs.
 */
const BYTES_OF_TURN = 4_096;

/**
 * How handshakes are made. The other end chooses the group of an exchange of keys by Diffie and Hellman, and one of ten thousand
 * bits takes half a second, while those on curves are few and fast. TLS 1.3 has such groups too, up to 8,192 bits, unless curves
 * alone are offered. With a renegotiation it could have the certificates checked again, as often as it likes.
 */
const HANDSHAKE = {
  ciphers: `${DEFAULT_CIPHERS}:!DHE`,
  ecdhCurve: 'X25519:P-256:X448:P-521:P-384',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const;

/** Whose request a connection is made for; without one it is that of its host. */
export interface Owned {
  readonly owner?: string;
}

/**
 * What comes on the connections of a thread is read in turns by their owners. To check certificates takes up to a tenth of a second,
 * and so does an answer in records of single bytes: the hundreds of connections of one owner must not hold up those of others.
 */
const turns = createTurns({ clock: systemClock });

const meters = new WeakMap<object, Meter>();

/**
 * Makes TLS connections that are ended when more comes over them than the answers which are waited for may take. What of it
 * belongs to TLS alone has no bound of its own: a server may change its keys, or hand out tickets, any number of times, each
 * of which takes several microseconds before anything else can run.
 */
export class BoundedTlsAgent extends Agent {
  // Node.js types it for plain connections.
  override createConnection(options: ClientRequestArgs): TLSSocket {
    const raw = connect(options as NetConnectOpts);
    const { owner = `${options.host}:${options.port}` } = options as Owned;
    const meter = new Meter(raw, owner);
    const ours = { ALPNProtocols: ['http/1.1'], ...(options as ConnectionOptions), ...HANDSHAKE };
    const secure = connectTls({ ...ours, socket: meter });
    meters.set(secure, meter);
    secure.once('secureConnect', () => meter.open());
    // Connections that are kept must not keep the process up.
    const { ref, unref } = secure;
    secure.ref = () => {
      raw.ref();
      return ref.call(secure);
    };
    secure.unref = () => {
      raw.unref();
      return unref.call(secure);
    };
    return secure;
  }
}

/** Says that an answer of so many bytes is waited for now, on a connection that may have had others before. */
export function awaitBytes(socket: object, maxBytes: number): void {
  meters.get(socket)?.await(maxBytes);
}

/** Why a connection was ended here. An answer that had begun only says that it was broken off. */
export function endOf(socket: object | null | undefined): OutsideFault | undefined {
  return meters.get(socket ?? {})?.fault;
}

/** Hands on what comes, as long as there may be more, when it is the turn of its owner. */
class Meter extends Duplex {
  readonly #raw: Socket;
  readonly #lane: string;
  fault: OutsideFault | undefined;
  #left = BYTES_BESIDE;
  #ofHandshake = HANDSHAKE_BYTES;
  /** What waits for its turn, in order. */
  readonly #waiting: (() => void)[] = [];

  constructor(raw: Socket, lane: string) {
    super();
    this.#raw = raw;
    this.#lane = lane;
    raw.on('data', (chunk) => this.#take(chunk));
    raw.on('end', () => this.#inOrder(() => this.push(null)));
    raw.on('error', (error) => this.#inOrder(() => this.destroy(error)));
    raw.on('close', () => this.#inOrder(() => this.destroy()));
  }

  await(maxBytes: number): void {
    this.#left = BYTES_BESIDE + BYTES_OF_TLS * maxBytes;
  }

  /** Must be called when the handshake is done. */
  open(): void {
    this.#ofHandshake = Number.POSITIVE_INFINITY;
  }

  #take(chunk: Buffer): void {
    this.#left -= chunk.length;
    this.#ofHandshake -= chunk.length;
    if (this.#ofHandshake < 0) {
      this.#end(new OutsideFault('failed', `its handshake takes more than ${HANDSHAKE_BYTES} bytes`));
    } else if (this.#left < 0) {
      this.#end(new OutsideFault('too_large', 'what came over TLS is many times as long as an answer may be'));
    } else {
      for (let at = 0; at < chunk.length; at += BYTES_OF_TURN) {
        const part = chunk.subarray(at, at + BYTES_OF_TURN);
        if (this.#waiting.length === 0 && turns.isOpen(this.#lane)) this.#handOn(part);
        else this.#wait(() => this.#handOn(part));
      }
    }
  }

  #handOn(chunk: Buffer): void {
    if (!this.destroyed && !this.push(chunk)) this.#raw.pause();
  }

  /** Does something in a turn of the owner, after what waits already. Nothing more is read until then. */
  #wait(what: () => void): void {
    this.#waiting.push(what);
    if (this.#waiting.length > 1) return;
    this.#raw.pause();
    turns.wait(this.#lane, () => this.#next());
  }

  #next(): void {
    this.#waiting[0]?.();
    this.#waiting.shift();
    if (this.#waiting.length > 0) turns.wait(this.#lane, () => this.#next());
    else this.#raw.resume();
  }

  /** Does something now, or after what waits. */
  #inOrder(what: () => void): void {
    if (this.#waiting.length === 0) what();
    else this.#wait(what);
  }

  #end(fault: OutsideFault): void {
    this.fault = fault;
    this.destroy(fault);
  }

  override _read(): void {
    if (this.#waiting.length === 0) this.#raw.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#raw.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#raw.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#waiting.length = 0;
    this.#raw.destroy();
    done(error);
  }
}
