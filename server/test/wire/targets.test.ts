import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { encode } from '@respark/protocol';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import { exchange, type Reply, requestBytes } from '../fire/raw-http.ts';
import { openSocket, text, upgradeBytes } from '../fire/raw-websocket.ts';
import { ROOT, startTestServer, type TestServer } from '../support/server.ts';

async function replyTo(server: Pick<TestServer, 'url'>, lines: readonly string[]): Promise<Reply> {
  const { replies } = await exchange(server, `${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`);
  assert.equal(replies.length, 1);
  return replies[0] as Reply;
}

/** A signed call of `/game`, as a client sends it to a proxy: its target is the whole URL. */
async function callByProxy(
  server: TestServer,
  {
    target = '',
    signedFor = 'localhost',
    host = signedFor,
  }: { target?: string; signedFor?: string; host?: string } = {},
): Promise<number> {
  const url = new URL(`http://${signedFor}/game`);
  const signature = signRequest({
    ...{ method: 'GET', url, body: new Uint8Array(), ...ROOT, region: 'us-east-1', nowMs: Date.now() },
  });
  const headers = Object.entries({ Host: host, ...signature }).map(([name, value]) => `${name}: ${value}`);
  return (await replyTo(server, [`GET ${target} HTTP/1.1`, ...headers])).status;
}

test('a page is found when the target is a whole URL', async (t) => {
  const server = await startTestServer(t, { settings: { metricsPort: 0, playerPort: 0 } });
  const get = async (url: string, target: string) =>
    (await replyTo({ url }, [`GET ${target} HTTP/1.1`, 'Host: localhost'])).status;
  for (const target of ['http://localhost/healthz', 'HTTP://LOCALHOST:80/healthz', 'https://localhost/healthz?a=/b']) {
    assert.equal(await get(server.url, target), 200, target);
    assert.equal(await get(server.metricsUrl ?? '', target), 200, target);
  }
  assert.equal(await get(server.url, 'http://localhost'), 200);
  assert.equal(await get(server.url, 'http://localhost?a'), 200);
  assert.equal(await get(server.playerUrl.replace(/^ws/, 'http'), 'http://localhost/connect'), 426);
});

test('a call whose target is a whole URL is signed over its path and for its host', async (t) => {
  const server = await startTestServer(t);
  assert.equal(await callByProxy(server, { target: 'http://localhost/game' }), 200);
  assert.equal(await callByProxy(server, { target: 'http://LOCALHOST:80/game' }), 200);
  assert.equal(await callByProxy(server, { target: 'http://localhost/game/Demo' }), 403);
  // The host of the target counts, whatever Host says.
  assert.equal(await callByProxy(server, { target: 'http://localhost/game', host: 'other.example' }), 200);
  assert.equal(await callByProxy(server, { target: 'http://other.example/game', host: 'localhost' }), 403);
});

test('the host of a whole URL decides who may read metrics, whatever Host says', async (t) => {
  const server = await startTestServer(t);
  const read = async (authority: string, host: string) =>
    (await replyTo(server, [`GET http://${authority}/metrics HTTP/1.1`, `Host: ${host}`])).status;
  assert.equal(await read('localhost', 'evil.example'), 200);
  assert.equal(await read('evil.example', 'localhost'), 403);
});

test('a player may connect with a whole URL as the target', async (t) => {
  const server = await startTestServer(t);
  for (const target of ['http://localhost/connect', 'ws://localhost/connect']) {
    const player = openSocket(server, { upgrade: upgradeBytes({ path: target }) });
    t.after(() => player.socket.destroy());
    player.socket.write(text(encode({ kind: 'hello', gameKey: server.gameKey })));
    await player.received(/"kind":"welcome"/);
  }
});

test('HAProxy’s default check finds every listener up', async (t) => {
  const server = await startTestServer(t, {
    settings: { metricsPort: 0, playerPort: 0, trustedProxies: ['127.0.0.1'] },
  });
  for (const url of [server.url, server.metricsUrl ?? '', server.playerUrl]) {
    for (const target of ['/', '*', 'http://localhost']) {
      const { status, headers } = await replyTo({ url }, [`OPTIONS ${target} HTTP/1.0`]);
      assert.deepEqual([status, headers.get('allow')], [200, 'GET, HEAD, OPTIONS'], `${target} of ${url}`);
    }
  }
});

async function openPipeline(t: TestContext, server: TestServer) {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  let received = '';
  socket.on('data', (chunk) => {
    received += String(chunk);
  });
  const ended = once(socket, 'close').then(() => received);
  return { socket, ended };
}

test('no answer follows that to an ignored upgrade, because a request behind it may be lost', async (t) => {
  const server = await startTestServer(t);
  const first = requestBytes({ path: '/game/Demo/stage' });
  const upgrade = requestBytes({ rawHeaders: ['Connection: Upgrade', 'Upgrade: h2c'] });
  const change = requestBytes({ method: 'POST', path: '/game', body: '{"GameName":"Later"}' });
  const { socket, ended } = await openPipeline(t, server);
  socket.write(Buffer.concat([first, upgrade, requestBytes({ path: '/game/Lost' })]), () => socket.write(change));
  const received = await ended;
  assert.deepEqual(received.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200']);
  assert.deepEqual(received.match(/connection: [\w-]+/gi), ['Connection: keep-alive', 'connection: close']);
  const games = await exchange(server, requestBytes({ path: '/game' }));
  assert.doesNotMatch(games.replies[0]?.body ?? '', /Later/);
});
