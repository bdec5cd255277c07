import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConflictException,
  CreateGameCommand,
  CreateSnapshotCommand,
  CreateStageCommand,
  DeleteStageCommand,
  GetStageDeploymentCommand,
  ListStageDeploymentsCommand,
  paginateListStageDeployments,
  ResourceNotFoundException,
  StartStageDeploymentCommand,
  UpdateStageCommand,
  ValidationException,
} from '@aws-sdk/client-gamesparks';
import type { Sections } from '../../src/domain/configuration/document.ts';
import { createKey } from '../support/administration.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { ROLE } from '../support/domain.ts';
import { fileOf, GAME_DOCUMENT } from '../support/game-document.ts';
import {
  createSnapshot,
  deploy,
  endOfDeployment,
  largeDocument,
  ON_STAGE,
  startDeployment,
  whenEnded,
} from '../support/publishing.ts';
import { GAME, startTestServer, type TestServer } from '../support/server.ts';

/** Of the right form; no game has it. */
const NO_SNAPSHOT = 'Snapshot_2026-01-02T03:04:05.000000Z';

async function createStage(server: TestServer, StageName: string, GameName = GAME) {
  const { Stage } = await server.sdk().send(new CreateStageCommand({ GameName, StageName, Role: ROLE }));
  return { GameName, StageName, gameKey: Stage?.GameKey ?? '' };
}

const aws = await findAwsCli();

testEachClient(aws, 'a snapshot is deployed, and its deployment read and listed', async (t, client) => {
  const server = await startTestServer(t);
  const SnapshotId = await createSnapshot(server, GAME_DOCUMENT);
  const earlier = await deploy(server, SnapshotId);
  const call = client.open(server);
  const earliest = Date.now();
  const { StageDeployment: started, ...rest } = await call('StartStageDeployment', { ...ON_STAGE, SnapshotId });
  assert.deepEqual(rest, {});
  const { Created, DeploymentId = '' } = started ?? {};
  assert(Created instanceof Date && Created.getTime() >= earliest && Created.getTime() <= Date.now());
  assert.notEqual(DeploymentId, earlier);
  const begun = { DeploymentAction: 'DEPLOY', DeploymentId, DeploymentState: 'PENDING', SnapshotId };
  assert.deepEqual(started, { ...begun, Created, LastUpdated: Created });

  const ended = await whenEnded(
    () => call('GetStageDeployment', ON_STAGE),
    ({ StageDeployment }) => StageDeployment?.DeploymentState,
  );
  const LastUpdated = ended.StageDeployment?.LastUpdated;
  assert(LastUpdated instanceof Date && LastUpdated >= Created && LastUpdated.getTime() <= Date.now());
  const DeploymentResult = { Message: '', ResultCode: 'SUCCESS' };
  const summary = { ...begun, DeploymentState: 'COMPLETED', DeploymentResult, LastUpdated };
  assert.deepEqual(ended, { StageDeployment: { ...summary, Created } });
  assert.deepEqual(await call('GetStageDeployment', { ...ON_STAGE, DeploymentId }), ended);

  const first = await call('GetStageDeployment', { ...ON_STAGE, DeploymentId: earlier });
  const { Created: _, ...firstSummary } = first.StageDeployment ?? {};
  assert.deepEqual(firstSummary, { ...summary, DeploymentId: earlier, LastUpdated: firstSummary.LastUpdated });
  assert.deepEqual(await call('ListStageDeployments', ON_STAGE), { StageDeployments: [summary, firstSummary] });
});

