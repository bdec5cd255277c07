import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { encode } from '@respark/protocol';
import { requestBytes } from '../fire/raw-http.ts';
import { openSocket, text, upgradeBytes } from '../fire/raw-websocket.ts';
import { createKey, readAudit } from '../support/administration.ts';
import { rawCall } from '../support/raw-call.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const ANY = { Action: '*', Resource: '*' } as const;
const ALLOW = { Effect: 'Allow', ...ANY } as const;
const LOOPBACK = { IpAddress: { 'aws:SourceIp': ['127.0.0.0/8', '::1/128'] } };

/** Connects, sends and resets, while the thread of the server is held up and takes no connection. */
const RESETTING_CLIENT = `
  const { connect } = require('node:net');
  const { port, bytes, done } = require('node:worker_threads').workerData;
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes, () => socket.resetAndDestroy()));
  socket.on('error', () => {}).on('close', () => {
    Atomics.store(done, 0, 1);
    Atomics.notify(done, 0);
  });
`;

async function sendAndReset(t: TestContext, url: string, bytes: Uint8Array): Promise<void> {
  const done = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(RESETTING_CLIENT, {
    eval: true,
    workerData: { port: Number(new URL(url).port), bytes, done },
  });
  t.after(() => worker.terminate());
  assert.notEqual(Atomics.wait(done, 0, 0, 30_000), 'timed-out');
  await once(worker, 'exit');
}

test('a call whose peer has reset its connection before it was taken is not carried out', async (t) => {
  const server = await startTestServer(t);
  const credentials = await createKey(server, [ALLOW, { Effect: 'Deny', ...ANY, Condition: LOOPBACK }]);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const body = `{"GameName":"Reset${attempt}"}`;
    await sendAndReset(t, server.url, requestBytes({ method: 'POST', path: '/game', body, credentials }));
  }
  const { json } = await rawCall(server, 'GET', '/game');
  assert.deepEqual(
    (json.Games as { Name: string }[]).map(({ Name }) => Name),
    ['Demo'],
  );
  assert.deepEqual(server.logged.filter(({ msg }) => msg === 'request answered').length, 1);
  assert.deepEqual(
    (await readAudit(server)).filter(({ cause }) => cause === 'operator'),
    [],
  );
});

test('an upgrade whose peer has reset its connection before it was taken makes no connection', async (t) => {
  for (const playerPort of [undefined, 0]) {
    const server = await startTestServer(t, { settings: { playerPort } });
    const hello = text(encode({ kind: 'hello', gameKey: server.gameKey }));
    await sendAndReset(t, server.playerUrl, Buffer.concat([Buffer.from(upgradeBytes()), hello]));
    await server.connect();
    const stopped = server.logged.filter(({ msg }) => msg === 'connection stopped');
    assert.deepEqual(stopped, []);
    assert.equal(server.counts().sockets, 1);
  }
});

const UNKNOWN = { none: [], empty: [''], garbage: ['garbage'], 'an address and garbage': ['203.0.113.66, garbage'] };

for (const [what, forwarded] of Object.entries(UNKNOWN)) {
  const headers = Object.fromEntries(forwarded.map((value) => ['x-forwarded-for', value]));

  async function start(t: TestContext): Promise<TestServer> {
    return await startTestServer(t, { settings: { trustedProxies: ['127.0.0.1'] } });
  }

  test(`a trusted proxy that gives as X-Forwarded-For ${what} gets health pages, but no metrics`, async (t) => {
    const server = await start(t);
    const read = async (path: string) => (await fetch(new URL(path, server.url), { headers })).status;
    assert.deepEqual(await Promise.all(['/', '/healthz', '/readyz'].map(read)), [200, 200, 200]);
    assert.equal(await read('/metrics'), 403);
  });

  test(`a trusted proxy that gives as X-Forwarded-For ${what} brings no player in, and is told why`, async (t) => {
    const server = await start(t);
    const upgrade = upgradeBytes({ headers });
    const { socket, ending } = openSocket(server, { upgrade });
    let answer = '';
    socket.on('data', (chunk) => {
      answer += String(chunk);
    });
    assert.equal((await ending).end, 'HTTP 403');
    assert.match(answer, /must say in X-Forwarded-For which address/);
    assert.equal(server.counts().addresses, 0);
  });

  test(`a caller for whom a trusted proxy gives as X-Forwarded-For ${what} is nowhere by address`, async (t) => {
    const server = await start(t);
    const outcome = async (...statements: object[]) => {
      const credentials = await createKey(server, statements);
      return (await rawCall(server, 'GET', '/game', { credentials, headers })).status;
    };
    const deny = { Effect: 'Deny', ...ANY };
    assert.equal(await outcome({ ...ALLOW, Condition: LOOPBACK }), 403);
    assert.equal(await outcome({ ...ALLOW, Condition: { NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }), 403);
    assert.equal(await outcome(ALLOW, { ...deny, Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }), 403);
    assert.equal(await outcome(ALLOW, { ...deny, Condition: { NotIpAddress: { 'aws:SourceIp': '0.0.0.0/0' } } }), 403);
    assert.equal(await outcome(ALLOW), 200);

    await rawCall(server, 'POST', '/game', { body: { GameName: 'New' }, headers });
    const record = (await readAudit(server)).find(({ operation }) => operation === 'CreateGame');
    assert.equal(record?.sourceAddress, 'unknown');
  });
}

test('a proxy that is not trusted gets no metrics, and the log says once which peer to trust', async (t) => {
  const server = await startTestServer(t);
  const read = async (headers: Record<string, string>) => (await fetch(`${server.url}/metrics`, { headers })).status;
  const warnings = () => server.logged.filter(({ level }) => Number(level) > 30);
  assert.equal(await read({}), 200);
  assert.deepEqual(warnings(), []);
  for (const name of ['X-Forwarded-For', 'Forwarded', 'Via'])
    assert.equal(await read({ [name]: '127.0.0.1' }), 403, name);
  await server.connect({}, { headers: { 'x-forwarded-for': '203.0.113.1' } });
  assert.equal((await rawCall(server, 'GET', '/game', { headers: { via: '1.1 x' } })).status, 200);
  const [{ peer, msg } = {}, ...others] = warnings();
  assert.deepEqual([peer, others], ['127.0.0.1', []]);
  assert.match(String(msg), /add it to RESPARK_TRUSTED_PROXIES/);
});

test('the first upgrade of a proxy that is not trusted is enough for the warning', async (t) => {
  const server = await startTestServer(t);
  await server.connect({}, { headers: { forwarded: 'for=203.0.113.1' } });
  const [{ peer, header } = {}] = server.logged.filter(({ level }) => Number(level) > 30);
  assert.deepEqual([peer, header], ['127.0.0.1', 'forwarded']);
});
