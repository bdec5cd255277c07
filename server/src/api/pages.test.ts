import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rest } from '../../test/support/gateway.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { ServiceError } from '../errors.ts';
import { type HttpRequest, textReply } from '../http/exchange.ts';
import { createSystemRandom } from '../random.ts';
import {
  createManagementPages,
  createObservationPages,
  createPlayerProbes,
  optionsOfServer,
  playerPages,
} from './pages.ts';

const EXPORT = { fileName: 'Demo-Snapshot_1:2"\r\n.json', contentType: 'application/json', body: Buffer.from('{}') };
const LOCAL = '127.0.0.1';
const REMOTE = '192.0.2.7';
const PAGES = ['/', '/healthz', '/readyz', '/metrics', '/connect', '/download/t/f.json', '/download/t/busy.json'];

function requestFor(rawPath: string, given: Partial<HttpRequest> = {}): HttpRequest {
  const readBody = () => Promise.reject(new Error('a page reads no body'));
  return {
    ...{ method: 'GET', rawPath, rawQuery: '', headers: new Map() },
    ...{
      remoteAddress: LOCAL,
      peerAddress: LOCAL,
      isSecure: false,
      isForwarded: false,
      mayBeProxied: false,
      callerIsKnown() {},
      readBody,
    },
    ...given,
  };
}

function openPages({ hasMetricsElsewhere = false, hasPlayers = true, pagesPerSecondPerAddress = 1_000 } = {}) {
  const causes: string[] = [];
  const clock = new ManualClock();
  const observe = createObservationPages({
    renderMetrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'm 1\n' }),
    notReadyCauses: async () => causes,
    clock,
  });
  const downloads = {
    async open(rawPath: string) {
      if (rawPath === '/download/t/busy.json')
        throw new ServiceError('throttled', 'too often', { retryAfterMs: 1_001 });
      if (rawPath === '/download/t/broken.json') throw new ServiceError('internal', 'the store is away');
      return rawPath === '/download/t/f.json' ? EXPORT : undefined;
    },
  };
  const manage = createManagementPages({
    ...{ observe, downloads, hasMetricsElsewhere, hasPlayers },
    console: { isPath: (rawPath) => rawPath === '/console/', serve: async () => textReply(200, 'the console\n') },
    settings: { pagesPerSecondPerAddress },
    clock,
    random: createSystemRandom(),
  });
  return {
    clock,
    causes,
    observe,
    manage,
    get: (rawPath: string, remoteAddress = LOCAL) => manage(requestFor(rawPath, { remoteAddress })),
  };
}

test('an address gets so many pages a second, whatever pages they are', async () => {
  const { get, clock } = openPages({ pagesPerSecondPerAddress: PAGES.length });
  const tooMany = 'this address asks for too many pages\n';
  for (const rawPath of PAGES) assert.notEqual((await get(rawPath, REMOTE))?.body, tooMany);
  for (const rawPath of PAGES) {
    const reply = await get(rawPath, REMOTE);
    assert.deepEqual([reply?.status, reply?.headers['retry-after']], [429, '1']);
    assert.equal(reply?.body, tooMany);
  }
  assert.equal((await get('/healthz', '192.0.2.8'))?.status, 200);
  clock.advance(1_000 / PAGES.length + 1);
  assert.equal((await get('/healthz', REMOTE))?.status, 200);
  assert.equal((await get('/healthz', REMOTE))?.status, 429);
});

test('/healthz answers as long as the process does, and /readyz says why it should get no traffic', async () => {
  const { get, causes } = openPages();
  const ready = await get('/readyz', REMOTE);
  assert.deepEqual([ready?.status, ready?.body, ready?.headers['cache-control']], [200, 'ready\n', 'no-store']);
  causes.push('draining', 'store');
  const { status, body } = (await get('/readyz', REMOTE)) ?? {};
  assert.deepEqual([status, body], [503, 'not ready: draining, store\n']);
  assert.equal((await get('/healthz', REMOTE))?.status, 200);
});

test('however many ask at once whether the node is ready, it looks twice at most', async () => {
  const clock = new ManualClock();
  let looks = 0;
  const observe = createObservationPages({
    renderMetrics: async () => ({ contentType: 'text/plain', text: '' }),
    async notReadyCauses() {
      looks += 1;
      return looks === 1 ? [] : ['draining'];
    },
    clock,
  });
  const asked = Array.from({ length: 100 }, () => observe(requestFor('/readyz')));
  assert.equal((await asked[0])?.status, 200);
  await rest();
  clock.advance(50);
  assert.deepEqual([...new Set((await Promise.all(asked.slice(1))).map((reply) => reply?.status))], [503]);
  assert.equal(looks, 2);
});

