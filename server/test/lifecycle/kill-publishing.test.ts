import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as sdk from '@aws-sdk/client-gamesparks';
import { ROLE } from '../support/domain.ts';
import { GAME_DOCUMENT } from '../support/game-document.ts';
import { createWorkplace, type RunningServer } from '../support/process.ts';
import {
  createSnapshot,
  deploy,
  endOfDeployment,
  endOfJob,
  largeDocument,
  ON_STAGE,
  startDeployment,
  startJob,
  whenEnded,
} from '../support/publishing.ts';
import { GAME, STAGE, until } from '../support/server.ts';

const CALLS = 50;

/** There is room for all calls at once. */
const LIMITS = ['write-calls-burst', 'read-calls-burst', 'max-stages', 'max-generated-code-jobs'].flatMap((name) => [
  `--${name}`,
  `${2 * CALLS}`,
]);

/** The demo game on a server that can be killed; `serve` starts the next one on the same data. */
async function openPlace(t: TestContext) {
  const place = createWorkplace(t);
  const serve = () => place.serve(['--demo', ...LIMITS]);
  return { serve, server: await serve() };
}

async function kill(server: RunningServer): Promise<void> {
  server.child.kill('SIGKILL');
  assert.equal((await server.ended()).signal, 'SIGKILL');
}

/** Sends all calls at once and kills the server as soon as `count` are answered; what was answered until then. */
async function killAmidst<T>(server: RunningServer, count: number, call: (index: number) => Promise<T>): Promise<T[]> {
  const answered: T[] = [];
  const calls = Array.from({ length: CALLS }, async (_, index) => {
    answered.push(await call(index));
    if (answered.length === count) server.child.kill('SIGKILL');
  });
  for (const outcome of await Promise.allSettled(calls)) {
    if (outcome.status === 'fulfilled' || outcome.reason instanceof sdk.ConflictException) continue;
    assert(!(outcome.reason instanceof sdk.GameSparksServiceException), `refused instead of killed: ${outcome.reason}`);
  }
  assert.equal((await server.ended()).signal, 'SIGKILL');
  assert(answered.length >= count && answered.length < CALLS, `${answered.length} calls were answered`);
  return answered;
}

/** Clients that do not try a call again which the kill has cut off. */
const once = (server: RunningServer) => ({ sdk: () => server.sdk({ maxAttempts: 1 }) });

/** Every operation on the game, which ends with it being deleted and made again. */
async function assertEveryCallWorks(server: RunningServer): Promise<void> {
  const client = server.sdk();
  const game = { GameName: GAME };
  const live = { ...game, StageName: 'AfterTheKill' };
  await client.send(new sdk.GetGameCommand(game));
  await client.send(new sdk.UpdateGameCommand({ ...game, Description: 'after the kill' }));
  const { Games } = await client.send(new sdk.ListGamesCommand({}));
  assert.equal(Games?.length, 1);

  const SnapshotId = await createSnapshot(server, GAME_DOCUMENT);
  const { GameConfiguration } = await client.send(new sdk.GetGameConfigurationCommand(game));
  const [Section = ''] = Object.keys(GameConfiguration?.Sections ?? {});
  const Modifications = [{ Section, Operation: 'ADD', Path: '/Added', Value: {} } as const];
  await client.send(new sdk.UpdateGameConfigurationCommand({ ...game, Modifications }));
  const snapshot = { ...game, SnapshotId };
  await client.send(new sdk.GetSnapshotCommand(snapshot));
  await client.send(new sdk.UpdateSnapshotCommand({ ...snapshot, Description: 'after the kill' }));
  const { Snapshots } = await client.send(new sdk.ListSnapshotsCommand(game));
  assert.equal(Snapshots?.[0]?.Id, SnapshotId, 'the newest');
  const { S3Url = '' } = await client.send(new sdk.ExportSnapshotCommand(snapshot));
  assert.equal((await fetch(S3Url)).status, 200);

  const { Stage } = await client.send(new sdk.CreateStageCommand({ ...live, Role: ROLE }));
  await client.send(new sdk.UpdateStageCommand({ ...live, Description: 'after the kill' }));
  await client.send(new sdk.GetStageCommand(live));
  await client.send(new sdk.ListStagesCommand(game));
  const resource = { ResourceArn: Stage?.Arn ?? '' };
  await client.send(new sdk.TagResourceCommand({ ...resource, tags: { after: 'kill' } }));
  await client.send(new sdk.ListTagsForResourceCommand(resource));
  await client.send(new sdk.UntagResourceCommand({ ...resource, tagKeys: ['after'] }));

  await deploy(server, SnapshotId);
  const { DeploymentId } = await startDeployment(server, { SnapshotId, on: live });
  assert.equal((await endOfDeployment(server, DeploymentId, live))?.DeploymentState, 'COMPLETED');
  await client.send(new sdk.ListStageDeploymentsCommand(ON_STAGE));
  assert.equal((await endOfJob(server, SnapshotId, await startJob(server, SnapshotId))).Status, 'COMPLETED');
  await client.send(new sdk.ListGeneratedCodeJobsCommand(snapshot));

  const player = await server.connect({ gameKey: Stage?.GameKey ?? '' });
  const named = { ...live, PlayerId: player.playerId };
  await client.send(new sdk.GetPlayerConnectionStatusCommand(named));
  const { DisconnectSuccesses } = await client.send(new sdk.DisconnectPlayerCommand(named));
  assert.deepEqual(DisconnectSuccesses, [player.connectionId]);
  await client.send(new sdk.DeleteStageCommand(live));
  await client.send(new sdk.CreateStageCommand({ ...live, Role: ROLE }));
  await client.send(new sdk.DeleteGameCommand(game));
  await client.send(new sdk.CreateGameCommand(game));
}

