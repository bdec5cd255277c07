import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientRequest, createServer, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { ServiceError } from '../errors.ts';
import { createTurns } from '../turns.ts';
import { createClientAddress } from './client-address.ts';
import { BodyError, type HttpReply, type HttpRequest, type Site, textReply } from './exchange.ts';
import { createHttpListener } from './listener.ts';
import { createHeadReader } from './request-head.ts';

const readFromAnywhere = createHeadReader({
  clientAddress: createClientAddress({ trustedProxies: ['127.0.0.1'], warn() {} }),
});

/** A real server in front of these sites. */
async function serve(t: TestContext, sites: readonly Site[], readHead = readFromAnywhere) {
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const settings = {
    headersTimeoutMs: 1_000,
    requestTimeoutMs: 2_000,
    keepAliveTimeoutMs: 3_000,
    maxBodyBytes: 4,
    longBodyMemoryBytes: 6,
  };
  const listener = createHttpListener({ sites, readHead, turns: createTurns({ clock }), settings, clock, log });
  const server = createServer();
  listener.attach(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const send = (options: RequestOptions): ClientRequest => request({ host: '127.0.0.1', port, ...options });
  return { server, port, send, listener, clock, lines };
}

function getOf(number: number, connection = 'keep-alive'): string {
  return `GET /${number} HTTP/1.1\r\nhost: x\r\nconnection: ${connection}\r\n\r\n`;
}

const echo = async ({ readBody }: HttpRequest): Promise<string> => (await readBody(10)).toString();

/**
 * A real server in front of one site, which answers everything. By default it echoes the body, of at most ten bytes.
 */
async function open(t: TestContext, answer = echo) {
  const seen: HttpRequest[] = [];
  const site: Site = async (httpRequest) => {
    seen.push(httpRequest);
    try {
      return { status: 200, headers: { 'x-site': 'the only one' }, body: await answer(httpRequest) };
    } catch (error) {
      return explain(error);
    }
  };
  return { ...(await serve(t, [site])), seen };
}

function explain(error: unknown): HttpReply {
  if (error instanceof BodyError)
    return textReply({ too_large: 413, incomplete: 408, malformed: 400 }[error.kind], error.message);
  if (!(error instanceof ServiceError)) throw error;
  return { status: 429, headers: { 'retry-after': `${(error.retryAfterMs ?? 0) / 1_000}` }, body: error.code };
}

async function answerTo(sent: ClientRequest): Promise<{ response: IncomingMessage; text: string }> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { response, text: Buffer.concat(chunks).toString() };
}

