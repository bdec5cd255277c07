import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { DisconnectPlayerCommand, ExportSnapshotCommand, ListGamesCommand } from '@aws-sdk/client-gamesparks';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import { findChromium, openInChromium } from '../support/chromium.ts';
import { createSnapshot } from '../support/publishing.ts';
import { assertNothingLeft, GAME, ROOT, STAGE, startTestServer, type TestServer, until } from '../support/server.ts';

const chromium = findChromium();
const skip = chromium === undefined ? 'there is no Chromium here' : false;

// What is published of each package, seen from dist/test/wire.
const MODULES = new URL('../../../../', import.meta.url);

type Report = Readonly<Record<string, unknown>>;

interface Page {
  readonly origin: string;
  /** Opens the page in a browser, for players of this server. */
  open(server: TestServer, query?: Readonly<Record<string, string>>): void;
  /** What the page reports next, or that it failed. */
  nextReport(): Promise<Report>;
}

/** A web page on an origin of its own, which runs the SDK as it was built: ES modules, found by an import map. */
async function servePage(t: TestContext, script: string): Promise<Page> {
  const page = `<!doctype html>
    <script type="importmap">
      { "imports": { "@respark/client": "/client/dist/src/index.js", "@respark/protocol": "/protocol/dist/src/index.js" } }
    </script>
    <script>
      const report = (value) => fetch('/report', { method: 'POST', body: JSON.stringify(value) });
      const { url, gameKey } = Object.fromEntries(new URLSearchParams(location.search));
      addEventListener('error', (event) => report({ failed: event.message ?? event.target.outerHTML }), true);
      addEventListener('unhandledrejection', (event) => report({ failed: String(event.reason) }));
    </script>
    <script type="module">import { browserTokenStorage, ResparkClient } from '@respark/client'; ${script}</script>`;

  const reports: Report[] = [];
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://page');
    if (pathname === '/') {
      response.writeHead(200, { 'content-type': 'text/html' }).end(page);
    } else if (pathname === '/report') {
      reports.push(JSON.parse(await text(request)));
      response.writeHead(204).end();
    } else if (/^\/(client|protocol)\/dist\/src\/[a-z-]+\.js$/.test(pathname)) {
      const module = await readFile(new URL(`.${pathname}`, MODULES)).catch(() => undefined);
      response.writeHead(module ? 200 : 404, { 'content-type': 'text/javascript' }).end(module);
    } else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    open({ playerUrl, gameKey }, more) {
      const query = new URLSearchParams({ url: playerUrl, gameKey, ...more });
      const ended = openInChromium(t, chromium ?? '', new URL(`/?${query}`, origin));
      void ended.then((why) => reports.push({ failed: why }));
    },
    async nextReport() {
      await until(() => reports.length > 0);
      return reports.shift() ?? {};
    },
  };
}

test('[chromium] a page connects, gets its token, and stays away once it is disconnected', { skip }, async (t) => {
  const page = await servePage(
    t,
    `
    const client = new ResparkClient({ url, gameKey, reconnect: { baseMs: 0 } });
    client.on('disconnect', (end) => report({ ...end, reconnectInMs: end.reconnectInMs ?? 'never', state: client.state }));
    const { playerId, connectionId } = await client.connect();
    const { AuthenticationToken } = await client.request('GameSparks.Identity.GetPlayerToken');
    report({ playerId, connectionId, AuthenticationToken });
    `,
  );
  const server = await startTestServer(t, { settings: { allowedOrigins: [page.origin] } });
  page.open(server);
  const { AuthenticationToken, ...welcome } = await page.nextReport();
  const other = await server.connect({ token: String(AuthenticationToken) });
  assert.deepEqual(welcome, { playerId: other.playerId, connectionId: welcome.connectionId });

  const answer = await server
    .sdk()
    .send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: other.playerId }));
  assert.deepEqual(answer.DisconnectSuccesses?.sort(), [welcome.connectionId, other.connectionId].sort());
  assert.deepEqual(answer.DisconnectFailures, []);
  assert.deepEqual(await page.nextReport(), {
    closeCode: 4500,
    name: 'disconnected',
    reason: 'The operator disconnected this player.',
    verdict: 'stop',
    requestId: answer.$metadata.requestId,
    reconnectInMs: 'never',
    state: 'closed',
  });
  await assertNothingLeft(server);
  assert.equal(server.logged.filter(({ msg }) => msg === 'player connected').length, 2);
});

