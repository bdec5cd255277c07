import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Settings } from '../../src/config/config.ts';
import { policyOfRole, type Role } from '../../src/domain/access/roles.ts';
import { createKey, readAudit } from '../support/administration.ts';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { alarmsOf, GAME, STAGE, startTestServer, type TestPlayer, type TestServer } from '../support/server.ts';
import { createTestWorld } from '../support/world.ts';

const TO_STAGE = `/respark/game/${GAME}/stage/${STAGE}/notification`;
const TYPE = 'Custom.Game.Starts';
const STARTS = { Type: TYPE, Payload: { Minutes: 10 } };
const toPlayer = (playerId: string) => `/respark/game/${GAME}/stage/${STAGE}/player/${playerId}/notification`;

async function openGame(t: TestContext, changed: Partial<Settings> = {}): Promise<TestServer> {
  const settings = {
    handshakesPerSecondPerAddress: 10_000,
    handshakesPerSecond: 10_000,
    maxUnauthenticatedPerAddress: 1_000,
    ...changed,
  };
  const server = await startTestServer(t, { settings });
  const game = scriptedGame({ notifications: { Starts: { Minutes: 'Integer', Text: 'String?' } } });
  await deploy(server, await createSnapshot(server, fileOf(game)));
  return server;
}

const send = (server: TestServer, path: string, body: object) => rawCall(server, 'POST', path, { body });

const heard = (player: TestPlayer) => player.next(({ kind }) => kind === 'notification');

/** What the player has got so far, which is all that was written before. */
async function notificationsOf(player: TestPlayer): Promise<readonly unknown[]> {
  await player.token();
  return player.frames.filter(({ kind }) => kind === 'notification');
}

test('a player hears a notification on every connection, and nobody else does', async (t) => {
  const server = await openGame(t);
  const first = await server.connect();
  const second = await server.connect({ token: await first.token() });
  const other = await server.connect();
  const [one, two] = [heard(first), heard(second)];
  const { status, json } = await send(server, toPlayer(first.playerId), STARTS);
  assert.deepEqual([status, json.Connections], [200, 2]);
  const [{ Node, ...outcome }] = json.Nodes as [{ Node: string }];
  assert.deepEqual(outcome, { Outcome: 'REACHED', Connections: 2 });
  assert.match(Node, /^[0-9a-f-]{36}$/);
  const expected = { kind: 'notification', type: TYPE, payload: { Minutes: 10 } };
  assert.deepEqual([await one, await two], [expected, expected]);
  assert.deepEqual(await notificationsOf(other), []);
  const absent = await send(server, toPlayer('nobody'), STARTS);
  assert.deepEqual([absent.status, absent.json.Connections, absent.json.Nodes], [200, 0, []]);
  const { json: records } = await rawCall(server, 'GET', '/respark/audit-record?Operation=SendNotificationToPlayer');
  const [, record] = records.AuditRecords as { RequestId: string; PlayerId: string; Details: object }[];
  assert.deepEqual(
    [record?.RequestId, record?.PlayerId, record?.Details],
    [json.OperationId, first.playerId, { type: TYPE }],
  );
  assert.deepEqual(alarmsOf(server), []);
});

test('everybody in a stage hears a notification, also on an older runtime; a dry run only counts', async (t) => {
  const server = await openGame(t);
  const players = await Promise.all(Array.from({ length: 130 }, () => server.connect()));
  await deploy(server);
  const hello = await server.open();
  t.after(() => hello.terminate());
  const counted = await send(server, TO_STAGE, { ...STARTS, DryRun: true });
  assert.equal(counted.json.Connections, players.length);
  for (const player of players) assert.equal(player.frames.length, 1, 'a dry run must send nothing');
  const all = Promise.all(players.map(heard));
  const { status, json } = await send(server, TO_STAGE, STARTS);
  assert.deepEqual([status, json.Connections, (json.Nodes as unknown[]).length], [200, players.length, 1]);
  await all;
  for (const player of players) assert.equal((await notificationsOf(player)).length, 1);
  const records = await readAudit(server, { operation: 'SendNotificationToStage' });
  assert.deepEqual(
    records.map(({ details, outcome }) => [details?.dryRun, outcome?.counts]),
    [
      ['true', { reached: players.length, silentNodes: 0 }],
      [undefined, { reached: players.length, silentNodes: 0 }],
    ],
  );
});