/** Sends the parts over one connection, and returns everything that comes back. */
async function exchange(port: number, ...parts: string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  for (const part of parts) socket.write(part);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('a request reaches its site as it came over the wire', async (t) => {
  const { send, seen } = await open(t);
  const headers = { 'X-Test': ['a', 'b'], 'x-forwarded-for': '198.51.100.9', 'x-forwarded-proto': 'https' };
  const sent = send({ method: 'POST', path: '/game/%2F//x?a=%20+&a=b?c', headers });
  sent.end('hello');
  const { response, text } = await answerTo(sent);
  assert.deepEqual([response.statusCode, text], [200, 'hello']);
  assert.equal(response.headers['x-site'], 'the only one');
  const [{ method, rawPath, rawQuery, remoteAddress, isSecure, headers: received } = {} as HttpRequest] = seen;
  assert.deepEqual([method, rawPath, rawQuery], ['POST', '/game/%2F//x', 'a=%20+&a=b?c']);
  assert.deepEqual([remoteAddress, isSecure], ['198.51.100.9', true]);
  assert.deepEqual(received.get('x-test'), ['a', 'b']);
});

test('a HEAD is answered with the length of the body, but not with the body', async (t) => {
  const { send } = await open(t, async () => 'hello');
  const { response, text } = await answerTo(send({ path: '/x', method: 'HEAD' }).end());
  assert.deepEqual([response.statusCode, response.headers['content-length'], text], [200, '5', '']);
});

test('sites are asked in order, with the whole request, until one of them answers', async (t) => {
  const asked: unknown[] = [];
  const stranger: Site = async ({ method, rawPath }) => void asked.push([method, rawPath]);
  const console: Site = async ({ rawPath, headers, readBody }) => {
    if (rawPath !== '/console') return undefined;
    const [cookie] = headers.get('cookie') ?? [];
    return { status: 303, headers: { 'set-cookie': `${cookie}2` }, body: `${await readBody(10)}!` };
  };
  const api: Site = async (httpRequest) => textReply(200, await echo(httpRequest));
  const { send } = await serve(t, [stranger, console, api, stranger]);
  const ask = (method: string, path: string) =>
    answerTo(send({ method, path, headers: { cookie: 'a=1' } }).end('hello'));
  const login = await ask('POST', '/console');
  assert.deepEqual(
    [login.response.statusCode, login.response.headers['set-cookie'], login.text],
    [303, ['a=12'], 'hello!'],
  );
  assert.equal((await ask('PUT', '/game')).text, 'hello');
  assert.deepEqual(asked, [
    ['POST', '/console'],
    ['PUT', '/game'],
  ]);
});

test('a body over the limit is refused as soon as that is known, and the client receives the reason', async (t) => {
  const { send } = await open(t);
  const declared = send({ method: 'POST', path: '/x', headers: { 'content-length': 4_000_000 } });
  declared.on('error', () => {});
  declared.write('x'.repeat(4_000_000));
  const { response } = await answerTo(declared);
  assert.deepEqual([response.statusCode, response.headers.connection], [413, 'close']);
  const chunked = send({ method: 'POST', path: '/x' });
  chunked.on('error', () => {});
  chunked.write('x'.repeat(11));
  assert.equal((await answerTo(chunked)).response.statusCode, 413);
});

test('a long body for which there is no memory may be tried again, and short bodies still get in', async (t) => {
  let answerLong = (_: string): void => {};
  const { send, seen } = await open(t, async ({ rawPath, readBody }) => {
    await readBody(10);
    return rawPath === '/long' ? await new Promise((resolve) => (answerLong = resolve)) : 'read';
  });
  const statusOf = async (path: string, body: string) => {
    const sent = send({ method: 'POST', path });
    sent.end(body);
    const { response } = await answerTo(sent);
    return [response.statusCode, response.headers['retry-after']];
  };
  const long = statusOf('/long', 'x'.repeat(10));
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await statusOf('/x', 'x'.repeat(4)), [200, undefined]);
  assert.deepEqual(await statusOf('/x', 'x'.repeat(5)), [429, '1']);
  answerLong('read');
  assert.deepEqual(await long, [200, undefined]);
  assert.deepEqual(await statusOf('/x', 'x'.repeat(10)), [200, undefined]);
});

test('the memory of a long body is free again however its site ends', async (t) => {
  const site: Site = async ({ rawPath, readBody }) => {
    await readBody(10);
    if (rawPath === '/fail') throw new Error('impossible');
    return rawPath === '/pass' ? undefined : textReply(200, 'read');
  };
  const { send } = await serve(t, [site]);
  const post = (path: string) => answerTo(send({ method: 'POST', path }).end('x'.repeat(10)));
  for (let turn = 0; turn < 2; turn += 1) {
    await assert.rejects(post('/fail'), /socket hang up/);
    assert.equal((await post('/pass')).response.statusCode, 404);
    assert.equal((await post('/answer')).response.statusCode, 200);
  }
});

test('the rest of a refused body is read for at most a second', async (t) => {
  const { port, clock, listener } = await open(t);
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write('POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n');
  await once(socket, 'data');
  assert.equal(listener.inFlight, 1);
  clock.advance(1_000);
  await once(socket, 'end');
  socket.end();
  await listener.drain();
  assert.equal(clock.pending, 0);
});

