import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { firstClosed, startTcpServer, startWebServer } from '../../test/support/outside.ts';
import { tlsFiles } from '../../test/support/tls-files.ts';
import { createExchanges } from './exchanges.ts';
import type { HttpRequest } from './http-exchange.ts';
import type { KeptConnections } from './kept-connections.ts';

const KEPT: KeptConnections = { maxPerHost: 8, maxPerScheme: 16, maxIdle: 2, maxIdleMs: 60_000 };

function open(t: TestContext, kept?: KeptConnections) {
  const exchanges = createExchanges({ purpose: 'tests', warn() {}, ...(kept !== undefined && { kept }) });
  t.after(() => exchanges.close());
  const ask = (url: string, change: Partial<HttpRequest> = {}) =>
    exchanges.exchange(
      { url, method: 'GET', headers: {}, body: undefined, ...change },
      { signal: AbortSignal.timeout(10_000), maxBytes: 65_536 },
    );
  return { exchanges, ask };
}

test('an exchange goes on while the server’s own thread is busy', async (t) => {
  const { ask } = open(t);
  // A server that answers without the thread of this test, and says when it has.
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const source = `
    const { createServer } = require('node:http');
    const { parentPort, workerData: answered } = require('node:worker_threads');
    const server = createServer((request, response) => response.end('x', () => {
      Atomics.add(answered, 0, 1);
      Atomics.notify(answered, 0);
    }));
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  `;
  const server = new Worker(source, { eval: true, workerData: answered });
  t.after(() => server.terminate());
  const port = await new Promise<number>((resolve) => server.once('message', resolve));
  await ask(`http://127.0.0.1:${port}/`);
  const reply = ask(`http://127.0.0.1:${port}/`);
  assert.notEqual(Atomics.wait(answered, 0, 1, 10_000), 'timed-out');
  assert.equal((await reply).status, 200);
});

test('an answer in too many pieces is cut off, and one in many is not', async (t) => {
  const { ask } = open(t);
  const answerIn = async (pieces: number) => {
    const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
    const { url } = await startTcpServer(t, (socket) => socket.write(`${head}${'1\r\na\r\n'.repeat(pieces)}0\r\n\r\n`));
    return await ask(url);
  };
  assert.equal((await answerIn(1_280)).body.length, 1_280);
  for (const pieces of [1_281, 8_000]) await assert.rejects(answerIn(pieces), { code: 'too_large' }, `${pieces}`);
  await assert.rejects(answerIn(40_000), {
    name: 'OutsideFault',
    code: 'too_large',
    message: /in more than 1280 pieces$/,
  });
});

test('of a reply whose status counts, no more than that and the wanted headers comes out of the thread', async (t) => {
  const { ask } = open(t);
  const many = Object.fromEntries(Array.from({ length: 900 }, (_, at) => [`x${at}`, '']));
  const { url } = await startWebServer(t, (response) => {
    response.writeHead(503, { ...many, 'retry-after': '5' }).end('a'.repeat(60_000));
  });
  const whole = await ask(url);
  assert.ok(Object.keys(whole.headers).length > 900);
  assert.equal(whole.body.length, 60_000);
  const { status, headers, body } = await ask(url, { onlyHeaders: ['retry-after', 'etag'] });
  assert.deepEqual({ status, headers, bytes: body.length }, { status: 503, headers: { 'retry-after': '5' }, bytes: 0 });
});

test('certificates that take long to check are not looked at', async (t) => {
  const { ask } = open(t);
  const { certFile, keyFile } = tlsFiles('first');
  const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile)];
  const askWith = async (certificates: number) => {
    const { port } = await startWebServer(
      t,
      (response) => response.end(),
      (listener) => createTlsServer({ cert: cert.repeat(certificates), key }, listener),
    );
    return await ask(`https://127.0.0.1:${port}/`);
  };
  await assert.rejects(askWith(2), {
    code: 'failed',
    message: /could not be trusted over TLS \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/,
  });
  await assert.rejects(askWith(60), { code: 'failed', message: 'its handshake takes more than 24576 bytes' });
});

