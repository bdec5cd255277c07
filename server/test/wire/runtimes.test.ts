import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DisconnectPlayerCommand, ExportSnapshotCommand, GetStageDeploymentCommand } from '@aws-sdk/client-gamesparks';
import { closeCode } from '@respark/protocol';
import { fileOf } from '../support/game-document.ts';
import {
  createSnapshot,
  deploy,
  endOfDeployment,
  endOfJob,
  largeDocument,
  ON_STAGE,
  startDeployment,
  startJob,
} from '../support/publishing.ts';
import {
  assertNothingLeft,
  GAME,
  NO_SEND_LIMITS,
  startTestServer,
  type TestPlayer,
  type TestServer,
  until,
} from '../support/server.ts';

const PLAYERS = 200;

async function connectMany(server: TestServer, count: number): Promise<TestPlayer[]> {
  return await Promise.all(Array.from({ length: count }, () => server.connect()));
}

function endedRuntimes(server: TestServer): unknown[] {
  const ended = server.logged.filter(({ msg }) => msg === 'old runtime ended with its last connection');
  return ended.map(({ runtimeId }) => runtimeId);
}

async function closeAll(players: readonly TestPlayer[]): Promise<void> {
  for (const { ws } of players) ws.close();
  await Promise.all(players.map(({ closed }) => closed));
}

test(`[ws] ${PLAYERS} players play through a deployment, and the old runtime goes with the last of them`, async (t) => {
  const server = await startTestServer(t, { settings: { ...NO_SEND_LIMITS, handshakesPerSecondPerAddress: 10_000 } });
  const SnapshotId = await createSnapshot(server, largeDocument(500));
  const early = await connectMany(server, PLAYERS);
  assert.equal(server.counts().runtimes, 1);
  const [first, last, ...others] = early;
  assert(first !== undefined && last !== undefined);
  const token = await first.token();

  const { DeploymentId = '' } = await startDeployment(server, { SnapshotId });
  // Players come and play while it is under way, and are on the one runtime or on the other.
  const meanwhile: TestPlayer[] = [];
  const isUnderWay = async () =>
    (await server.sdk().send(new GetStageDeploymentCommand(ON_STAGE))).StageDeployment?.DeploymentResult === undefined;
  do {
    meanwhile.push(await server.connect());
    await Promise.all(early.map((player) => player.token()));
  } while (await isUnderWay());
  assert.equal((await endOfDeployment(server, DeploymentId))?.DeploymentState, 'COMPLETED');

  const late = await connectMany(server, 20);
  const again = await server.connect({ token });
  await Promise.all([...early, ...meanwhile, ...late].map((player) => player.token()));
  assert.equal(server.counts().sockets, PLAYERS + meanwhile.length + late.length + 1, 'nobody was dropped');
  assert.equal(server.counts().runtimes, 2);
  assert.match(await (await fetch(server.metricsUrl)).text(), /^respark_runtimes 2$/m);

  const { DisconnectSuccesses, DisconnectFailures } = await server
    .sdk()
    .send(new DisconnectPlayerCommand({ ...ON_STAGE, PlayerId: first.playerId }));
  assert.deepEqual(DisconnectSuccesses?.sort(), [first.connectionId, again.connectionId].sort());
  assert.deepEqual(DisconnectFailures, []);
  for (const { closed } of [first, again]) assert.equal((await closed).code, closeCode('disconnected'));

  await closeAll([...others, ...meanwhile]);
  await until(() => server.counts().sockets === late.length + 1);
  assert.deepEqual([server.counts().runtimes, endedRuntimes(server)], [2, []], 'the old one has a player left');
  await last.token();
  await closeAll([last]);
  await until(() => server.counts().runtimes === 1);
  assert.deepEqual(endedRuntimes(server), ['empty']);
  await Promise.all(late.map((player) => player.token()));
  await closeAll(late);
  await assertNothingLeft(server);
  assert.equal(endedRuntimes(server).length, 1, 'the newest runtime is only empty');
});

test('[ws] each deployment makes a runtime, and each old one goes with its own last player', async (t) => {
  const server = await startTestServer(t);
  const SnapshotId = await createSnapshot(server);
  const players = [await server.connect()];
  const runtimes = ['empty'];
  for (let count = 0; count < 3; count += 1) {
    runtimes.push(await deploy(server, SnapshotId));
    players.push(await server.connect());
  }
  assert.equal(server.counts().runtimes, 4);
  const [empty, one, two] = runtimes;
  for (const [index, gone] of [
    [1, [one]],
    [0, [one, empty]],
    [3, [one, empty]],
    [2, [one, empty, two]],
  ] as const) {
    players[index]?.ws.close();
    await until(
      () => server.counts().sockets === server.counts().runtimes && endedRuntimes(server).length === gone.length,
    );
    assert.deepEqual(endedRuntimes(server), gone);
  }
  await assertNothingLeft(server);
});

test('[ws] connections that never get to be listed leave no runtime behind', async (t) => {
  const server = await startTestServer(t, { settings: { maxConnectionsPerPlayer: 1 } });
  const player = await server.connect();
  const token = await player.token();
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await assert.rejects(server.connect({ token }), /closed with 4506/);
  }
  assert.equal(server.counts().runtimes, 1);
  player.ws.terminate();
  await assertNothingLeft(server);
});

test('[aws-sdk] what is exported or generated is had under the URL of the listener', async (t) => {
  const server = await startTestServer(t);
  const document = fileOf({ 'My.Section': { a: [1, null] } });
  const SnapshotId = await createSnapshot(server, document);
  const { S3Url = '' } = await server.sdk().send(new ExportSnapshotCommand({ GameName: GAME, SnapshotId }));
  assert.ok(S3Url.startsWith(`${server.url}/download/`), S3Url);
  assert.deepEqual(await (await fetch(S3Url)).json(), JSON.parse(String(document)));

  const { S3Url: zipUrl = '' } = await endOfJob(server, SnapshotId, await startJob(server, SnapshotId));
  assert.ok(zipUrl.startsWith(`${server.url}/download/`), zipUrl);
  assert.equal((await fetch(zipUrl)).headers.get('content-type'), 'application/zip');
});

test('[aws-sdk] downloads begin with the public URL of the settings', async (t) => {
  const server = await startTestServer(t, { settings: { publicUrl: 'https://respark.example/base' } });
  const ofSnapshot = { GameName: GAME, SnapshotId: await createSnapshot(server) };
  const { S3Url = '' } = await server.sdk().send(new ExportSnapshotCommand(ofSnapshot));
  assert.ok(S3Url.startsWith('https://respark.example/base/download/'), S3Url);
  const local = await fetch(S3Url.replace('https://respark.example/base', server.url));
  assert.equal(local.status, 200);
});
