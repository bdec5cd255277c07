import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import type { Settings } from '../../src/config/config.ts';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';
import { openSocket, upgradeBytes } from '../fire/raw-websocket.ts';
import { createKey, readAudit } from '../support/administration.ts';
import { ROOT, startTestServer, type TestServer } from '../support/server.ts';
import { tlsFiles } from '../support/tls-files.ts';

/** With those that tell something, nearly as many as a request may have. */
const MANY = Array<string>(180).fill('A:');
/** `request.headers` of Node.js ends after 1,000 headers unless it is told otherwise. */
const TOO_MANY = Array<string>(1_001).fill('A:');

const ANY = { Action: '*', Resource: '*' } as const;
const ALLOW = { Effect: 'Allow', ...ANY } as const;

async function start(t: TestContext, settings: Partial<Settings> = {}) {
  return await startTestServer(t, { settings: { trustedProxies: ['127.0.0.1'], ...settings } });
}

/** The status of a request that has these headers last, after many others. */
async function statusOf(
  server: Pick<TestServer, 'url'>,
  last: readonly string[],
  {
    method = 'GET',
    path = '/game',
    body = '',
    credentials = ROOT,
    others = MANY,
  }: {
    method?: string;
    path?: string;
    body?: string;
    credentials?: AccessKeyPair;
    others?: readonly string[];
  } = {},
): Promise<number> {
  const url = new URL(path, server.url);
  const signature = signRequest({
    ...{ method, url, body: Buffer.from(body), ...credentials, region: 'us-east-1', nowMs: Date.now() },
  });
  const signed = Object.entries({ Host: url.host, ...signature }).map(([name, value]) => `${name}: ${value}`);
  const lines = [`${method} ${path} HTTP/1.1`, 'Connection: close', ...signed, ...others, ...last];
  const options = { host: url.hostname, port: Number(url.port), rejectUnauthorized: false };
  const socket = url.protocol === 'https:' ? connectTls(options) : connect(options);
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(await text(socket))?.[1]);
}

test('a caller is denied by address however many headers come before X-Forwarded-For', async (t) => {
  const { certFile, keyFile } = tlsFiles('first');
  for (const settings of [{}, { tlsCertFile: certFile, tlsKeyFile: keyFile }]) {
    const server = await start(t, settings);
    const deny = { Effect: 'Deny', ...ANY, Condition: { IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } } };
    const credentials = await createKey(server, [ALLOW, deny]);
    assert.equal(await statusOf(server, ['X-Forwarded-For: 198.51.100.1'], { credentials }), 200);
    assert.equal(await statusOf(server, ['X-Forwarded-For: 203.0.113.66'], { credentials }), 403);
  }
});

test('TLS in front of a trusted proxy counts however many headers come before X-Forwarded-Proto', async (t) => {
  const server = await start(t);
  const credentials = await createKey(server, [{ ...ALLOW, Condition: { Bool: { 'aws:SecureTransport': 'true' } } }]);
  assert.equal(await statusOf(server, ['X-Forwarded-Proto: https'], { credentials }), 200);
  assert.equal(await statusOf(server, ['X-Forwarded-Proto: http'], { credentials }), 403);
});

test('metrics are refused to others however many headers come before X-Forwarded-For', async (t) => {
  const server = await start(t);
  const read = (address: string) => statusOf(server, [`X-Forwarded-For: ${address}`], { path: '/metrics' });
  assert.equal(await read('127.0.0.1'), 200);
  assert.equal(await read('203.0.113.66'), 403);
});

test('a record names the caller however many headers come before X-Forwarded-For', async (t) => {
  const server = await start(t);
  const body = '{"GameName":"New"}';
  const last = ['X-Forwarded-For: 203.0.113.66', `Content-Length: ${body.length}`];
  assert.equal(await statusOf(server, last, { method: 'POST', body }), 200);
  const record = (await readAudit(server)).find(({ operation }) => operation === 'CreateGame');
  assert.equal(record?.sourceAddress, '203.0.113.66');
});

test('a body that is too long is refused unread however many headers come before its length', async (t) => {
  const server = await start(t);
  const from = 'X-Forwarded-For: 203.0.113.66';
  assert.equal(await statusOf(server, [from, 'Content-Length: 999999999'], { method: 'POST' }), 413);
  assert.equal(await statusOf(server, [from, 'Content-Length: 9', 'Expect: 100-continue'], { method: 'POST' }), 100);
});

for (const playerPort of [undefined, 0]) {
  const where = playerPort === undefined ? '' : ' on a listener of its own';
  test(`an upgrade${where} counts for its player and its page, however many headers come first`, async (t) => {
    const server = await start(t, { playerPort, maxUnauthenticatedPerAddress: 1 });
    const open = (...last: string[]) => {
      const upgrade = upgradeBytes().replace('\r\n\r\n', `\r\n${[...MANY, ...last].join('\r\n')}\r\n\r\n`);
      return openSocket(server, { upgrade });
    };
    const first = open('X-Forwarded-For: 203.0.113.1');
    t.after(() => first.socket.destroy());
    await once(first.socket, 'data');
    assert.equal((await open('X-Forwarded-For: 203.0.113.1').ending).end, 'HTTP 429');
    const page = open('X-Forwarded-For: 203.0.113.2', 'Origin: https://evil.example');
    assert.equal((await page.ending).end, '4508');
  });
}

test('a request with more headers than anybody needs is refused before any of them is read', async (t) => {
  const server = await start(t);
  for (const path of ['/game', '/metrics', '/healthz', '/connect']) {
    assert.equal(await statusOf(server, ['X-Forwarded-For: 127.0.0.1'], { path, others: TOO_MANY }), 431, path);
  }
  const upgrade = upgradeBytes().replace('\r\n\r\n', `\r\n${TOO_MANY.join('\r\n')}\r\n\r\n`);
  const { end } = await openSocket(server, { upgrade }).ending;
  assert.equal(end, 'HTTP 431');
});
