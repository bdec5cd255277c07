import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConflictException,
  CreateSnapshotCommand,
  CreateStageCommand,
  ListStagesCommand,
  paginateListSnapshots,
  paginateListStageDeployments,
} from '@aws-sdk/client-gamesparks';
import { ROLE } from '../support/domain.ts';
import { createSnapshot, endOfDeployment, largeDocument, ON_STAGE, startDeployment } from '../support/publishing.ts';
import { GAME, STAGE, startTestServer, type TestServer } from '../support/server.ts';

const CALLS = 50;
/** Fewer, because each is examined by a thread of its own. */
const DEPLOYMENTS = 15;
const SETTINGS = { readCallsBurst: 10_000, writeCallsBurst: 10_000 };

/** Makes all calls at once; those that are refused must be so with a ConflictException that says `why`. */
async function callAtOnce<T>(call: (index: number) => Promise<T>, why: RegExp, count = CALLS) {
  const settled = await Promise.allSettled(Array.from({ length: count }, (_, index) => call(index)));
  const made: T[] = [];
  for (const outcome of settled) {
    if (outcome.status === 'fulfilled') made.push(outcome.value);
    else {
      assert(outcome.reason instanceof ConflictException, outcome.reason);
      assert.match(outcome.reason.message, why);
    }
  }
  return { made, refused: count - made.length };
}

const snapshotIn = async (server: TestServer) =>
  (await server.sdk().send(new CreateSnapshotCommand({ GameName: GAME }))).Snapshot?.Id ?? '';

const stageIn = async (server: TestServer, StageName: string) =>
  (await server.sdk().send(new CreateStageCommand({ GameName: GAME, StageName, Role: ROLE }))).Stage;

async function listSnapshots(server: TestServer): Promise<string[]> {
  const ids: string[] = [];
  for await (const { Snapshots = [] } of paginateListSnapshots({ client: server.sdk() }, { GameName: GAME })) {
    ids.push(...Snapshots.map(({ Id }) => String(Id)));
  }
  return ids;
}

async function listDeployments(server: TestServer) {
  const all = [];
  for await (const { StageDeployments = [] } of paginateListStageDeployments(
    { client: server.sdk() },
    { ...ON_STAGE },
  )) {
    all.push(...StageDeployments);
  }
  return all;
}

test(`[aws-sdk] ${CALLS} snapshots at once have an id each, and are listed by it`, async (t) => {
  const server = await startTestServer(t, { settings: SETTINGS });
  const { made, refused } = await callAtOnce(() => snapshotIn(server), /never/);
  assert.deepEqual([refused, new Set(made).size], [0, CALLS]);
  for (const id of made) assert.match(id, /^Snapshot_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.deepEqual(await listSnapshots(server), made.sort().reverse());
});

test(`[aws-sdk] of ${CALLS} snapshots at once as many are made as there is room for`, async (t) => {
  const server = await startTestServer(t, { settings: { ...SETTINGS, maxSnapshots: 30 } });
  const { made } = await callAtOnce(() => snapshotIn(server), /30 snapshots, as many as this server allows/);
  assert.deepEqual(await listSnapshots(server), made.sort().reverse());
  assert.equal(made.length, 30);
});

test(`[aws-sdk] of ${CALLS} stages of one name at once one is made`, async (t) => {
  const server = await startTestServer(t, { settings: SETTINGS });
  const { made } = await callAtOnce(() => stageIn(server, 'Live'), /"Live" already exists/);
  assert.equal(made.length, 1);
  const { Stages } = await server.sdk().send(new ListStagesCommand({ GameName: GAME }));
  assert.deepEqual(
    Stages?.map(({ Name, GameKey }) => [Name, GameKey]),
    [
      [STAGE, server.gameKey],
      ['Live', made[0]?.GameKey],
    ],
  );
});

test(`[aws-sdk] of ${CALLS} stages at once as many are made as there is room for, with a key each`, async (t) => {
  const server = await startTestServer(t, { settings: { ...SETTINGS, maxStages: 21 } });
  const { made } = await callAtOnce(
    (index) => stageIn(server, `S${index}`),
    /21 stages, as many as this server allows/,
  );
  assert.equal(made.length, 20);
  const { Stages = [] } = await server.sdk().send(new ListStagesCommand({ GameName: GAME, MaxResults: 100 }));
  const keys = new Map(Stages.map(({ Name, GameKey }) => [Name, GameKey]));
  for (const stage of made) assert.equal(keys.get(stage?.Name), stage?.GameKey);
  assert.equal(new Set(keys.values()).size, 21);
});

test(`[aws-sdk] of ${CALLS} deployments at once none begins before the one before it has ended`, async (t) => {
  const server = await startTestServer(t, { settings: SETTINGS });
  const SnapshotId = await createSnapshot(server, largeDocument());
  const underWay = /deployment \S+ of stage "Dev" is still under way/;
  const { made, refused } = await callAtOnce(() => startDeployment(server, { SnapshotId }), underWay);
  // The first one may end while the others are still on their way.
  assert(made.length > 0 && refused > 0, `${refused} refused`);
  await endOfDeployment(server);
  const listed = await listDeployments(server);
  assert.deepEqual(
    listed.map(({ DeploymentId }) => DeploymentId).sort(),
    made.map(({ DeploymentId }) => DeploymentId).sort(),
  );
  const created = new Map(made.map(({ DeploymentId, Created }) => [DeploymentId, Number(Created)]));
  for (const [index, { DeploymentId, DeploymentState }] of listed.entries()) {
    assert.equal(DeploymentState, 'COMPLETED');
    const ended = Number(listed[index + 1]?.LastUpdated ?? 0);
    assert((created.get(DeploymentId) ?? 0) >= ended, 'the one before it had not ended');
  }
});

test(`[aws-sdk] ${CALLS} deployments at once under one ClientToken are one`, async (t) => {
  const server = await startTestServer(t, { settings: SETTINGS });
  const SnapshotId = await createSnapshot(server);
  const ClientToken = 't'.repeat(33);
  const { made, refused } = await callAtOnce(() => startDeployment(server, { SnapshotId, ClientToken }), /never/);
  assert.deepEqual([refused, new Set(made.map(({ DeploymentId }) => DeploymentId)).size], [0, 1]);
  await endOfDeployment(server);
  assert.equal((await listDeployments(server)).length, 1);
});

test('[aws-sdk] snapshots, stages and deployments of one game at once do not hinder each other', async (t) => {
  const server = await startTestServer(t, { settings: SETTINGS });
  const SnapshotId = await createSnapshot(server);
  const [snapshots, deployed] = await Promise.all([
    callAtOnce(() => snapshotIn(server), /never/),
    callAtOnce(
      async (index) => {
        await stageIn(server, `S${index}`);
        const on = { GameName: GAME, StageName: `S${index}` };
        const { DeploymentId } = await startDeployment(server, { SnapshotId, on });
        return await endOfDeployment(server, DeploymentId, on);
      },
      /never/,
      DEPLOYMENTS,
    ),
  ]);
  assert.equal(new Set(snapshots.made).size, CALLS);
  assert.deepEqual(new Set(deployed.made.map((deployment) => deployment?.DeploymentState)), new Set(['COMPLETED']));
  assert.equal(deployed.made.length, DEPLOYMENTS);
});