test('[chromium] a page from an origin that is not allowed learns why it is refused', { skip }, async (t) => {
  const page = await servePage(
    t,
    `
    const client = new ResparkClient({ url, gameKey });
    const { code, closeCode, verdict, reason } = await client.connect().catch((error) => error);
    report({ code, closeCode, verdict, reason, state: client.state });
    `,
  );
  const server = await startTestServer(t, { settings: { allowedOrigins: ['https://game.example'] } });
  page.open(server);
  assert.deepEqual(await page.nextReport(), {
    code: 'origin_refused',
    closeCode: 4508,
    verdict: 'stop',
    reason: 'this origin is not allowed',
    state: 'closed',
  });
  await assertNothingLeft(server);
});

test('[chromium] browserTokenStorage keeps the player when the page is loaded again', { skip }, async (t) => {
  const page = await servePage(
    t,
    `
    const client = new ResparkClient({ url, gameKey, storage: browserTokenStorage() });
    const isFirst = sessionStorage.getItem('was here') === null;
    sessionStorage.setItem('was here', 'yes');
    const { playerId, connectionId } = await client.connect();
    while (localStorage.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await report({ isFirst, playerId, connectionId });
    if (isFirst) location.reload();
    `,
  );
  const server = await startTestServer(t, { settings: { allowedOrigins: [page.origin] } });
  page.open(server);
  const before = await page.nextReport();
  const after = await page.nextReport();
  assert.deepEqual([before.isFirst, after.isFirst], [true, false]);
  assert.equal(typeof before.playerId, 'string');
  assert.equal(after.playerId, before.playerId);
  assert.notEqual(after.connectionId, before.connectionId);
});

test('[chromium] tabs that open at once are one player, also after one of them forgot it', { skip }, async (t) => {
  const page = await servePage(
    t,
    `
    const tab = window.name || 'first';
    if (tab === 'first') for (const name of ['second', 'third']) open(location.href, name);
    const client = new ResparkClient({ url, gameKey, storage: browserTokenStorage() });
    const others = new BroadcastChannel('tabs');
    const connect = async () => {
      const { playerId } = await client.connect();
      while (localStorage.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      await report({ tab, playerId });
    };
    others.onmessage = connect;
    client.on('disconnect', async ({ name }) => {
      if (name !== 'disconnected' || tab !== 'second') return;
      await client.forgetPlayer();
      await connect();
      others.postMessage('come back');
    });
    await connect();
    `,
  );
  const server = await startTestServer(t, { settings: { allowedOrigins: [page.origin] } });
  page.open(server);
  const tabs = async () => {
    const reports = [await page.nextReport(), await page.nextReport(), await page.nextReport()];
    assert.deepEqual(reports.map(({ tab }) => tab).sort(), ['first', 'second', 'third']);
    return new Set(reports.map(({ playerId }) => String(playerId)));
  };
  const [player = '', ...otherPlayers] = await tabs();
  assert.deepEqual(otherPlayers, []);
  const answer = await server
    .sdk()
    .send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: player }));
  assert.equal(answer.DisconnectSuccesses?.length, 3);
  const after = await tabs();
  assert.equal(after.size, 1);
  assert.ok(!after.has(player));
});