async function listSnapshots(server: RunningServer): Promise<string[]> {
  const ids: string[] = [];
  for await (const { Snapshots = [] } of sdk.paginateListSnapshots({ client: server.sdk() }, { GameName: GAME })) {
    ids.push(...Snapshots.map(({ Id }) => String(Id)));
  }
  return ids;
}

test(`[aws-sdk] kill -9 in the middle of ${CALLS} CreateSnapshot loses none that was answered`, async (t) => {
  const { server, serve } = await openPlace(t);
  const answered = await killAmidst(server, 10, () => createSnapshot(once(server)));
  const next = await serve();
  const listed = await listSnapshots(next);
  for (const id of answered) assert(listed.includes(id), `${id} is lost`);
  assert(listed.length <= CALLS && new Set(listed).size === listed.length);
  await assertEveryCallWorks(next);
});

test(`[aws-sdk] kill -9 in the middle of ${CALLS} CreateStage leaves every name usable`, async (t) => {
  const { server, serve } = await openPlace(t);
  const create = async ({ sdk: open }: { sdk(): sdk.GameSparksClient }, index: number) => {
    const input = { GameName: GAME, StageName: `S${index}`, Role: ROLE };
    return (await open().send(new sdk.CreateStageCommand(input))).Stage;
  };
  const answered = await killAmidst(server, 10, (index) => create(once(server), index));
  const next = await serve();
  for (const stage of answered) {
    const read = new sdk.GetStageCommand({ GameName: GAME, StageName: stage?.Name });
    assert.deepEqual((await next.sdk().send(read)).Stage, stage);
  }
  const names = Array.from({ length: CALLS }, (_, index) => `S${index}`);
  for (const [index, name] of names.entries()) {
    const isTaken = await create(next, index).then(
      () => false,
      (error) => error instanceof sdk.ConflictException,
    );
    // What was not answered may have been made all the same.
    assert(isTaken || !answered.some((stage) => stage?.Name === name), `${name} was made again`);
  }
  const { Stages = [] } = await next.sdk().send(new sdk.ListStagesCommand({ GameName: GAME, MaxResults: 100 }));
  assert.deepEqual(new Set(Stages.map(({ Name }) => Name)), new Set([STAGE, ...names]));
  assert.equal(new Set(Stages.map(({ GameKey }) => GameKey)).size, CALLS + 1);
  await assertEveryCallWorks(next);
});

test(`[aws-sdk] kill -9 amidst ${CALLS} StartStageDeployment, and again amidst what they do, leaves none hanging`, async (t) => {
  const { server, serve } = await openPlace(t);
  const SnapshotId = await createSnapshot(server, largeDocument(1_000));
  const stages = Array.from({ length: 5 }, (_, index) => ({ GameName: GAME, StageName: `S${index}` }));
  for (const on of stages) await server.sdk().send(new sdk.CreateStageCommand({ ...on, Role: ROLE }));
  // One of each stage is taken; the others are conflicts while it is under way.
  const answered = await killAmidst(server, stages.length, async (index) => {
    const on = stages[index % stages.length] ?? ON_STAGE;
    return { on, deployment: await startDeployment(once(server), { SnapshotId, on }) };
  });

  const second = await serve();
  const statesIn = async (place: RunningServer) => {
    const reads = stages.map((on) => place.sdk().send(new sdk.ListStageDeploymentsCommand(on)));
    const lists = await Promise.all(reads);
    return lists.flatMap(({ StageDeployments = [] }) => StageDeployments.map(({ DeploymentState }) => DeploymentState));
  };
  await until(async () => (await statesIn(second)).includes('IN_PROGRESS'));
  await kill(second);

  const third = await serve();
  for (const { on, deployment } of answered) {
    const ended = await endOfDeployment(third, deployment.DeploymentId, on);
    assert.deepEqual(ended?.DeploymentResult, { Message: '', ResultCode: 'SUCCESS' });
  }
  // Also those that were started without an answer.
  const states = await whenEnded(
    () => statesIn(third),
    (seen) => seen.find((state) => state === 'PENDING' || state === 'IN_PROGRESS') ?? 'COMPLETED',
  );
  assert.deepEqual(new Set(states), new Set(['COMPLETED']));
  await assertEveryCallWorks(third);
});

test(`[aws-sdk] kill -9 in the middle of ${CALLS} StartGeneratedCodeJob leaves none hanging`, async (t) => {
  const { server, serve } = await openPlace(t);
  const SnapshotId = await createSnapshot(server, GAME_DOCUMENT);
  const answered = await killAmidst(server, 10, () => startJob(once(server), SnapshotId));
  const next = await serve();
  for (const id of answered) {
    const { Status, S3Url = '' } = await endOfJob(next, SnapshotId, id);
    assert.equal(Status, 'COMPLETED');
    assert.equal((await fetch(S3Url)).status, 200);
  }
  await assertEveryCallWorks(next);
});
