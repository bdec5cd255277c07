import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { tlsFiles } from '../../test/support/tls-files.ts';
import { createTurns } from '../turns.ts';
import { createClientAddress } from './client-address.ts';
import { type HttpRequest, type Site, textReply } from './exchange.ts';
import { createHttpListener } from './listener.ts';
import { createHeadReader } from './request-head.ts';
import { parseInTurns } from './socket-turns.ts';

/** A real server in front of this site. */
async function serve(
  t: TestContext,
  site: Site,
  { headersTimeoutMs = 1_000, isTls = false, trustedProxies = [] as string[] } = {},
) {
  const clock = new ManualClock();
  const readHead = createHeadReader({ clientAddress: createClientAddress({ trustedProxies, warn() {} }) });
  const settings = {
    headersTimeoutMs,
    requestTimeoutMs: 2_000,
    keepAliveTimeoutMs: 3_000,
    maxBodyBytes: 4,
    longBodyMemoryBytes: 6,
  };
  const { log } = recordedLog();
  const turns = createTurns({ clock });
  const prefer = t.mock.method(turns, 'prefer');
  const listener = createHttpListener({ sites: [site], readHead, turns, settings, clock, log });
  // As the server's own listeners are made.
  const options = { requireHostHeader: false, connectionsCheckingInterval: 20 };
  const [cert, key] = Object.values(tlsFiles('first')).map((file) => readFileSync(file));
  const server: Server = isTls ? createTlsServer({ ...options, cert, key }) : createServer(options);
  listener.attach(server);
  server.on('upgrade', (_request, socket) => void socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
  parseInTurns(server, turns, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const preferred = () => prefer.mock.calls.map(({ arguments: [lane] }) => lane);
  return { port: (server.address() as AddressInfo).port, listener, server, clock, turns, preferred };
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

test('a request of HTTP/1.1 without one Host and an expectation that nobody knows are refused in their place', async (t) => {
  const { port } = await serve(t, () => textReply(200, 'ok\n'));
  const good = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
  for (const [bad, status] of [
    ['GET / HTTP/1.1\r\n\r\n', '400'],
    ['GET / HTTP/1.1\r\nhost: x\r\nHost: x\r\n\r\n', '400'],
    ['GET / HTTP/1.1\r\nhost: x y\r\n\r\n', '400'],
    ['GET / HTTP/1.1\r\nhost: x\r\nexpect: 200-ok\r\n\r\n', '417'],
  ] as const) {
    const replies = await exchange(port, good, bad, good);
    assert.deepEqual(replies.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 200', `HTTP/1.1 ${status}`]);
  }
  const old = await exchange(port, 'GET / HTTP/1.0\r\n\r\n');
  assert.match(old, /^HTTP\/1.1 200 /);
});

test('the body of what a proxy brings waits in the lane of its client, though its head waited for nobody', async (t) => {
  const read: Site = async ({ readBody }) => textReply(200, `${(await readBody(4)).length}\n`);
  const { port, turns } = await serve(t, read, { trustedProxies: ['127.0.0.1'] });
  const lanes: string[] = [];
  const { isOpen } = turns;
  t.mock.method(turns, 'isOpen', (lane: string) => lanes.push(lane) > 0 && isOpen(lane));
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.66\r\nContent-Length: 4\r\n\r\n');
  while (!lanes.includes('192.0.2.66')) await new Promise(setImmediate);
  assert.equal(lanes[0], '127.0.0.1');
  lanes.length = 0;
  socket.write('body');
  await once(socket, 'data');
  assert.deepEqual(lanes, ['192.0.2.66']);
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

/** A server whose requests wait to be answered, and a client that pipelines. */
async function serveHeld(t: TestContext, headersTimeoutMs = 1_000) {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const site: Site = ({ rawPath }) => {
    asked.push(rawPath);
    return new Promise((resolve) => answers.push(() => resolve(textReply(200, `answer to ${rawPath}\n`))));
  };
  const served = await serve(t, site, { headersTimeoutMs });
  const client = connect(served.port, '127.0.0.1').on('error', () => {});
  t.after(() => client.destroy());
  let replies = '';
  client.on('data', (data) => {
    replies += String(data);
  });
  const answer = async (count: number) => {
    while (answers.length < count && !client.closed) await nextTurn();
    answers[count - 1]?.();
  };
  /** The status or the text of each answer, when there are so many, or when the socket has been closed. */
  const answersOf = async (count = Number.POSITIVE_INFINITY) => {
    const found = () => replies.match(/HTTP\/1.1 [^2]\d+|answer to \S+/g) ?? [];
    while (found().length < count && !client.closed) await nextTurn();
    return found();
  };
  // A listener would keep Node.js from answering by itself, so a server that has none would pass.
  const { mock } = t.mock.method(served.server, 'emit');
  const countErrors = () => mock.calls.filter(({ arguments: [name] }) => String(name) === 'clientError').length;
  const clientError = async () => {
    while (countErrors() === 0) await nextTurn();
  };
  return { ...served, countErrors, clientError, client, asked, answer, answersOf };
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

const longGet = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(900)}\r\n\r\n`;

test('a head that is held in its middle is not too late, however long the answer before it takes', async (t) => {
  const { clientError, client, answer, answersOf } = await serveHeld(t, 40);
  client.write(longGet('/1') + longGet('/2'));
  await clientError();
  await answer(1);
  await answer(2);
  assert.deepEqual(await answersOf(2), ['answer to /1', 'answer to /2']);
  client.write(longGet('/3'));
  await answer(3);
  assert.deepEqual((await answersOf(3)).at(2), 'answer to /3');
});

test('the rest of a head that was held has the time of a head from the last answer on', async (t) => {
  const { clientError, client, clock, answer, answersOf } = await serveHeld(t, 40);
  client.write(`${longGet('/1')}GET /2 HTTP/1.1\r\n`);
  await clientError();
  await answer(1);
  await answersOf(1);
  while (clock.pending === 0 && !client.closed) await nextTurn();
  clock.advance(39);
  assert.equal(client.closed, false);
  clock.advance(1);
  assert.deepEqual(await answersOf(), ['answer to /1', 'HTTP/1.1 408']);
});

test('an upgrade whose head was held has no limit of time', async (t) => {
  const { clientError, server, client, clock, answer, answersOf } = await serveHeld(t, 40);
  const connected = once(server, 'connection') as Promise<[Socket]>;
  client.write(`${longGet('/1')}GET /2 HTTP/1.1\r\n`);
  const [socket] = await connected;
  await clientError();
  await answer(1);
  await answersOf(1);
  while (clock.pending === 0) await nextTurn();
  client.write('host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  assert.deepEqual(await answersOf(2), ['answer to /1', 'HTTP/1.1 101']);
  clock.advance(40);
  assert.equal(socket.writableEnded, false);
  socket.destroy();
});

test('what cannot be read is refused behind the answers to the requests before it', async (t) => {
  const { clientError, client, asked, answer, answersOf, listener } = await serveHeld(t);
  client.write('GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\nnonsense\r\n\r\n');
  await clientError();
  await answer(1);
  await answer(2);
  assert.deepEqual(await answersOf(), ['answer to /1', 'answer to /2', 'HTTP/1.1 400']);
  assert.deepEqual([asked, listener.inFlight], [['/1', '/2'], 0]);
});

test('nothing more is parsed behind a body that cannot be read, though a request before it is not answered', async (t) => {
  const { countErrors, clientError, client, clock, asked, answer, answersOf } = await serveHeld(t);
  const head = 'POST /2 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';
  client.write(`GET /1 HTTP/1.1\r\nhost: x\r\n\r\n${head}no length\r\n${'x'.repeat(20_000)}`);
  await clientError();
  for (let turn = 0; turn < 50; turn += 1) await nextTurn();
  await answer(1);
  await answer(2);
  while (clock.pending === 0 && !client.closed) await nextTurn();
  clock.advance(1_000);
  assert.deepEqual(await answersOf(), ['answer to /1', 'answer to /2']);
  assert.deepEqual([countErrors(), asked], [1, ['/1', '/2']]);
});

test('a body that cannot be read is refused in its place, and at once', { timeout: 10_000 }, async (t) => {
  let answerFirst = () => {};
  const { port, listener, clock, server } = await serve(t, async ({ rawPath, readBody }) => {
    if (rawPath === '/1') await new Promise<void>((resolve) => (answerFirst = resolve));
    const body = rawPath === '/1' ? 'none' : await Promise.resolve(readBody(10)).catch(({ kind }) => kind);
    return textReply(200, `body of ${rawPath}: ${body}\n`);
  });
  const broken = once(server, 'clientError');
  const head = (path: string) => `POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`;
  const replies = exchange(port, `GET /1 HTTP/1.1\r\nhost: x\r\n\r\n${head('/2')}0\r\n\r\n${head('/3')}no length\r\n`);
  await broken;
  answerFirst();
  // The server goes on reading for a second, so that the client can still receive the reply.
  while (clock.pending === 0) await nextTurn();
  clock.advance(1_000);
  const bodies = (await replies).match(/^body of .*/gm);
  assert.deepEqual(bodies, ['body of /1: none', 'body of /2: ', 'body of /3: malformed']);
  await listener.drain();
});

test('the time to read an answer does not run on for the request behind it, over TLS either', async (t) => {
  const timeouts: unknown[] = [];
  for (const isTls of [false, true]) {
    const sockets: Socket[] = [];
    const site: Site = () => {
      timeouts.push(...sockets.map(({ timeout }) => timeout ?? 0));
      return textReply(200, 'ok\n');
    };
    const { port, server } = await serve(t, site, { isTls });
    server.on(isTls ? 'secureConnection' : 'connection', (socket: Socket) => sockets.push(socket));
    const client = isTls ? connectTls({ port, rejectUnauthorized: false }) : connect(port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2));
    for (let replies = ''; replies.split('200 OK').length < 3; ) replies += (await once(client, 'data'))[0];
    client.destroy();
  }
  assert.deepEqual(timeouts, [0, 0, 0, 0]);
});

test('what cannot be read is refused with the status that Node.js gives it', async (t) => {
  const { port } = await serve(t, async ({ readBody }) => textReply(200, `${(await readBody(10)).length}\n`), {
    headersTimeoutMs: 40,
  });
  for (const [bad, status] of [
    ['nonsense\r\n\r\n', '400 Bad Request'],
    [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`, '431 Request Header Fields Too Large'],
    ['GET / HTTP/1.1\r\n', '408 Request Timeout'],
    ['POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n', '400 Bad Request'],
  ] as const) {
    assert.equal(await exchange(port, bad), `HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
  }
});

test('nothing is carried out behind the last answer of a socket', async (t) => {
  for (const gap of ['', `a: ${'x'.repeat(900)}\r\n`]) {
    const { client, asked, answer, answersOf, listener } = await serveHeld(t);
    client.write([1, 2, 3].map((path) => `POST /${path} HTTP/1.1\r\nhost: x\r\n${gap}\r\n`).join(''));
    while (asked.length === 0) await nextTurn();
    const drained = listener.drain();
    await answer(1);
    assert.deepEqual(await answersOf(), ['answer to /1']);
    await drained;
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    assert.deepEqual(asked, ['/1']);
  }
});

test('nothing is carried out behind an answer after which Node.js closes by itself, however long that takes', async (t) => {
  for (const [header, last] of [
    ['expect: 100-continue', 1],
    ['connection: keep-alive', 2],
  ] as const) {
    const { client, server, asked, answer, answersOf, listener } = await serveHeld(t);
    const [socket] = (await once(server, 'connection')) as [Socket];
    // A client that takes nothing holds up the end of its socket.
    t.mock.method(socket, 'destroySoon', () => {});
    client.write(`POST /1 HTTP/1.1\r\nhost: x\r\n${header}\r\n\r\nPOST /2 HTTP/1.1\r\nhost: x\r\n\r\n`);
    await answer(1);
    await answersOf(1);
    while (listener.inFlight > 0 && asked.length < 2) await nextTurn();
    assert.equal(asked.length, last);
    socket.destroy();
  }
});

test('nothing is carried out behind an answer that says itself that it is the last', async (t) => {
  const asked: string[] = [];
  const { port, server, listener } = await serve(t, ({ rawPath }) => {
    asked.push(rawPath);
    return { status: 426, headers: { upgrade: 'websocket', connection: 'Upgrade, close' }, body: '' };
  });
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const client = connect(port, '127.0.0.1');
  const [socket] = await connected;
  // A client that takes nothing holds up the end of its socket.
  const ended = t.mock.method(socket, 'destroySoon', () => {});
  client.write(['/1', '/2'].map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`).join(''));
  while (ended.mock.callCount() === 0) await nextTurn();
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  assert.deepEqual([asked, listener.inFlight], [['/1'], 0]);
  client.destroy();
});

test('a refused client has as long to read why as any other', async (t) => {
  const { port, server } = await serve(t, () => textReply(200, 'ok\n'));
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const replies = await exchange(port, withHeaders(201));
  assert.match(replies, /^HTTP\/1.1 431 /);
  const [socket] = await connected;
  assert.equal(socket.timeout, 2_000);
});

test('what a caller with a verified signature sends next, and sends anew, does not wait for all strangers', async (t) => {
  const { port, preferred } = await serve(t, ({ rawPath, callerIsKnown }) => {
    if (rawPath === '/known') callerIsKnown();
    return textReply(200, 'ok\n');
  });
  for (const path of ['/stranger', '/known', '/known']) {
    const authorization = 'AWS4-HMAC-SHA256 Credential=KEY/20260102/';
    await exchange(
      port,
      `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\nconnection: close\r\n\r\n`,
    );
  }
  assert.deepEqual(preferred(), ['127.0.0.1 KEY', '127.0.0.1', 'handshakes of 127.0.0.1']);
});

for (const [how, trustedProxies, forwarded, waits] of [
  ['directly does not wait for others of its address', [], '', false],
  ['through a trusted proxy does not wait for other clients', ['127.0.0.1'], 'x-forwarded-for: 192.0.2.1\r\n', false],
  ['through a proxy that is not trusted waits with what else that brings', [], 'via: 1.1 proxy\r\n', true],
] as const) {
  test(`what comes on the socket of a caller with a verified signature ${how}`, async (t) => {
    const options = { trustedProxies: [...trustedProxies] };
    const { port, turns } = await serve(
      t,
      ({ callerIsKnown }) => {
        callerIsKnown();
        return textReply(200, 'ok\n');
      },
      options,
    );
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    const ask = async () => {
      socket.write(`GET / HTTP/1.1\r\nhost: x\r\n${forwarded}authorization: Credential=KEY/20260102/\r\n\r\n`);
      await once(socket, 'data');
    };
    await ask();
    let done = 0;
    for (let piece = 0; piece < 10_000; piece += 1) {
      turns.wait('127.0.0.1', () => {
        done += 1;
      });
    }
    await ask();
    assert.equal(done === 10_000, waits, `${done} pieces of others were done before`);
  });
}
