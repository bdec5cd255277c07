import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createTurns } from '../turns.ts';
import { createClientAddress } from './client-address.ts';
import { type HttpRequest, type Site, textReply } from './exchange.ts';
import { createHttpListener } from './listener.ts';
import { createHeadReader } from './request-head.ts';

/** A real server in front of this site. */
async function serve(t: TestContext, site: Site) {
  const clock = new ManualClock();
  const readHead = createHeadReader({ clientAddress: createClientAddress({ trustedProxies: [], warn() {} }) });
  const settings = {
    headersTimeoutMs: 1_000,
    requestTimeoutMs: 2_000,
    keepAliveTimeoutMs: 3_000,
    maxBodyBytes: 4,
    longBodyMemoryBytes: 6,
    maxPipelinedRequests: 64,
  };
  const { log } = recordedLog();
  const listener = createHttpListener({ sites: [site], readHead, turns: createTurns({ clock }), settings, clock, log });
  const server = createServer();
  listener.attach(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, listener };
}

/** Sends the parts over one connection, and returns everything that comes back. */
async function exchange(port: number, ...parts: string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  for (const part of parts) socket.write(part);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** A request with this many header lines. */
function withHeaders(count: number): string {
  const lines = Array.from({ length: count - 1 }, (_, index) => `h${index}: x\r\n`);
  return `GET / HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`;
}

test('a request with more header lines than anybody needs is refused, and nothing after it is served', async (t) => {
  const asked: HttpRequest[] = [];
  const { port } = await serve(t, (request) => {
    asked.push(request);
    return textReply(200, 'ok\n');
  });
  const replies = await exchange(port, withHeaders(200), withHeaders(201), withHeaders(1), withHeaders(300));
  assert.deepEqual(replies.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 431']);
  assert.match(replies, /a request may have at most 200 header lines\n$/);
  assert.equal(asked.length, 1);
});

test('heads that wait behind a request take only so much memory', async (t) => {
  const { port, listener } = await serve(t, () => new Promise(() => {}));
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  const gone = once(socket, 'close');
  const long = `GET / HTTP/1.1\r\nhost: ${'x'.repeat(15_000)}\r\n\r\n`;
  // One is served, and eight may wait.
  for (let count = 1; count <= 9; count += 1) {
    socket.write(long);
    while (listener.inFlight < count) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(socket.destroyed, false);
  socket.write(long);
  await gone;
  while (listener.inFlight > 1) await new Promise((resolve) => setImmediate(resolve));
});