test('a connection that fails at once is a failure like any other', async (t) => {
  const { ask } = open(t);
  // The system refuses to connect to the broadcast address.
  const addresses = [{ address: '255.255.255.255', family: 4 }];
  for (const url of ['http://everybody.example/', 'https://everybody.example/']) {
    await assert.rejects(ask(url, { addresses }), { name: 'OutsideFault', code: 'unavailable' }, url);
  }
});

/** A server that ends no connection by itself. */
async function startPatientServer(t: TestContext) {
  const started = await startWebServer(t, (response) => response.end());
  started.server.keepAliveTimeout = 0;
  return started;
}

test('connections that are kept have a bound in all', async (t) => {
  const { ask } = open(t, KEPT);
  const servers = await Promise.all([1, 2, 3].map(() => startPatientServer(t)));
  for (const { url } of servers) assert.equal((await ask(url)).status, 200);
  await firstClosed(servers[2]?.sockets ?? []);
  for (const { url, sockets } of servers.slice(0, 2)) {
    assert.equal((await ask(url)).status, 200);
    assert.equal(sockets.length, 1, 'it was kept');
  }
});

test('a connection that is kept ends when its time is over, or when the other end says something', {
  timeout: 20_000,
}, async (t) => {
  const chatty = open(t, KEPT);
  const { url, sockets } = await startPatientServer(t);
  await chatty.ask(url);
  // It is sent later than the answer, of which it would be a part otherwise.
  setTimeout(() => sockets[0]?.write('x'), 50);
  await firstClosed(sockets);

  const old = open(t, { ...KEPT, maxIdleMs: 100 });
  const other = await startPatientServer(t);
  await old.ask(other.url);
  await firstClosed(other.sockets);
});

test('closing ends what is under way, and all later exchanges', async (t) => {
  const { exchanges, ask } = open(t);
  const { url, sockets } = await startTcpServer(t, () => {});
  const refused = assert.rejects(ask(url), { code: 'unavailable', message: 'the server is stopping' });
  while (sockets.length === 0) await new Promise(setImmediate);
  await exchanges.close();
  await refused;
  await assert.rejects(ask(url), { code: 'unavailable' });
});

for (const [how, source, why] of [
  ['fails', 'throw new Error("out of luck")', /^out of luck$/],
  ['ends', 'process.exit(3)', /ended with code 3$/],
] as const) {
  test(`a thread that ${how} breaks its requests off, and a warning says so`, async () => {
    const warned: [key: string, facts: { err: Error; requests: number }, message: string][] = [];
    const exchanges = createExchanges({
      purpose: 'tests',
      warn: (key, facts, message) => warned.push([key, facts as never, message]),
      thread: new URL(`data:text/javascript,${encodeURIComponent(source)}`),
    });
    const request = { url: 'http://127.0.0.1/', method: 'GET', headers: {}, body: undefined };
    const limits = { signal: AbortSignal.timeout(10_000), maxBytes: 1_000 };
    for (let round = 1; round <= 2; round += 1) {
      const asked = [1, 2].map(() => exchanges.exchange(request, limits));
      for (const each of asked) await assert.rejects(each, { name: 'OutsideFault', code: 'unavailable' });
      assert.equal(warned.length, round, 'each thread is named once');
    }
    const [key, { err, requests }, message] = warned[0] ?? assert.fail();
    assert.deepEqual([key, requests], ['tests', 2]);
    assert.match(err.message, why);
    assert.equal(message, 'a thread for requests to the outside ended, and broke its requests off');
    await exchanges.close();
    assert.equal(warned.length, 2);
  });
}

test('a request that is given up leaves no connection behind', async (t) => {
  const { exchanges } = open(t);
  const { url, sockets } = await startTcpServer(t, () => {});
  const controller = new AbortController();
  const request = { url, method: 'GET', headers: {}, body: undefined };
  const refused = assert.rejects(
    exchanges.exchange(request, { signal: controller.signal, maxBytes: 1_000 }),
    /no longer wanted/,
  );
  while (sockets.length === 0) await new Promise(setImmediate);
  controller.abort(new Error('no longer wanted'));
  await refused;
  await firstClosed(sockets);
  const { port } = await startWebServer(t, (response) => response.end('x'));
  const later = { ...request, url: `http://127.0.0.1:${port}/` };
  const reply = await exchanges.exchange(later, { signal: AbortSignal.timeout(10_000), maxBytes: 1_000 });
  assert.equal(reply.status, 200);
});
