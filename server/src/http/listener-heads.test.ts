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
import { parseInTurns } from './socket-turns.ts';

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
  };
  const { log } = recordedLog();
  const turns = createTurns({ clock });
  const listener = createHttpListener({ sites: [site], readHead, turns, settings, clock, log });
  // As the server's own listeners are made.
  const server = createServer({ requireHostHeader: false });
  listener.attach(server);
  parseInTurns(server, turns, listener.mayParse);
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

test('a request of HTTP/1.1 without a Host and an expectation that nobody knows are refused in their place', async (t) => {
  const { port } = await serve(t, () => textReply(200, 'ok\n'));
  const good = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
  for (const [bad, status] of [
    ['GET / HTTP/1.1\r\n\r\n', '400'],
    ['GET / HTTP/1.1\r\nhost: x\r\nexpect: 200-ok\r\n\r\n', '417'],
  ] as const) {
    const replies = await exchange(port, good, bad, good);
    assert.deepEqual(replies.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 200', `HTTP/1.1 ${status}`]);
  }
  const old = await exchange(port, 'GET / HTTP/1.0\r\n\r\n');
  assert.match(old, /^HTTP\/1.1 200 /);
});

test('what a client sends behind a request that is not answered yet stays unread', async (t) => {
  const answers: (() => void)[] = [];
  const { port, listener } = await serve(
    t,
    () => new Promise((resolve) => answers.push(() => resolve(textReply(200, 'ok\n')))),
  );
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  t.after(() => socket.destroy());
  let replies = '';
  socket.on('data', (data) => {
    replies += String(data);
  });
  const long = `GET / HTTP/1.1\r\nhost: ${'x'.repeat(15_000)}\r\n\r\n`;
  socket.write(long.repeat(100));
  for (let count = 1; count <= 100; count += 1) {
    while (answers.length < count) await new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(listener.inFlight, 1);
    answers[count - 1]?.();
  }
  while (replies.split('HTTP/1.1 200').length <= 100) await new Promise((resolve) => setImmediate(resolve));
});
