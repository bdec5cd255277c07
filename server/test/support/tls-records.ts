import { createCipheriv, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

/** The parts of TLS_AES_128_GCM_SHA256 (RFC 8446). */
const CIPHER = 'TLS_AES_128_GCM_SHA256';
const KEY_BYTES = 16;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const APPLICATION_DATA = 23;

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
  const tls = connectTls({ socket, rejectUnauthorized: false, minVersion: 'TLSv1.3', ciphers: CIPHER });
  let secret: Buffer | undefined;
  tls.on('keylog', (line: Buffer) => {
    const found = /^CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)/.exec(line.toString())?.[1];
    if (found !== undefined) secret = Buffer.from(found, 'hex');
  });
  await once(tls, 'secureConnect');
  for (const each of [socket, tls]) each.on('error', () => {});
  // The end of the handshake is written in this turn.
  await new Promise((resolve) => setImmediate(resolve));
  if (secret === undefined) throw new Error('Node.js has not said what the connection is encrypted with');
  const seal = createSeal(secret);
  return {
    tls,
    seal: (parts) => Buffer.concat(Array.from(parts, (part) => seal(Buffer.from(part)))),
    send: (sealed) => void socket.write(sealed),
  };
}

function createSeal(secret: Buffer): (content: Uint8Array) => Buffer {
  const key = expand(secret, 'key', KEY_BYTES);
  const iv = expand(secret, 'iv', IV_BYTES);
  let sequence = 0n;
  return (content) => {
    const nonce = Buffer.from(iv);
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(IV_BYTES - 8) ^ sequence, IV_BYTES - 8);
    sequence += 1n;
    const head = Buffer.from([APPLICATION_DATA, 3, 3, 0, 0]);
    head.writeUInt16BE(content.length + 1 + TAG_BYTES, 3);
    const cipher = createCipheriv('aes-128-gcm', key, nonce).setAAD(head);
    const sealed = cipher.update(Buffer.concat([content, Buffer.from([APPLICATION_DATA])]));
    cipher.final();
    return Buffer.concat([head, sealed, cipher.getAuthTag()]);
  };
}

/** HKDF-Expand-Label without a context, of at most one hash. */
function expand(secret: Buffer, label: string, bytes: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, bytes, name.length]), name, Buffer.from([0, 1])]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, bytes);
}