test('[chromium] a page that hears that the network is back does not wait any longer', { skip }, async (t) => {
  const page = await servePage(
    t,
    `
    let newest;
    const Spied = class extends WebSocket {
      constructor(...rest) {
        super(...rest);
        newest = this;
      }
    };
    const client = new ResparkClient({ url, gameKey, WebSocket: Spied, random: () => 0.9, reconnect: { baseMs: 3e6, capMs: 3e6 } });
    const before = await client.connect();
    client.on('welcome', ({ connectionId }) => report({ isNew: connectionId !== before.connectionId }));
    client.on('disconnect', async ({ reconnectInMs }) => {
      await report({ reconnectInMs, state: client.state });
      dispatchEvent(new Event('online'));
    });
    newest.close();
    `,
  );
  const server = await startTestServer(t, { settings: { allowedOrigins: [page.origin] } });
  page.open(server);
  assert.deepEqual(await page.nextReport(), { reconnectInMs: 2_700_000, state: 'waiting' });
  assert.deepEqual(await page.nextReport(), { isNew: true });
});

/** Makes the calls that it finds in its query, and reports of each what a page can see of the reply. */
const CALLER = `
  for (const { url, ...call } of JSON.parse(new URLSearchParams(location.search).get('calls'))) {
    await fetch(url, call).then(
      async (reply) => report({
        status: reply.status,
        error: reply.headers.get('x-amzn-errortype'),
        requestId: reply.headers.get('x-amzn-requestid'),
        json: await reply.json(),
      }),
      (error) => report({ refused: error.name }),
    );
  }`;

function signedCall(server: TestServer, method: string, path: string, body?: string) {
  const url = new URL(path, server.url);
  const bytes = Buffer.from(body ?? '');
  const region = 'us-east-1';
  const headers = signRequest({ method, url, body: bytes, ...ROOT, region, nowMs: Date.now() });
  return { url, method, headers, body };
}

test('[chromium] a page of a listed origin calls the management API and fetches a download', { skip }, async (t) => {
  const page = await servePage(t, CALLER);
  const server = await startTestServer(t, { settings: { apiOrigins: [page.origin] } });
  const snapshot = { GameName: GAME, SnapshotId: await createSnapshot(server) };
  const { S3Url = '' } = await server.sdk().send(new ExportSnapshotCommand(snapshot));
  const calls = [
    signedCall(server, 'GET', '/game/Demo'),
    signedCall(server, 'PATCH', '/game/Demo', '{"Description":"from a page"}'),
    signedCall(server, 'GET', '/game/Unknown'),
    { url: S3Url },
  ];
  page.open(server, { calls: JSON.stringify(calls) });
  const [got, updated, unknown, file] = [
    await page.nextReport(),
    await page.nextReport(),
    await page.nextReport(),
    await page.nextReport(),
  ];
  assert.deepEqual([got.status, updated.status], [200, 200]);
  assert.match(JSON.stringify(updated.json), /from a page/);
  assert.deepEqual([unknown.status, unknown.error], [404, 'ResourceNotFoundException']);
  for (const { requestId } of [got, updated, unknown, file]) assert.match(String(requestId), /^[0-9a-f-]{36}$/);
  assert.deepEqual(file.json, await (await fetch(S3Url)).json());
});

test('[chromium] a page of another origin can neither call nor read, however it signs', { skip }, async (t) => {
  for (const apiOrigins of [[], ['https://tools.example']]) {
    const page = await servePage(t, CALLER);
    const server = await startTestServer(t, { settings: { apiOrigins } });
    const snapshot = { GameName: GAME, SnapshotId: await createSnapshot(server) };
    const { S3Url = '' } = await server.sdk().send(new ExportSnapshotCommand(snapshot));
    const calls = [signedCall(server, 'POST', '/game', '{"GameName":"Evil"}'), { url: S3Url }];
    page.open(server, { calls: JSON.stringify(calls) });
    for (const _ of calls) assert.deepEqual(await page.nextReport(), { refused: 'TypeError' });
    const { Games = [] } = await server.sdk().send(new ListGamesCommand({}));
    assert.deepEqual(
      Games.map(({ Name }) => Name),
      [GAME],
    );
  }
});