test('a notification that the stage does not have, or that does not fit, reaches nobody', async (t) => {
  const server = await openGame(t, { maxFrameBytes: 1_024 });
  const player = await server.connect();
  for (const [body, fault] of [
    [{ Type: 'Custom.Game.Stops' }, /no notification "Custom\.Game\.Stops": it has "Custom\.Game\.Starts"/],
    [{ Type: 'Respark.Farewell' }, /no notification "Respark\.Farewell"/],
    [{ Type: TYPE }, /payload\.Minutes is required/],
    [{ Type: TYPE, Payload: { Minutes: 'ten' } }, /payload\.Minutes must be an Integer/],
    [{ Type: TYPE, Payload: { Minutes: 1, Txet: '' } }, /no such members: "StartsNotification\.Txet"/],
    [{ Type: TYPE, Payload: [1] }, /payload must be an object/],
    [{ Type: TYPE, Payload: { Minutes: 1, Text: 'é'.repeat(600) } }, /may have 1024 \(RESPARK_MAX_FRAME_BYTES\)/],
  ] as const) {
    for (const path of [TO_STAGE, toPlayer(player.playerId)]) {
      const { status, error, message } = await send(server, path, body);
      assert.deepEqual([status, error], [400, 'ValidationException']);
      assert.match(message ?? '', fault);
    }
  }
  assert.equal((await send(server, TO_STAGE.replace(STAGE, 'Nowhere'), STARTS)).status, 404);
  assert.deepEqual(await notificationsOf(player), []);
});

test('a stage to which nothing was deployed has no notifications', async (t) => {
  const server = await startTestServer(t);
  const { status, message } = await send(server, TO_STAGE, STARTS);
  assert.equal(status, 400);
  assert.match(message ?? '', /nothing is deployed to stage "Dev", so it has no notifications: deploy a snapshot/);
});

test('a stage gets five notifications at once, then one a second; dry runs and players do not count', async (t) => {
  const server = await openGame(t);
  let answer = await send(server, TO_STAGE, STARTS);
  let sent = 0;
  // A machine that is slow enough may send a few more.
  for (; answer.status === 200 && sent < 100; sent += 1) answer = await send(server, TO_STAGE, STARTS);
  assert.ok(sent >= 5, String(sent));
  assert.deepEqual([answer.status, answer.error], [429, 'ThrottlingException']);
  assert.match(answer.message ?? '', /a stage gets 1 notification a second, and 5 at once/);
  assert.equal((await send(server, TO_STAGE, { ...STARTS, DryRun: true })).status, 200);
  assert.equal((await send(server, toPlayer('anna'), STARTS)).status, 200);
});

test('a player who does not read is closed rather than counted as reached', async (t) => {
  const server = await openGame(t, { maxOutboxBytes: 65_536, maxFrameBytes: 65_536 });
  const player = await server.connect();
  player.ws.pause();
  const large = { Type: TYPE, Payload: { Minutes: 1, Text: 'x'.repeat(60_000) } };
  let reached = 1;
  // What the kernel takes for a player who does not read has a bound, too.
  for (let sent = 0; sent < 1_000 && reached > 0; ) {
    const { status, json } = await send(server, toPlayer(player.playerId), large);
    if (status === 200) {
      reached = Number(json.Connections);
      sent += 1;
    } else {
      assert.equal(status, 429);
      await pause(20);
    }
  }
  assert.equal(reached, 0);
});

test('operators may notify, and moderators and developers may not', async (t) => {
  const server = await openGame(t);
  const statusOf = async (role: Role) => {
    const { Statement } = policyOfRole(role, { game: GAME, stage: STAGE }) as { Statement: object[] };
    const credentials = await createKey(server, Statement);
    return (await rawCall(server, 'POST', TO_STAGE, { body: { ...STARTS, DryRun: true }, credentials })).status;
  };
  const credentials = await createKey(server, [
    { Effect: 'Allow', Action: 'respark:SendNotificationToStage', Resource: '*' },
  ]);
  const body = { ...STARTS, DryRun: true, Selector: { Address: '127.0.0.0/8' } };
  const { status, message } = await rawCall(server, 'POST', TO_STAGE, { body, credentials });
  assert.match(`${status} ${message}`, /^403 .*respark:ListConnections/, 'it could find out an address');
  assert.deepEqual(
    [await statusOf('operator'), await statusOf('moderator'), await statusOf('developer')],
    [200, 403, 403],
  );
});

test('"respark notify" tells how many have been reached, and asks before it is more than a hundred', async (t) => {
  const server = await openGame(t);
  const run = async (...args: string[]) => {
    const env = { AWS_ACCESS_KEY_ID: 'ROOTKEY', AWS_SECRET_ACCESS_KEY: 'root-secret-of-the-tests' };
    const world = createTestWorld({ env, local: { url: server.url } });
    const exitCode = await world.run('notify', TYPE, '{"Minutes": 3}', '--game', GAME, '--stage', STAGE, ...args);
    return { exitCode, out: world.out(), err: world.err() };
  };
  const players = await Promise.all(Array.from({ length: 101 }, () => server.connect()));
  const refused = await run();
  assert.deepEqual([refused.exitCode, refused.out], [1, '']);
  assert.match(refused.err, /^nothing was sent: 101 connections would get it; add --yes/);
  assert.match(
    (await run('--dry-run')).out,
    /^101 connections would get it \(on record as [\w-]+\)\n {2}\S+ {2}101\n$/,
  );
  const one = players[0] as TestPlayer;
  assert.match((await run('--player', one.playerId)).out, /^sent to 1 connection \(/);
  assert.equal(JSON.parse((await run('--yes', '--json')).out).Connections, 101);
  assert.deepEqual(
    [(await notificationsOf(one)).length, (await notificationsOf(players[1] as TestPlayer)).length],
    [2, 1],
  );
});