test('a client that waits to be asked for its body is asked only when a site wants it', async (t) => {
  const { port } = await open(t);
  const head = 'POST /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\n';
  const wanted = await exchange(port, `${head}content-length: 5\r\n\r\n`, 'hello');
  assert.match(wanted, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
  assert.equal(wanted.split('100 Continue').length, 2);
  assert.match(await exchange(port, `${head}content-length: 11\r\n\r\n`), /^HTTP\/1\.1 413 /);
  // A client of HTTP/1.0 would take the question for its answer.
  assert.match(await exchange(port, `${head.replace('1.1', '1.0')}content-length: 5\r\n\r\nhello`), /^\S+ 200 OK/);
});

test('a body that does not come in time is refused', async (t) => {
  const { port, clock, seen } = await open(t, async (httpRequest) => {
    const body = httpRequest.readBody(10);
    clock.advance(2_000);
    return String((await body).length);
  });
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write('POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhe');
  const [reply] = await once(socket, 'data');
  assert.match(String(reply), /^HTTP\/1\.1 408 .*The whole body must arrive within 2000 ms$/s);
  assert.equal(seen.length, 1);
});

test('a client that goes away in the middle leaves nothing behind', async (t) => {
  let isReading = () => {};
  const reading = new Promise<void>((resolve) => {
    isReading = resolve;
  });
  const { port, clock, listener, lines } = await open(t, async (httpRequest) => {
    const body = httpRequest.readBody(10);
    isReading();
    return String((await body).length);
  });
  const socket = connect(port, '127.0.0.1');
  socket.write('POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhe');
  await reading;
  socket.destroy();
  await listener.drain();
  assert.deepEqual([listener.inFlight, clock.pending, lines], [0, 0, []]);
});

test('requests of one connection are served one after the other, and other clients get their turn between them', async (t) => {
  const order: string[] = [];
  const { port, send } = await open(t, async ({ rawPath }) => {
    order.push(rawPath);
    await new Promise(setImmediate);
    if (rawPath === '/1') send({ path: '/other' }).end();
    order.push(`${rawPath} answered`);
    return 'done';
  });
  const replies = await exchange(port, [1, 2, 3].map((number) => getOf(number)).join('') + getOf(4, 'close'));
  assert.equal(replies.match(/HTTP\/1\.1 200/g)?.length, 4);
  const own = order.filter((what) => !what.startsWith('/other'));
  assert.deepEqual(
    own,
    [1, 2, 3, 4].flatMap((number) => [`/${number}`, `/${number} answered`]),
  );
});

test('a connection is kept for the next request', async (t) => {
  const { port, seen } = await open(t);
  const get = 'GET /x HTTP/1.1\r\nhost: x\r\n\r\n';
  const last = 'GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
  const replies = await exchange(port, get, get, last);
  assert.equal(replies.match(/HTTP\/1\.1 200/g)?.length, 3);
  assert.equal(seen.length, 3);
});

test('draining waits for the requests in flight and closes their connections', async (t) => {
  let finish = () => {};
  let isStarted = () => {};
  const started = new Promise<void>((resolve) => {
    isStarted = resolve;
  });
  const held = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const { send, listener } = await open(t, async () => {
    isStarted();
    await held;
    return 'done';
  });
  const sent = send({ path: '/x', agent: false, headers: { connection: 'keep-alive' } });
  sent.end();
  await started;
  assert.equal(listener.inFlight, 1);
  let isDrained = false;
  const drained = listener.drain().then(() => {
    isDrained = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isDrained, false);
  finish();
  const { response, text } = await answerTo(sent);
  assert.deepEqual([text, response.headers.connection], ['done', 'close']);
  await drained;
  assert.equal(listener.inFlight, 0);
});

/** Sends the requests at once and reads nothing. `read` then reads to the end, and returns the number of bytes. */
async function askAndWait(t: TestContext, port: number, requests: string) {
  const socket = connect({ port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  socket.on('error', () => {}).pause();
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  socket.write(requests);
  const read = async () => {
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    socket.resume();
    await closed;
    return bytes;
  };
  return { read };
}

const LONG = 'x'.repeat(16_000_000);

test('a stop waits until a long reply has left, however slowly it is read', async (t) => {
  const { port, server, listener, seen } = await open(t, async () => LONG);
  const client = await askAndWait(t, port, 'GET /x HTTP/1.1\r\nhost: x\r\n\r\n');
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const drained = listener.drain();
  server.closeIdleConnections();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(listener.inFlight, 1);
  assert.ok((await client.read()) > LONG.length);
  await drained;
});

test('replies that the client does not read are dropped after a while', async (t) => {
  const { port, listener } = await open(t, async () => LONG);
  const client = await askAndWait(t, port, getOf(1).repeat(4));
  while (listener.inFlight < 4) await new Promise((resolve) => setImmediate(resolve));
  while (listener.inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok((await client.read()) < 4 * LONG.length);
});

test('short replies that the client does not read are dropped after a while too', { timeout: 20_000 }, async (t) => {
  const { port, server } = await open(t, async () => 'x'.repeat(16_000));
  const client = connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.on('error', () => {}).pause();
  const [socket] = (await once(server, 'connection')) as [Socket];
  for (let asked = 1; !socket.destroyed; asked += 1) {
    assert(asked < 5_000, 'the server keeps all that is not read');
    const answered = new Promise((resolve) => {
      server.once('request', (_request, response) => response.once('close', resolve));
    });
    client.write(getOf(asked));
    await answered;
  }
});

test('sites may answer at once, or leave a request to the next at once', async (t) => {
  const stranger: Site = () => undefined;
  const echoing: Site = async (httpRequest) =>
    httpRequest.rawPath === '/echo' ? textReply(200, await echo(httpRequest)) : undefined;
  const { send, port } = await serve(t, [stranger, echoing, stranger, ({ rawPath }) => textReply(200, rawPath)]);
  assert.equal((await answerTo(send({ path: '/echo', method: 'POST' }).end('hello'))).text, 'hello');
  assert.equal((await answerTo(send({ path: '/x' }).end())).text, '/x');
  const replies = await exchange(port, getOf(1), getOf(2) + getOf(3), getOf(4, 'close'));
  assert.deepEqual(replies.match(/^\/\d/gm), ['/1', '/2', '/3', '/4']);
});

test('a site that fails costs its own client the connection, and no other client anything', async (t) => {
  const fail = () => {
    throw new Error('impossible');
  };
  for (const site of [fail, async () => fail()]) {
    const { send, lines, listener } = await serve(t, [site]);
    await assert.rejects(once(send({ path: '/x' }).end(), 'response'), /socket hang up/);
    await listener.drain();
    const logged = lines.map(({ level, msg }) => [level, msg]);
    assert.deepEqual(logged, [[50, 'request could not be answered']]);
  }
});

test('a request that no site answers is not found, whatever it asks and whether or not it has a body', async (t) => {
  const { port, listener } = await serve(t, [async () => undefined]);
  const head = 'HTTP/1.1\r\nhost: x\r\nconnection: close\r\n';
  for (const asked of [`GET /game ${head}\r\n`, `POST / ${head}content-length: 5\r\n\r\nhello`]) {
    const answer = await exchange(port, asked);
    assert.match(answer, /^HTTP\/1\.1 404 Not Found\r\n.*content-type: text\/plain.*\r\n\r\nthere is nothing here\n$/s);
  }
  assert.equal(listener.inFlight, 0);
});

test('a request whose peer has no address is for no site, and its socket is destroyed', async (t) => {
  const asked: unknown[] = [];
  const readHead = createHeadReader({ clientAddress: () => undefined });
  const { port, listener } = await serve(t, [async (httpRequest) => void asked.push(httpRequest)], readHead);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}).write('GET /x HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'close');
  assert.deepEqual([asked, listener.inFlight], [[], 0]);
});

test('the server has the time limits of the settings', async (t) => {
  const { server } = await open(t);
  assert.deepEqual([server.headersTimeout, server.requestTimeout, server.keepAliveTimeout], [1_000, 3_000, 3_000]);
});