test('the management listener gives metrics to this machine only', async () => {
  const { get } = openPages();
  for (const address of [LOCAL, '127.8.9.1', '::1']) {
    const { status, body, headers } = (await get('/metrics', address)) ?? {};
    assert.deepEqual([status, body, headers?.['content-type']], [200, 'm 1\n', 'text/plain; version=0.0.4']);
  }
  for (const address of [REMOTE, '2001:db8::1', '10.0.0.1', '1127.0.0.1', '::2', '']) {
    const { status, body } = (await get('/metrics', address)) ?? {};
    assert.equal(status, 403, address);
    assert.match(String(body), /RESPARK_METRICS_PORT/);
  }
});

test('a client whose address is not known gets no metrics, and every page that is for all', async () => {
  const { manage } = openPages();
  const read = (path: string) => manage(requestFor(path, { remoteAddress: undefined }));
  const { status, body } = (await read('/metrics')) ?? {};
  assert.equal(status, 403);
  assert.match(String(body), /no address in X-Forwarded-For; set RESPARK_METRICS_PORT/);
  for (const path of ['/', '/healthz', '/readyz', '/download/t/f.json']) {
    assert.equal((await read(path))?.status, 200, path);
  }
});

test('metrics are refused to a proxy of this machine that is not trusted, and other pages are not', async () => {
  const { manage } = openPages();
  const read = (path: string) => manage(requestFor(path, { mayBeProxied: true }));
  const { status, body } = (await read('/metrics')) ?? {};
  assert.equal(status, 403);
  assert.match(String(body), /add it to RESPARK_TRUSTED_PROXIES/);
  assert.equal((await read('/healthz'))?.status, 200);
});

test('metrics that have a listener of their own are served nowhere else', async () => {
  const { get, observe } = openPages({ hasMetricsElsewhere: true });
  assert.equal((await get('/metrics'))?.status, 404);
  assert.equal((await get('/readyz'))?.status, 200);
  assert.equal((await observe(requestFor('/metrics', { remoteAddress: REMOTE })))?.status, 200);
});

test('paths of the API are not pages, and the players’ path is one only where players connect', async () => {
  for (const path of ['/game', '/metrics/', '/metrics/x', '/Metrics', '//healthz']) {
    assert.equal(await openPages().get(path), undefined, path);
  }
  assert.equal((await openPages().get('/connect'))?.status, 426);
  assert.equal(await openPages({ hasPlayers: false }).get('/connect'), undefined);
});

test('the management listener has pages for GET and HEAD, and gives each reply an id of its own', async () => {
  const { manage } = openPages();
  const ids = new Set<string>();
  for (const path of PAGES) {
    for (const method of ['GET', 'HEAD']) {
      const id = (await manage(requestFor(path, { method })))?.headers['x-amzn-requestid'];
      assert.match(id ?? '', /^[0-9a-f-]{36}$/, `${method} ${path}`);
      ids.add(id ?? '');
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'get', '']) {
      const { status, headers } = (await manage(requestFor(path, { method }))) ?? {};
      assert.deepEqual([status, headers?.allow], [405, 'GET, HEAD, OPTIONS'], `${method} ${path}`);
      assert.equal(headers?.['x-amzn-errortype'], 'UnknownOperationException');
    }
  }
  assert.equal(ids.size, 2 * PAGES.length);
});

test('OPTIONS of a page or of the server says what is allowed, and gives nothing else away', async () => {
  const { manage, observe, causes } = openPages();
  for (const path of [...PAGES, '*']) {
    const { status, headers, body } =
      (await manage(requestFor(path, { method: 'OPTIONS', remoteAddress: REMOTE }))) ?? {};
    assert.deepEqual([status, headers?.allow, body], [200, 'GET, HEAD, OPTIONS', ''], path);
  }
  for (const path of ['/', '*']) {
    assert.equal((await optionsOfServer(requestFor(path, { method: 'OPTIONS' })))?.status, 200, path);
    assert.equal(await optionsOfServer(requestFor(path)), undefined);
  }
  assert.equal(await manage(requestFor('/game', { method: 'OPTIONS' })), undefined);
  // A probe may go by the status alone.
  causes.push('draining');
  for (const site of [manage, observe]) {
    assert.equal((await site(requestFor('/readyz', { method: 'OPTIONS' })))?.status, 503);
  }
});

