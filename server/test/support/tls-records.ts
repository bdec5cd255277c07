import { createCipheriv, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';

/** The parts of TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 in TLS 1.2 (RFC 5246, 5288 and 5289). */
const CIPHER = 'ECDHE-ECDSA-AES128-GCM-SHA256';
const KEY_BYTES = 16;
const SALT_BYTES = 4;
const APPLICATION_DATA = 23;
const VERSION = [3, 3];
/** Where the server's random value begins in what it sends first: behind the heads of the record and of the message. */
const RANDOM_AT = 5 + 4 + 2;
const RANDOM_BYTES = 32;

/**
 * A client that makes its TLS records itself, one of each part, however short. Node.js and other clients would join what
 * they send at once.
 */
export interface RecordClient {
  /** The handshake is done, and what the server sends can be read from it. Nothing may be written to it. */
  readonly tls: TLSSocket;
  /** Encrypts the parts, which must be sent in the order of the calls. */
  seal(parts: Iterable<string | Uint8Array>): Buffer;
  send(sealed: Uint8Array): void;
}

export async function openRecordClient({
  port,
  localAddress = '127.0.0.1',
}: {
  port: number;
  localAddress?: string;
}): Promise<RecordClient> {
  const socket: Socket = connect({ port, host: '127.0.0.1', localAddress });
  const begun = once(socket, 'data');
  const options = { rejectUnauthorized: false, maxVersion: 'TLSv1.2', ciphers: CIPHER } as const;
  const tls = connectTls({ ...options, socket: carrierOf(socket) });
  const secrets = once(tls, 'keylog');
  await once(tls, 'secureConnect');
  for (const each of [socket, tls]) each.on('error', () => {});
  const [first] = (await begun) as [Buffer];
  const [, clientRandom = '', master = ''] = String(await secrets).split(/\s+/);
  const serverRandom = first.subarray(RANDOM_AT, RANDOM_AT + RANDOM_BYTES);
  const seal = createSeal(Buffer.from(master, 'hex'), Buffer.concat([serverRandom, Buffer.from(clientRandom, 'hex')]));
  return {
    tls,
    seal: (parts) => Buffer.concat(Array.from(parts, (part) => seal(Buffer.from(part)))),
    send: (sealed) => void socket.write(sealed),
  };
}

/** Carries the bytes of a socket, which can be listened to beside it. */
function carrierOf(socket: Socket): Duplex {
  const carrier = new Duplex({
    read() {},
    write: (chunk, _encoding, done) => void socket.write(chunk, done),
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (chunk) => carrier.push(chunk));
  socket.on('end', () => carrier.push(null));
  socket.on('close', () => carrier.destroy());
  return carrier;
}

function createSeal(master: Buffer, randoms: Buffer): (content: Uint8Array) => Buffer {
  const block = expand(master, Buffer.concat([Buffer.from('key expansion'), randoms]), 2 * (KEY_BYTES + SALT_BYTES));
  const key = block.subarray(0, KEY_BYTES);
  const salt = block.subarray(2 * KEY_BYTES, 2 * KEY_BYTES + SALT_BYTES);
  // The end of the handshake was record 0.
  let sequence = 1n;
  return (content) => {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(sequence);
    sequence += 1n;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(content.length);
    const head = Buffer.from([APPLICATION_DATA, ...VERSION]);
    const cipher = createCipheriv('aes-128-gcm', key, Buffer.concat([salt, number]));
    cipher.setAAD(Buffer.concat([number, head, length]));
    const fragment = Buffer.concat([number, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
    const sealedLength = Buffer.alloc(2);
    sealedLength.writeUInt16BE(fragment.length);
    return Buffer.concat([head, sealedLength, fragment]);
  };
}

/** The pseudorandom function of TLS 1.2 with SHA-256. */
function expand(secret: Buffer, seed: Buffer, bytes: number): Buffer {
  const hmac = (data: Buffer) => createHmac('sha256', secret).update(data).digest();
  let block = seed;
  let output = Buffer.alloc(0);
  while (output.length < bytes) {
    block = hmac(block);
    output = Buffer.concat([output, hmac(Buffer.concat([block, seed]))]);
  }
  return output.subarray(0, bytes);
}
