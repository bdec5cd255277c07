import assert from 'node:assert/strict';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CreateGameCommand, DisconnectPlayerCommand, ListGamesCommand } from '@aws-sdk/client-gamesparks';
import { alterDatabase } from '../support/administration.ts';
import { fillDisk } from '../support/full-disk.ts';
import { alarmsOf, GAME, STAGE, startTestServer, type TestServer, until } from '../support/server.ts';

const READY = [200, 'ready\n'];

async function get(url: string | URL): Promise<[status: number, body: string]> {
  const response = await fetch(url);
  return [response.status, await response.text()];
}

const readiness = ({ url }: Pick<TestServer, 'url'>) => get(new URL('/readyz', url));

/** The sample of exactly this name and labels; undefined when there is none. */
async function sample({ metricsUrl }: TestServer, name: string): Promise<number | undefined> {
  const [, text] = await get(metricsUrl);
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

test('[aws-sdk] a node whose audit log cannot be written changes nothing, and is not ready until it can', async (t) => {
  const server = await startTestServer(t);
  assert.deepEqual(await readiness(server), READY);
  const emptyDisk = fillDisk(t, join(server.dataDir, 'audit.journal'));
  const player = await server.connect();
  const sdk = server.sdk({ maxAttempts: 1 });
  const disconnect = () =>
    sdk.send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: player.playerId }));
  await assert.rejects(disconnect(), { name: 'InternalServerException', message: /nothing was done/ });
  await player.token();
  assert.deepEqual(await readiness(server), [503, 'not ready: audit log\n']);
  assert.equal(await sample(server, 'respark_ready'), 0);
  await sdk.send(new ListGamesCommand({}));
  assert.equal(await sample(server, 'respark_audit_failures_total{part="intent"}'), 1);
  assert.equal(await sample(server, 'respark_disconnect_calls_total{result="failed"}'), 0);

  emptyDisk();
  const { DisconnectSuccesses } = await disconnect();
  assert.deepEqual(DisconnectSuccesses, [player.connectionId]);
  assert.deepEqual(await readiness(server), READY);
  assert.equal(await sample(server, 'respark_ready'), 1);
});

test('[aws-sdk] a call that is refused for the caller’s mistake is no failed disconnect, and logged as no warning', async (t) => {
  const server = await startTestServer(t);
  const call = (names: { GameName: string; StageName: string }) =>
    server.sdk({ maxAttempts: 1 }).send(new DisconnectPlayerCommand({ ...names, PlayerId: 'somebody' }));
  for (const names of [
    { GameName: GAME, StageName: 'Unknown' },
    { GameName: 'Unknown', StageName: STAGE },
  ])
    await assert.rejects(call(names), { name: 'ResourceNotFoundException' });
  await assert.rejects(call({ GameName: 'no name', StageName: STAGE }), { name: 'ValidationException' });
  for (const result of ['complete', 'partial', 'failed'])
    assert.equal(await sample(server, `respark_disconnect_calls_total{result="${result}"}`), 0, result);
  assert.equal(await sample(server, 'respark_api_requests_total{operation="DisconnectPlayer",status="404"}'), 2);
  assert.deepEqual(alarmsOf(server), []);

  // The server is at fault when the store does not answer.
  alterDatabase(server, 'ALTER TABLE stages RENAME TO elsewhere');
  await assert.rejects(call({ GameName: GAME, StageName: 'Another' }), { name: 'InternalServerException' });
  assert.equal(await sample(server, 'respark_disconnect_calls_total{result="failed"}'), 1);
});

test('[ws] handshakes that an address has too many of are not counted as those of a full node', async (t) => {
  const settings = { maxConnections: 5, maxConnectionsPerAddress: 1, maxUnauthenticated: 5 };
  const server = await startTestServer(t, { settings });
  await server.connect();
  const refused = await server.open();
  const [code] = await once(refused, 'close');
  assert.equal(code, 4004);
  assert.equal(await sample(server, 'respark_handshakes_refused_total{cause="address_full"}'), 1);
  assert.equal(await sample(server, 'respark_handshakes_refused_total{cause="full"}'), undefined);
});

