import { randomBytes } from 'node:crypto';
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { CONNECT_PATH, encode, SUBPROTOCOL } from '@respark/protocol';
import type { TestServer } from '../support/server.ts';

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** One frame of RFC 6455, section 5.2, in which anything may be wrong. */
export interface RawFrame {
  readonly opcode?: number;
  readonly isFinal?: boolean;
  /** The three reserved bits, 0-7. Compression uses 4. */
  readonly reserved?: number;
  readonly isMasked?: boolean;
  /** Four bytes; random by default. */
  readonly mask?: Uint8Array;
  readonly payload?: string | Uint8Array;
  /** Bits of the length; by default as few as possible. */
  readonly lengthBits?: 7 | 16 | 64;
  /** The length that the frame claims; by default that of the payload. */
  readonly length?: bigint;
}

export function frame(options: RawFrame = {}): Buffer {
  const { opcode = TEXT, isFinal = true, reserved = 0, isMasked = true } = options;
  const payload = Buffer.from(options.payload ?? '');
  const length = options.length ?? BigInt(payload.length);
  const shortest = length < 126n ? 7 : length < 65_536n ? 16 : 64;
  const bits = Math.max(shortest, options.lengthBits ?? shortest);
  const head = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10);
  head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (isMasked ? 0x80 : 0) | (bits === 7 ? Number(length) : bits === 16 ? 126 : 127);
  if (bits === 16) head.writeUInt16BE(Number(length), 2);
  if (bits === 64) head.writeBigUInt64BE(BigInt.asUintN(64, length), 2);
  if (!isMasked) return Buffer.concat([head, payload]);
  const mask = options.mask ?? randomBytes(4);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0))]);
}

export const text = (payload: string | Uint8Array) => frame({ payload });
export const HEARTBEAT = text(encode({ kind: 'heartbeat' }));
export const closeFrame = (code: number, reason: string | Uint8Array = '') =>
  frame({ opcode: CLOSE, payload: Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]) });

export const times = (count: number, bytes: Uint8Array) => Buffer.concat(Array.from({ length: count }, () => bytes));
export const piece = (payload: string | Uint8Array, isFinal = false) => frame({ opcode: 0, payload, isFinal });
export const firstPiece = (payload: string | Uint8Array) => frame({ opcode: TEXT, payload, isFinal: false });
export const join = (...frames: readonly Uint8Array[]) => Buffer.concat(frames);
export const requestText = (payload: string) => text(`{"kind":"request","id":"1","type":"T","payload":${payload}}`);
export const EVENT = encode({ kind: 'event', type: 'T', payload: { word: 'grüße 🎮' } });

export function helloFrame(server: Pick<TestServer, 'gameKey'>): Buffer {
  return text(encode({ kind: 'hello', gameKey: server.gameKey }));
}

/** The bytes of a correct upgrade, with some headers replaced, or left out when undefined. */
export function upgradeBytes({
  method = 'GET',
  path = CONNECT_PATH,
  version = 'HTTP/1.1',
  headers = {},
}: {
  method?: string;
  path?: string;
  version?: string;
  headers?: Readonly<Record<string, string | undefined>>;
} = {}): string {
  const all = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Protocol': SUBPROTOCOL,
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  return `${[`${method} ${path} ${version}`, ...lines].join('\r\n')}\r\n\r\n`;
}

/** A client that sends bare bytes, and answers nothing by itself. */
export interface RawSocket {
  readonly socket: Socket;
  /** The texts of the messages received so far. */
  readonly texts: readonly string[];
  /** Resolves when a message that matches `text` has come; rejects when the socket ends before that. */
  received(text: RegExp): Promise<void>;
  /**
   * How the socket ends: `HTTP` and the status that came instead of an upgrade, the code and reason of the close frame,
   * or `ended` when none came. The client does not answer the close frame, but destroys the socket.
   */
  readonly ending: Promise<{ readonly end: string; readonly reason: string }>;
}

export function openSocket(
  server: { readonly playerUrl: string },
  {
    upgrade = upgradeBytes(),
    localAddress = '127.0.0.1',
  }: { upgrade?: string | Uint8Array; localAddress?: string } = {},
): RawSocket {
  const { protocol, hostname, port } = new URL(server.playerUrl);
  const to: TcpNetConnectOpts = { host: hostname, port: Number(port), localAddress, allowHalfOpen: true };
  const socket = protocol === 'wss:' ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
  const texts: string[] = [];
  const looks = new Set<() => void>();
  const ending = new Promise<{ end: string; reason: string }>((resolve) => {
    const finish = (end: string, reason = '') => {
      resolve({ end, reason });
      socket.destroy();
    };
    const parse = createParser({
      onHead: (status) => status !== 101 && finish(`HTTP ${status}`),
      onText(payload) {
        texts.push(payload);
        for (const look of looks) look();
      },
      onClose: (code, reason) => finish(code === undefined ? 'no code' : String(code), reason),
    });
    socket.on('data', parse);
    socket.on('error', () => {});
    for (const event of ['end', 'close']) socket.on(event, () => finish('ended'));
  });
  socket.write(upgrade);
  return {
    socket,
    texts,
    ending,
    received: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!texts.some((each) => wanted.test(each))) return;
          looks.delete(look);
          resolve();
        };
        looks.add(look);
        look();
        ending.then(({ end, reason }) => reject(new Error(`${end} ${reason} instead of ${wanted}`)));
      }),
  };
}

/** Opens a socket, sends a hello and waits for the welcome. */
export async function openPlayer(
  server: Pick<TestServer, 'playerUrl' | 'gameKey'>,
  options?: Parameters<typeof openSocket>[1],
): Promise<RawSocket> {
  const player = openSocket(server, options);
  player.socket.write(helloFrame(server));
  await player.received(/"kind":"welcome"/);
  return player;
}

/**
 * How the connection of a welcomed player ends after the bytes: a close code, or `open` if a heartbeat is answered
 * next.
 */
export async function endOf(server: TestServer, bytes: Uint8Array): Promise<string> {
  const player = await openPlayer(server);
  player.socket.write(Buffer.concat([bytes, HEARTBEAT]));
  const answered = player.received(/"kind":"heartbeat"/).then(
    () => 'open',
    () => new Promise<never>(() => {}),
  );
  const end = await Promise.race([answered, player.ending.then(({ end }) => end)]);
  player.socket.destroy();
  return end;
}

function createParser({
  onHead,
  onText,
  onClose,
}: {
  onHead: (status: number) => void;
  onText: (text: string) => void;
  onClose: (code: number | undefined, reason: string) => void;
}): (chunk: Buffer) => void {
  let bytes: Buffer = Buffer.alloc(0);
  let isUpgraded = false;
  return (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (!isUpgraded) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      isUpgraded = true;
      onHead(Number(bytes.toString('latin1', 9, 12)));
      bytes = bytes.subarray(end + 4);
    }
    for (;;) {
      const [first = 0, length = 0] = bytes;
      const start = length === 126 ? 4 : 2;
      if (bytes.length < start) return;
      const end = start + (length === 126 ? bytes.readUInt16BE(2) : length);
      if (bytes.length < end) return;
      const payload = bytes.subarray(start, end);
      bytes = bytes.subarray(end);
      if (first === 0x80 + TEXT) onText(payload.toString());
      if (first === 0x80 + CLOSE)
        onClose(payload.length < 2 ? undefined : payload.readUInt16BE(), payload.toString('utf8', 2));
    }
  };
}
