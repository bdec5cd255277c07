import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { GetStageCommand, TagResourceCommand } from '@aws-sdk/client-gamesparks';
import { ResparkClient } from '@respark/client';
import { encode, SUBPROTOCOL } from '@respark/protocol';
import { WebSocket } from 'ws';
import { policyOfRole, type Role } from '../../src/domain/access/roles.ts';
import { createKey } from '../support/administration.ts';
import { rawCall } from '../support/raw-call.ts';
import { REHEARSAL_SETTINGS, type RehearsalResult, rehearse } from '../support/rehearsal.ts';
import { assertNothingLeft, GAME, ROOT, STAGE, startTestServer, type TestServer, until } from '../support/server.ts';
import { createTestWorld } from '../support/world.ts';

const pathOf = (playerId: string) => `/respark/game/${GAME}/stage/${STAGE}/player/${playerId}/rehearsal`;

const outcomesOf = (results: readonly RehearsalResult[]) => results.map(({ Name, Outcome }) => [Name, Outcome]);

async function connectSdk(t: TestContext, server: TestServer): Promise<ResparkClient> {
  const { playerUrl: url, gameKey } = server;
  // The command plays each end at once here, so the waits would become long, and chance might make them too short.
  const reconnect = { capMs: 500 };
  const client = new ResparkClient({ url, gameKey, WebSocket: WebSocket as never, reconnect, random: () => 0.5 });
  t.after(() => client.close());
  await client.connect();
  return client;
}

/** A client that does what beginners' clients do: whatever happens, it connects again at once, and it trusts silence. */
async function connectNaively(t: TestContext, server: TestServer): Promise<string> {
  const first = await server.connect();
  const token = await first.token();
  let isOver = false;
  let current: WebSocket | undefined = first.ws;
  t.after(() => {
    isOver = true;
    current?.terminate();
  });
  const again = () => {
    if (isOver) return;
    const ws = new WebSocket(server.playerUrl, SUBPROTOCOL);
    current = ws;
    ws.on('error', () => {});
    ws.on('open', () => ws.send(encode({ kind: 'hello', gameKey: server.gameKey, token })));
    ws.on('close', again);
  };
  first.ws.on('close', again);
  return first.playerId;
}

test('the SDK does after each end what the protocol says', async (t) => {
  const server = await startTestServer(t, { settings: REHEARSAL_SETTINGS });
  const client = await connectSdk(t, server);
  const farewells: unknown[] = [];
  client.on('disconnect', ({ name, farewell }) => farewells.push(farewell && [name, farewell.reason]));
  const playerId = client.playerId ?? '';
  // The player, who has heard why it ended, asks for a connection.
  const { exitCode, results, err } = await rehearse(server, playerId, { reconnect: () => void client.connect() });
  assert.deepEqual(
    results.filter(({ Outcome }) => Outcome !== 'PASSED'),
    [],
    err,
  );
  assert.deepEqual([exitCode, results.length, client.playerId], [0, 10, playerId]);
  assert.deepEqual(
    farewells.filter((farewell) => farewell !== undefined),
    [['disconnected', 'REHEARSAL']],
  );
  const { json } = await rawCall(
    server,
    'GET',
    `/respark/audit-record?Operation=PlayRehearsedEnd&PlayerId=${playerId}`,
  );
  assert.equal((json.AuditRecords as unknown[]).length, 15);
  await client.close();
  await assertNothingLeft(server);
});

test('[ws] a client that comes back at once whatever happens, and trusts silence, fails what it does wrong', async (t) => {
  const server = await startTestServer(t, { settings: REHEARSAL_SETTINGS });
  const { exitCode, results, err } = await rehearse(server, await connectNaively(t, server));
  assert.deepEqual(outcomesOf(results), [
    ['draining', 'FAILED'],
    ['slow-reader', 'PASSED'],
    ['heartbeat-missed', 'PASSED'],
    ['lost-frame', 'PASSED'],
    ['silent-network', 'FAILED'],
    ['tight-loop', 'FAILED'],
    ['replaced', 'FAILED'],
    ['kicked', 'FAILED'],
    ['blocked', 'FAILED'],
    ['token-refused', 'FAILED'],
  ]);
  assert.match(results[0]?.Seen ?? '', /^came back after 0\.\d s, although it was told to wait 3\.0 s$/);
  assert.match(results[7]?.Seen ?? '', /^came back after 0\.\d s, although nobody had asked it to$/);
  assert.equal(exitCode, 1);
  assert.match(err, /the client failed 7 of 10/);
});