test('a node without calls becomes ready by itself when its audit log can be written again', async (t) => {
  const server = await startTestServer(t);
  const emptyDisk = fillDisk(t, join(server.dataDir, 'audit.journal'));
  const sdk = server.sdk({ maxAttempts: 1 });
  await assert.rejects(sdk.send(new CreateGameCommand({ GameName: 'Other' })), { name: 'InternalServerException' });
  assert.equal((await readiness(server))[0], 503);
  emptyDisk();
  await until(async () => (await readiness(server))[0] === 200);
});

test('a node whose store cannot be read is not ready', async (t) => {
  const server = await startTestServer(t);
  alterDatabase(server, 'ALTER TABLE meta RENAME TO elsewhere');
  assert.deepEqual(await readiness(server), [503, 'not ready: store\n']);
  assert.deepEqual(await get(new URL('/healthz', server.url)), [200, 'ok\n']);
  alterDatabase(server, 'ALTER TABLE elsewhere RENAME TO meta');
  assert.deepEqual(await readiness(server), READY);
});

test('[ws] with a listener of their own metrics are there, nowhere else, and say that a node drains', async (t) => {
  const server = await startTestServer(t, { settings: { metricsPort: 0 } });
  const observed = { url: server.metricsUrl };
  assert.notEqual(new URL(server.metricsUrl).port, new URL(server.url).port);
  assert.equal((await get(server.metricsUrl))[0], 200);
  assert.equal((await get(new URL('/metrics', server.url)))[0], 404);
  assert.deepEqual(await readiness(observed), READY);
  assert.deepEqual(await readiness(server), READY);
  assert.equal((await get(new URL('/game', server.metricsUrl)))[0], 404);
  const player = await server.connect();
  await server.drain();
  assert.equal((await player.closed).code, 4000);
  assert.deepEqual(await readiness(observed), [503, 'not ready: draining\n']);
  assert.deepEqual(await get(new URL('/healthz', server.metricsUrl)), [200, 'ok\n']);
});

test('the management listener shows metrics to this machine only', async (t) => {
  const server = await startTestServer(t, { settings: { host: '0.0.0.0' } });
  assert.equal((await get(server.metricsUrl))[0], 200);
  const external = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.family === 'IPv4' && !address.internal);
  if (external === undefined) return t.skip('this machine has no other address than its own');
  const from = `http://${external.address}:${new URL(server.url).port}`;
  assert.equal((await get(`${from}/metrics`))[0], 403);
  assert.deepEqual(await readiness({ url: from }), READY);
});

test('[ws] metrics follow the players of a stage, and no player is named in them', async (t) => {
  const server = await startTestServer(t);
  const [first, second] = [await server.connect(), await server.connect()];
  const open = `respark_connections{game="${GAME}",stage="${STAGE}"}`;
  assert.equal(await sample(server, open), 2);
  assert.equal(await sample(server, 'respark_sockets'), 2);
  assert.equal(await sample(server, 'respark_directory_entries'), 2);
  const idle = await server.open();
  assert.equal(await sample(server, 'respark_sockets_unauthenticated'), 1);
  // A code that no table has.
  first.ws.close(4321);
  await until(() => server.counts().sockets === 2);
  const disconnect = new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: second.playerId });
  await server.sdk().send(disconnect);
  idle.terminate();
  await until(() => server.counts().sockets === 0);
  assert.equal(await sample(server, open), 0);
  assert.equal(await sample(server, 'respark_connections_closed_total{code="other"}'), 1);
  assert.equal(await sample(server, 'respark_disconnect_calls_total{result="complete"}'), 1);
  assert.equal(await sample(server, 'respark_disconnected_connections_total{outcome="success"}'), 1);
  assert.equal(await sample(server, 'respark_api_requests_total{operation="DisconnectPlayer",status="200"}'), 1);
  const [, text] = await get(server.metricsUrl);
  for (const { playerId, connectionId } of [first, second]) {
    assert(!text.includes(playerId) && !text.includes(connectionId));
  }
});
