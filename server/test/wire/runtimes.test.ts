import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CreateSnapshotCommand,
  DisconnectPlayerCommand,
  ExportSnapshotCommand,
  GetGeneratedCodeJobCommand,
  GetStageDeploymentCommand,
  ImportGameConfigurationCommand,
  StartGeneratedCodeJobCommand,
  StartStageDeploymentCommand,
} from '@aws-sdk/client-gamesparks';
import { assertNothingLeft, GAME, STAGE, startTestServer, type TestServer, until } from '../support/server.ts';

const ON_STAGE = { GameName: GAME, StageName: STAGE };

async function createSnapshot(server: TestServer): Promise<string> {
  const { Snapshot } = await server.sdk().send(new CreateSnapshotCommand({ GameName: GAME }));
  return Snapshot?.Id ?? '';
}

/** Deploys a new snapshot and resolves with the id of the deployment when it is completed. */
async function deploy(server: TestServer): Promise<string> {
  const sdk = server.sdk();
  const SnapshotId = await createSnapshot(server);
  const { StageDeployment: started } = await sdk.send(new StartStageDeploymentCommand({ ...ON_STAGE, SnapshotId }));
  for (;;) {
    const { StageDeployment: now } = await sdk.send(new GetStageDeploymentCommand(ON_STAGE));
    assert.equal(now?.DeploymentId, started?.DeploymentId);
    if (now?.DeploymentState === 'COMPLETED') return now?.DeploymentId ?? '';
    assert.notEqual(now?.DeploymentState, 'FAILED', now?.DeploymentResult?.Message);
  }
}

test('[ws] players stay on the runtime that they opened on, and an old one goes with its last player', async (t) => {
  const server = await startTestServer(t);
  const early = await Promise.all(Array.from({ length: 20 }, () => server.connect()));
  assert.equal(server.counts().runtimes, 1);
  await deploy(server);
  const runtimeId = await deploy(server);
  const [first] = early;
  const token = await first?.token();
  const again = await server.connect({ token: token ?? '' });
  const late = await Promise.all(Array.from({ length: 5 }, () => server.connect()));
  assert.equal(server.counts().runtimes, 2);
  assert.equal(server.counts().sockets, 26, 'nobody was dropped');
  const metrics = await (await fetch(server.metricsUrl)).text();
  assert.match(metrics, /^respark_runtimes 2$/m);

  const player = { ...ON_STAGE, PlayerId: again.playerId };
  const { DisconnectSuccesses } = await server.sdk().send(new DisconnectPlayerCommand(player));
  assert.deepEqual(DisconnectSuccesses?.sort(), [first?.connectionId, again.connectionId].sort());

  const ended = () => server.logged.filter(({ msg }) => msg === 'old runtime ended with its last connection');
  assert.deepEqual(ended(), []);
  for (const { ws } of early) ws.close();
  await until(() => server.counts().runtimes === 1);
  assert.deepEqual(ended().map((line) => line.runtimeId), ['empty']);
  for (const { ws } of late) ws.close();
  await assertNothingLeft(server);
  assert.ok(runtimeId !== '' && ended().length === 1, 'the newest runtime is only empty');
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
  const sdk = server.sdk();
  const document = { Document: { Type: 'Game', Sections: { 'My.Section': { a: [1, null] } } } };
  const File = Buffer.from(JSON.stringify(document));
  await sdk.send(new ImportGameConfigurationCommand({ GameName: GAME, ImportSource: { File } }));
  const ofSnapshot = { GameName: GAME, SnapshotId: await createSnapshot(server) };
  const { S3Url: exported = '' } = await sdk.send(new ExportSnapshotCommand(ofSnapshot));
  assert.ok(exported.startsWith(`${server.url}/download/`), exported);
  assert.deepEqual(await (await fetch(exported)).json(), document);

  const command = new StartGeneratedCodeJobCommand({ ...ofSnapshot, Generator: {} });
  const { GeneratedCodeJobId: JobId } = await sdk.send(command);
  let url: string | undefined;
  while (url === undefined) {
    const { GeneratedCodeJob: job } = await sdk.send(new GetGeneratedCodeJobCommand({ ...ofSnapshot, JobId }));
    assert.notEqual(job?.Status, 'FAILED', job?.Description);
    url = job?.S3Url;
  }
  const zip = await fetch(url);
  assert.equal(zip.headers.get('content-type'), 'application/zip');
  assert.equal(Buffer.from(await zip.arrayBuffer()).toString('latin1', 0, 2), 'PK');
});

test('[aws-sdk] downloads begin with the public URL of the settings', async (t) => {
  const server = await startTestServer(t, { settings: { publicUrl: 'https://respark.example/base' } });
  const ofSnapshot = { GameName: GAME, SnapshotId: await createSnapshot(server) };
  const { S3Url = '' } = await server.sdk().send(new ExportSnapshotCommand(ofSnapshot));
  assert.ok(S3Url.startsWith('https://respark.example/base/download/'), S3Url);
  const local = await fetch(S3Url.replace('https://respark.example/base', server.url));
  assert.equal(local.status, 200);
});

test('[aws-sdk] a deployment that a stop has interrupted is ended by the next start', async (t) => {
  const server = await startTestServer(t);
  const SnapshotId = await createSnapshot(server);
  const sent = server.sdk().send(new StartStageDeploymentCommand({ ...ON_STAGE, SnapshotId }));
  const { StageDeployment: started } = await sent;
  await server.close();
  const restarted = await startTestServer(t, { dataDir: server.dataDir });
  for (;;) {
    const { StageDeployment: now } = await restarted.sdk().send(new GetStageDeploymentCommand(ON_STAGE));
    assert.equal(now?.DeploymentId, started?.DeploymentId);
    if (now?.DeploymentState === 'COMPLETED') return;
    assert.notEqual(now?.DeploymentState, 'FAILED');
  }
});