test('[aws-sdk] its paginator gives every deployment of one stage once, the newest first', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  const { gameKey: _, ...other } = await createStage(server, 'Other');
  const SnapshotId = await createSnapshot(server);
  const ids: string[] = [];
  for (let count = 0; count < 5; count += 1) ids.unshift(await deploy(server, SnapshotId));
  await startDeployment(server, { SnapshotId, on: other });

  const pages: (string | undefined)[][] = [];
  let token = '';
  const listing = paginateListStageDeployments({ client, pageSize: 2 }, { ...ON_STAGE });
  for await (const { StageDeployments = [], NextToken } of listing) {
    pages.push(StageDeployments.map(({ DeploymentId }) => DeploymentId));
    token = NextToken ?? token;
    // What is started meanwhile is on no page that follows.
    if (pages.length === 1) await deploy(server, SnapshotId);
  }
  assert.deepEqual(pages, [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
  const ofAnotherStage = client.send(new ListStageDeploymentsCommand({ ...other, NextToken: token }));
  await assert.rejects(ofAnotherStage, ValidationException);
});

const FAULTY: Sections = {
  'GameSparks.Core.Model': {
    Ping: { Structure: { Fields: { at: { Shape: 'Moment', Cardinality: 'Required' } } } },
    Suit: { Enum: { Values: ['Hearts', 'Hearts'] } },
  },
  'GameSparks.Core.Requests': { Ping: { AllowedSources: ['Player'], RequestShape: 'Ping', ResponseShape: 'Pong' } },
  'GameSparks.Core.RequestHandlers': {
    Ping: { Enabled: true, Code: { Script: 'return 1;\nreturn (;', ScriptLanguage: 'Javascript_ES5_1' } },
    Pong: { Enabled: true, Code: { Script: '', ScriptLanguage: 'Javascript_ES5_1' } },
  },
};

const FAULTS = [
  /^GameSparks\.Core\.Model at "\/Ping\/Structure\/Fields\/at\/Shape" .*"Moment"/,
  /^GameSparks\.Core\.Model at "\/Suit\/Enum\/Values\/1" repeats "Hearts"/,
  /^GameSparks\.Core\.Requests at "\/Ping\/ResponseShape" .*"Pong"/,
  /^GameSparks\.Core\.RequestHandlers at "\/Ping\/Code\/Script" does not parse, line 2, column 9:/,
  /^GameSparks\.Core\.RequestHandlers at "\/Pong" handles nothing/,
];

test('[aws-sdk] a failed deployment lists every fault, and the runtime stays what it was', async (t) => {
  const server = await startTestServer(t);
  const working = await deploy(server, await createSnapshot(server, GAME_DOCUMENT));
  const player = await server.connect();
  // A work in progress may be kept and copied.
  const SnapshotId = await createSnapshot(server, fileOf(FAULTY));
  const { DeploymentId = '' } = await startDeployment(server, { SnapshotId });
  const failed = await endOfDeployment(server, DeploymentId);
  assert.equal(failed?.DeploymentState, 'FAILED');
  assert.equal(failed?.DeploymentResult?.ResultCode, 'UNSPECIFIED_FAILURE');
  const [title, ...faults] = failed?.DeploymentResult?.Message?.split('\n') ?? [];
  assert.equal(title, 'the snapshot cannot be deployed:');
  assert.equal(faults.length, FAULTS.length, faults.join('\n'));
  for (const fault of FAULTS)
    assert(
      faults.some((line) => fault.test(line)),
      `${fault}: ${faults.join('\n')}`,
    );

  const { StageDeployments } = await server.sdk().send(new ListStageDeploymentsCommand(ON_STAGE));
  assert.deepEqual(
    StageDeployments?.map(({ DeploymentId: id, DeploymentState }) => [id, DeploymentState]),
    [
      [DeploymentId, 'FAILED'],
      [working, 'COMPLETED'],
    ],
  );
  await server.connect();
  assert.equal(server.counts().runtimes, 1, 'new connections open where the earlier ones are');
  await player.token();
  await deploy(server, await createSnapshot(server, GAME_DOCUMENT));
});

test('[aws-sdk] a hundred faults are listed, and how many more there are', async (t) => {
  const server = await startTestServer(t);
  const shapes = Array.from({ length: 150 }, (_, index) => [`S${index}`, { List: { Shape: `Unknown${index}` } }]);
  const SnapshotId = await createSnapshot(server, fileOf({ 'GameSparks.Core.Model': Object.fromEntries(shapes) }));
  await startDeployment(server, { SnapshotId });
  const failed = await endOfDeployment(server);
  const lines = failed?.DeploymentResult?.Message?.split('\n') ?? [];
  assert.equal(lines.length, 1 + 100 + 1);
  assert.match(lines.at(-1) ?? '', /and 50 more/);
});

test('[aws-sdk] a role that is not allowed fails a deployment, until the stage has another', async (t) => {
  const server = await startTestServer(t, { settings: { allowedRoles: ['arn:aws:iam::*:role/Game*'] } });
  const SnapshotId = await createSnapshot(server);
  await server.sdk().send(new UpdateStageCommand({ ...ON_STAGE, Role: ROLE }));
  await startDeployment(server, { SnapshotId });
  const failed = await endOfDeployment(server);
  assert.equal(failed?.DeploymentState, 'FAILED');
  assert.equal(failed?.DeploymentResult?.ResultCode, 'INVALID_ROLE_FAILURE');
  const message = failed?.DeploymentResult?.Message ?? '';
  assert(message.includes(ROLE) && message.includes('arn:aws:iam::*:role/Game*'), message);
  const Role = 'arn:aws:iam::123456789012:role/GameDeployment-Demo';
  await server.sdk().send(new UpdateStageCommand({ ...ON_STAGE, Role }));
  await deploy(server, SnapshotId);
});

test('[aws-sdk] a ClientToken makes one deployment, also while it runs, and is void with its stage', async (t) => {
  const server = await startTestServer(t);
  const ClientToken = 't'.repeat(33);
  const SnapshotId = await createSnapshot(server, largeDocument(500));
  const start = (input: object = {}) => startDeployment(server, { SnapshotId, ClientToken, ...input });
  const { gameKey: _, ...live } = await createStage(server, 'Live');

  const made = await start();
  const { DeploymentState: _state, LastUpdated: _updated, ...again } = await start();
  assert.deepEqual(again, { ...again, DeploymentId: made.DeploymentId, Created: made.Created, SnapshotId });
  const ended = await endOfDeployment(server, made.DeploymentId);
  assert.deepEqual(await start(), ended, 'as it is by now');
  await assert.rejects(start({ on: live }), ConflictException);
  await assert.rejects(start({ SnapshotId: await createSnapshot(server) }), ConflictException);
  // The token is another principal's own.
  const credentials = await createKey(server, [{ Effect: 'Allow', Action: '*', Resource: '*' }]);
  const another = await startDeployment({ sdk: () => server.sdk({ credentials }) }, { SnapshotId, ClientToken });
  assert.notEqual(another.DeploymentId, made.DeploymentId);

  await server.sdk().send(new DeleteStageCommand(ON_STAGE));
  await createStage(server, ON_STAGE.StageName);
  assert.notEqual((await start()).DeploymentId, made.DeploymentId);
});

test('[aws-sdk] a stage has one deployment under way, and stages of one game deploy side by side', async (t) => {
  const server = await startTestServer(t);
  const SnapshotId = await createSnapshot(server, largeDocument(500));
  const { gameKey: _, ...live } = await createStage(server, 'Live');
  const { DeploymentId = '' } = await startDeployment(server, { SnapshotId });
  await assert.rejects(startDeployment(server, { SnapshotId }), (error) => {
    assert(error instanceof ConflictException);
    assert.match(error.message, new RegExp(`deployment ${DeploymentId} of stage "Dev" is still under way`));
    return true;
  });
  await startDeployment(server, { SnapshotId, on: live });
  const ended = [await endOfDeployment(server), await endOfDeployment(server, undefined, live)];
  assert.deepEqual(
    ended.map((deployment) => deployment?.DeploymentState),
    ['COMPLETED', 'COMPLETED'],
  );
  await deploy(server, SnapshotId);
});

test('[aws-sdk] what is another’s is not found: a game’s snapshot, a stage’s deployment', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  await client.send(new CreateGameCommand({ GameName: 'Other' }));
  const { gameKey: _, ...other } = await createStage(server, 'Dev', 'Other');
  const { Snapshot } = await client.send(new CreateSnapshotCommand({ GameName: 'Other' }));
  await assert.rejects(startDeployment(server, { SnapshotId: Snapshot?.Id ?? '' }), ResourceNotFoundException);
  const DeploymentId = await deploy(server);
  const elsewhere = client.send(new GetStageDeploymentCommand({ ...other, DeploymentId }));
  await assert.rejects(elsewhere, new RegExp(`there is no deployment "${DeploymentId}" of stage`));
});

test('[aws-sdk] a stage of the name of one deleted in the middle of a deployment knows nothing of it', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  const SnapshotId = await createSnapshot(server, largeDocument(500));
  const { DeploymentId = '' } = await startDeployment(server, { SnapshotId });
  await client.send(new DeleteStageCommand(ON_STAGE));
  await createStage(server, ON_STAGE.StageName);
  for (const input of [ON_STAGE, { ...ON_STAGE, DeploymentId }]) {
    await assert.rejects(client.send(new GetStageDeploymentCommand(input)), ResourceNotFoundException);
  }
  await assert.rejects(
    client.send(new StartStageDeploymentCommand({ ...ON_STAGE, SnapshotId: NO_SNAPSHOT })),
    ResourceNotFoundException,
  );
  await deploy(server, SnapshotId);
  const { StageDeployments } = await client.send(new ListStageDeploymentsCommand(ON_STAGE));
  assert.equal(StageDeployments?.length, 1);
});