test('metrics are read under a name of this machine, so that no web page can lead its own name here', async () => {
  const { manage } = openPages();
  const read = async (...host: string[]) =>
    await manage(requestFor('/metrics', { headers: new Map([['host', host]]) }));
  for (const host of [
    '127.0.0.1:8080',
    'localhost',
    'LOCALHOST:8080',
    '[::1]:8080',
    '127.8.9.1',
    '[::ffff:127.0.0.1]',
  ]) {
    assert.equal((await read(host))?.status, 200, host);
  }
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '192.0.2.1',
    '',
    'a b',
    '[::2]',
  ]) {
    const { status, body } = (await read(host)) ?? {};
    assert.equal(status, 403, host);
    assert.match(String(body), /read them at 127\.0\.0\.1 or localhost/);
  }
  assert.equal((await read('localhost', 'evil.example'))?.status, 403);
  assert.equal((await read('localhost', 'localhost'))?.status, 403);
});

test('a probe may use any method where only observation is served', async () => {
  const { observe } = openPages();
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST']) {
    assert.equal((await observe(requestFor('/healthz', { method })))?.status, 200, method);
    assert.equal(await observe(requestFor('/game', { method })), undefined, method);
  }
});

test('the players’ own listener tells clients of the API, whatever they call, that the port is wrong', async () => {
  for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) {
    const upgrade = await playerPages(requestFor('/connect', { method }));
    assert.deepEqual([upgrade?.status, upgrade?.headers.connection], [426, 'Upgrade, close'], method);
    const misplaced = await playerPages(requestFor('/game', { method }));
    assert.deepEqual([misplaced?.status, misplaced?.headers.connection], [404, 'close'], method);
    assert.equal(misplaced?.headers['x-amzn-errortype'], 'UnknownOperationException', method);
  }
});

test('load balancers ask the players’ own listener whether it should get players', async () => {
  const { observe, clock, causes } = openPages();
  causes.push('draining');
  const probes = createPlayerProbes({ observe, clock, settings: { pagesPerSecondPerAddress: 4 } });
  for (const [path, method, status] of [
    ['/readyz', 'GET', 503],
    ['/readyz', 'HEAD', 503],
    ['/readyz', 'OPTIONS', 503],
    ['/healthz', 'GET', 200],
    ['/healthz', 'GET', 429],
    ['/metrics', 'GET', undefined],
  ] as const) {
    assert.equal((await probes(requestFor(path, { method })))?.status, status, `${method} ${path}`);
  }
});

test('OPTIONS of the players’ path on their own listener says what is allowed', async () => {
  const { status, headers } = (await playerPages(requestFor('/connect', { method: 'OPTIONS' }))) ?? {};
  assert.deepEqual([status, headers?.allow], [200, 'GET, HEAD, OPTIONS']);
});

test('the root is a page for people that loads nothing from anywhere', async () => {
  const { status, headers, body } = (await openPages().get('/', REMOTE)) ?? {};
  assert.equal(status, 200);
  assert.match(String(body), /Respark is running/);
  assert.doesNotMatch(String(body), /https?:|<script|<link|<img/);
  assert.match(headers?.['content-security-policy'] ?? '', /^default-src 'none'/);
  assert.equal(headers?.['x-content-type-options'], 'nosniff');
});

test('a signed URL gives its file to every client, and lets no cache keep it', async () => {
  const { get } = openPages();
  const {
    status,
    headers: { 'x-amzn-requestid': _, ...headers } = {},
    body,
  } = (await get('/download/t/f.json', REMOTE)) ?? {};
  assert.deepEqual([status, body], [200, EXPORT.body]);
  assert.deepEqual(headers, {
    'content-type': 'application/json',
    'content-disposition': 'attachment; filename="Demo-Snapshot_1_2___.json"',
    'cache-control': 'private, no-store',
    'x-content-type-options': 'nosniff',
  });
});

test('a URL that is forged or has expired is answered with a 404 that says where to get another', async () => {
  const { get } = openPages();
  for (const path of ['/download/', '/download/x', '/download/t/f.json/', '/download/t/%']) {
    const { status, body, headers } = (await get(path)) ?? {};
    assert.equal(status, 404, path);
    assert.match(String(body), /expired: ExportSnapshot and GetGeneratedCodeJob give a new one/);
    assert.equal(headers?.['cache-control'], 'no-store');
  }
  assert.equal(await get('/download'), undefined);
});

test('a file that is downloaded too often is answered with a 429 that says when to try again', async () => {
  const { get } = openPages();
  const { status, body, headers } = (await get('/download/t/busy.json', REMOTE)) ?? {};
  assert.deepEqual([status, body, headers?.['retry-after']], [429, 'too often\n', '2']);
  await assert.rejects(async () => await get('/download/t/broken.json', REMOTE), { code: 'internal' });
});
