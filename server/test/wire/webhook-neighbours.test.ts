import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { rawCall } from '../support/raw-call.ts';
import { startTestServer, type TestServer, until } from '../support/server.ts';

/** A receiver has so long for its answer. */
const TIMEOUT_MS = 4_000;
/** One that accepts everything, as late as it may, so that nothing of it ever fails. */
const SLOW_MS = 3_500;
const WEBHOOKS_OF_GAME = 10;

/** Accepts what comes to `/slow` late, and everything else at once. */
async function startReceivers(t: TestContext) {
  const count = { slow: 0, quick: 0 };
  const server = createServer((request, response) => {
    const isSlow = request.url === '/slow';
    count[isSlow ? 'slow' : 'quick'] += 1;
    request.resume();
    setTimeout(() => response.writeHead(204).end(), isSlow ? SLOW_MS : 0);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, count };
}

async function makeGame(server: TestServer, game: string, urls: readonly string[]): Promise<void> {
  await rawCall(server, 'POST', '/game', { body: { GameName: game } });
  const role = 'arn:aws:iam::123456789012:role/R';
  await rawCall(server, 'POST', `/game/${game}/stage`, { body: { StageName: 'Dev', Role: role } });
  for (const url of urls) {
    const body = { Url: url, EventTypes: ['player.disconnect_called'] };
    assert.equal((await rawCall(server, 'POST', `/respark/game/${game}/webhook`, { body })).status, 200);
  }
}

/** Has an event of each of so many players happen. */
async function happen(server: TestServer, game: string, players: number): Promise<void> {
  for (let player = 0; player < players; player += 1) {
    const path = `/runtime/game/${game}/stage/Dev/player/p${player}/disconnect`;
    assert.equal((await rawCall(server, 'POST', path)).status, 200);
  }
}

test('receivers of one game that take all the time they may leave another game its connections to the same host', async (t) => {
  const settings = { webhookPrivateHosts: ['127.0.0.1'], webhookTimeoutMs: TIMEOUT_MS, writeCallsBurst: 1_000 };
  const server = await startTestServer(t, { settings });
  const { url, count } = await startReceivers(t);
  await makeGame(server, 'Greedy', Array(WEBHOOKS_OF_GAME).fill(`${url}/slow`));
  await makeGame(server, 'Neighbour', [`${url}/quick`]);
  await happen(server, 'Greedy', 60);
  await until(() => count.slow >= 60);
  const begun = performance.now();
  await happen(server, 'Neighbour', 1);
  await until(() => count.quick > 0);
  const tookMs = performance.now() - begun;
  assert.ok(tookMs < SLOW_MS / 2, `the neighbour's event came after ${tookMs} ms`);
});

test('receivers of several games that take all the time they may leave another game a connection', async (t) => {
  const settings = { webhookPrivateHosts: ['127.0.0.1'], webhookTimeoutMs: TIMEOUT_MS, writeCallsBurst: 1_000 };
  const server = await startTestServer(t, { settings });
  const games = ['One', 'Two', 'Three', 'Four'];
  const hosts = await Promise.all(games.flatMap(() => Array.from({ length: 4 }, () => startReceivers(t))));
  const neighbour = await startReceivers(t);
  for (const [at, game] of games.entries()) {
    const urls = hosts.slice(at * 4, at * 4 + 4).map(({ url }) => `${url}/slow`);
    await makeGame(
      server,
      game,
      Array.from({ length: WEBHOOKS_OF_GAME }, (_, each) => urls[each % 4] ?? ''),
    );
  }
  await makeGame(server, 'Neighbour', [`${neighbour.url}/quick`]);
  for (const game of games) await happen(server, game, 60);
  const underWay = () => hosts.reduce((sum, { count }) => sum + count.slow, 0);
  await until(() => underWay() >= 400);
  const begun = performance.now();
  await happen(server, 'Neighbour', 1);
  await until(() => neighbour.count.quick > 0);
  const tookMs = performance.now() - begun;
  assert.ok(tookMs < SLOW_MS / 2, `the neighbour's event came after ${tookMs} ms`);
});
