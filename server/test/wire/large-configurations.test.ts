import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { CreateStageCommand, DisconnectPlayerCommand, GetStageDeploymentCommand } from '@aws-sdk/client-gamesparks';
import { closeCode } from '@respark/protocol';
import { ROLE } from '../support/domain.ts';
import { createSnapshot, endOfDeployment, largeDocument, ON_STAGE, startDeployment } from '../support/publishing.ts';
import { GAME, startTestServer, type TestServer, until } from '../support/server.ts';

/** With a snapshot of a megabyte. */
async function openLarge(t: TestContext) {
  const server = await startTestServer(t);
  const document = largeDocument();
  assert(document.length > 950_000 && document.length <= 1_024_000, `${document.length} bytes`);
  return { server, SnapshotId: await createSnapshot(server, document) };
}

async function untilBegun(server: TestServer): Promise<void> {
  await until(async () => (await stateOf(server)) !== 'PENDING');
  assert.equal(await stateOf(server), 'IN_PROGRESS');
}

async function stateOf(server: TestServer): Promise<string | undefined> {
  return (await server.sdk().send(new GetStageDeploymentCommand(ON_STAGE))).StageDeployment?.DeploymentState;
}

test('[aws-sdk] players come and are disconnected while a megabyte is examined', async (t) => {
  const { server, SnapshotId } = await openLarge(t);
  const disconnectOne = async () => {
    const player = await server.connect();
    const { DisconnectSuccesses } = await server
      .sdk()
      .send(new DisconnectPlayerCommand({ ...ON_STAGE, PlayerId: player.playerId }));
    assert.deepEqual(DisconnectSuccesses, [player.connectionId]);
    assert.equal((await player.closed).code, closeCode('disconnected'));
  };
  await disconnectOne();
  const { DeploymentId } = await startDeployment(server, { SnapshotId });
  await untilBegun(server);
  // An examination on the server's own thread would have ended before the first of them.
  for (let count = 0; count < 3; count += 1) await disconnectOne();
  assert.equal(await stateOf(server), 'IN_PROGRESS');
  assert.equal((await endOfDeployment(server, DeploymentId))?.DeploymentState, 'COMPLETED');
});

test('[aws-sdk] a server stops in the middle of deployments, and the next one ends what it has left', async (t) => {
  const { server, SnapshotId } = await openLarge(t);
  const smaller = await createSnapshot(server, largeDocument(500));
  const { DeploymentId } = await startDeployment(server, { SnapshotId });
  const others = ['Second', 'Third', 'Fourth'].map((StageName) => ({ GameName: GAME, StageName }));
  for (const on of others) {
    await server.sdk().send(new CreateStageCommand({ ...on, Role: ROLE }));
    await startDeployment(server, { SnapshotId: smaller, on });
  }
  await untilBegun(server);
  await server.close();
  const failures = server.logged.filter(({ level }) => Number(level) >= 50);
  assert.deepEqual(failures, [], 'everything was released in time');
  const endings = server.logged.filter(({ msg }) => msg === 'deployment ended');
  assert(endings.length < 4, 'it has not waited for those that had not begun');
  const restarted = await startTestServer(t, { dataDir: server.dataDir });
  assert.equal((await endOfDeployment(restarted, DeploymentId))?.DeploymentState, 'COMPLETED');
  for (const on of others) {
    assert.equal((await endOfDeployment(restarted, undefined, on))?.DeploymentState, 'COMPLETED');
  }
});