test('[ws] a client that never comes back fails each end after which it should, and only those can be played', async (t) => {
  const server = await startTestServer(t, { settings: REHEARSAL_SETTINGS });
  const { playerId } = await server.connect();
  const args = ['--only', 'kicked,slow-reader', '--window', '1', '--wait', '1'];
  const { exitCode, results } = await rehearse(server, playerId, { args });
  assert.equal(exitCode, 1);
  assert.deepEqual(outcomesOf(results), [
    ['slow-reader', 'FAILED'],
    ['kicked', 'NOT_PLAYED'],
  ]);
});

test('a player who is not there is waited for once, not for each end', async (t) => {
  const server = await startTestServer(t, { settings: REHEARSAL_SETTINGS });
  const startedAt = performance.now();
  const { exitCode, results, err } = await rehearse(server, 'nobody', { args: ['--window', '1', '--wait', '1'] });
  assert(performance.now() - startedAt < 9_000, 'ten ends would be waited for ten times as long');
  assert.deepEqual([exitCode, new Set(results.map(({ Outcome }) => Outcome))], [1, new Set(['NOT_PLAYED'])]);
  assert.match(err, /nothing was played: player nobody .*"respark players --game \S+ --stage \S+" lists/);
});

test('a silent connection takes and gives nothing, is ended after its time, and leaves nothing behind', async (t) => {
  const server = await startTestServer(t, { settings: REHEARSAL_SETTINGS });
  const player = await server.connect();
  const body = { End: 'SILENT_NETWORK', WindowSeconds: 1 };
  const { status, json } = await rawCall(server, 'POST', pathOf(player.playerId), { body });
  assert.deepEqual([status, json.SilentForMs, json.Code], [200, 3_000, undefined]);
  let pongs = 0;
  player.ws.on('pong', () => (pongs += 1));
  player.ws.ping();
  player.request('1', 'GameSparks.Identity.GetPlayerToken');
  const { code, reason } = await player.closed;
  assert.deepEqual([code, reason, pongs, player.frames.length], [1006, '', 0, 1]);
  await assertNothingLeft(server);
});

test('only a player with one connection is rehearsed with, by one caller at a time', async (t) => {
  const server = await startTestServer(t, { settings: REHEARSAL_SETTINGS });
  const play = async (playerId: string, credentials = ROOT) => {
    const body = { End: 'SLOW_READER', WindowSeconds: 1 };
    const { status, message = '' } = await rawCall(server, 'POST', pathOf(playerId), { body, credentials });
    return { status, message };
  };
  const absent = await play('nobody');
  assert.equal(absent.status, 409);
  assert.match(absent.message, /player "nobody" is not connected/);
  const player = await server.connect();
  const token = await player.token();
  const second = await server.connect({ token });
  assert.match((await play(player.playerId)).message, /has 2 connections/);
  second.ws.close();
  await until(() => server.counts().sockets === 1);
  assert.equal((await play(player.playerId)).status, 200);
  assert.equal((await player.closed).code, 4001);
  await server.connect({ token });
  const other = await createKey(server, [{ Effect: 'Allow', Action: 'respark:PlayRehearsedEnd', Resource: '*' }]);
  const refused = await play(player.playerId, other);
  assert.equal(refused.status, 409);
  assert.match(refused.message, /somebody else rehearses with this player: try again in \d+ s/);
  assert.equal((await play(player.playerId)).status, 200);
});

test('[aws-sdk] a stage with real players is protected by a tag, by the roles and by --yes', async (t) => {
  const server = await startTestServer(t, { settings: REHEARSAL_SETTINGS });
  const player = await server.connect();
  const statusOf = async (role: Role) => {
    const { Statement } = policyOfRole(role, { game: GAME, stage: STAGE }) as { Statement: object[] };
    const credentials = await createKey(server, Statement);
    return (await rawCall(server, 'POST', pathOf('nobody'), { body: { End: 'KICKED' }, credentials })).status;
  };
  assert.deepEqual(
    [await statusOf('developer'), await statusOf('moderator'), await statusOf('operator'), await statusOf('viewer')],
    [409, 403, 403, 403],
  );
  const sdk = server.sdk();
  const { Stage } = await sdk.send(new GetStageCommand({ GameName: GAME, StageName: STAGE }));
  const tags = { 'respark:rehearsal': 'refused' };
  await sdk.send(new TagResourceCommand({ ResourceArn: Stage?.Arn, tags }));
  const refused = await rawCall(server, 'POST', pathOf(player.playerId), { body: { End: 'KICKED' } });
  assert.deepEqual([refused.status, player.ws.readyState], [409, WebSocket.OPEN]);
  assert.match(refused.message ?? '', /stage "Dev" refuses rehearsals: its tag respark:rehearsal is "refused"/);

  const world = createTestWorld({ env: {} });
  assert.equal(await world.run('rehearse', '--game', GAME, '--stage', 'Live', '--player', 'p'), 2);
  assert.match(world.err(), /^stage Live may have real players: add --yes/);
});
