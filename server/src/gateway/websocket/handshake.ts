import { hash } from 'node:crypto';
import type { RequestHead } from '../../http/request-head.ts';

/** Every WebSocket server appends this to the client's key (RFC 6455, 1.3). */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Sixteen bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** A name in a header (RFC 9110, 5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Why a request cannot become a WebSocket, as an HTTP answer. */
export interface HandshakeFault {
  readonly status: 400 | 405;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is wrong with a request that asks for a WebSocket, of which node:http has checked the `Connection` header. */
export function findHandshakeFault(head: RequestHead): HandshakeFault | undefined {
  const { method, headers } = head;
  if (method !== 'GET') return { status: 405, message: 'a WebSocket begins with GET', headers: { Allow: 'GET' } };
  if (headers.get('upgrade')?.join().toLowerCase() !== 'websocket') {
    return { status: 400, message: 'the Upgrade header must be "websocket"' };
  }
  if (!KEY.test(headers.get('sec-websocket-key')?.join() ?? '')) {
    return { status: 400, message: 'the Sec-WebSocket-Key header must be 16 bytes in base64' };
  }
  if (headers.get('sec-websocket-version')?.join() !== '13') {
    const message = 'the Sec-WebSocket-Version header must be 13';
    return { status: 400, message, headers: { 'Sec-WebSocket-Version': '13' } };
  }
  const subprotocols = offeredSubprotocols(head);
  if (new Set(subprotocols).size < subprotocols.length || !subprotocols.every((name) => TOKEN.test(name))) {
    return { status: 400, message: 'the Sec-WebSocket-Protocol header must list different names' };
  }
  return undefined;
}

/** The subprotocols that a client offers, in its order. */
export function offeredSubprotocols({ headers }: RequestHead): readonly string[] {
  const value = headers.get('sec-websocket-protocol')?.join();
  return value === undefined ? [] : value.split(',').map((name) => name.trim());
}

/** The answer that accepts a request without such a fault. There are no extensions. */
export function acceptance({ headers }: RequestHead, subprotocol: string): string {
  const accept = hash('sha1', `${headers.get('sec-websocket-key')?.join()}${GUID}`, 'base64');
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`
  );
}
