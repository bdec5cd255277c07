import { connect, type Socket } from 'node:net';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import type { Target } from './target.ts';

export function open({ url, address }: Target): Socket {
  const { hostname, port } = new URL(url);
  return connect({ host: hostname, port: Number(port), localAddress: address }).on('error', () => {});
}

export function signed(
  { url: base, key: own }: Target,
  { method = 'GET', path, body = '', key = own }: { method?: string; path: string; body?: string; key?: Target['key'] },
): string {
  const url = new URL(path, base);
  const headers = signRequest({
    ...{ method, url, body: Buffer.from(body), ...key },
    ...{ region: 'us-east-1', nowMs: Date.now() },
  });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
  return `${method} ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n${lines.join('')}${length}\r\n${body}`;
}
