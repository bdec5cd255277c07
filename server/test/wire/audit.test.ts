import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import {
  CreateGameCommand,
  CreateSnapshotCommand,
  CreateStageCommand,
  DeleteGameCommand,
  DeleteStageCommand,
  DisconnectPlayerCommand,
  ExportSnapshotCommand,
  GetGameCommand,
  GetGameConfigurationCommand,
  GetGeneratedCodeJobCommand,
  GetPlayerConnectionStatusCommand,
  GetStageCommand,
  GetStageDeploymentCommand,
  ImportGameConfigurationCommand,
  ListExtensionsCommand,
  ListGamesCommand,
  ListGeneratedCodeJobsCommand,
  ListSnapshotsCommand,
  ListStagesCommand,
  ListTagsForResourceCommand,
  StartGeneratedCodeJobCommand,
  StartStageDeploymentCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateGameCommand,
  UpdateGameConfigurationCommand,
  UpdateSnapshotCommand,
  UpdateStageCommand,
} from '@aws-sdk/client-gamesparks';
import { ResparkClient } from '@respark/client';
import { parseCloseReason } from '@respark/protocol';
import { EVERY_OPERATION } from '../../src/api/every-operation.ts';
import type { AuditRecord } from '../../src/store/audit/audit-log.ts';
import { createKey, readAudit } from '../support/administration.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { ROLE } from '../support/domain.ts';
import { fileOf } from '../support/game-document.ts';
import { whenEnded } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer } from '../support/server.ts';

const ARN = 'arn:aws:gamesparks:us-east-1:000000000000:game';
/** The configuration that is imported. */
const FILE = fileOf({ ...scriptedGame({ notifications: { Starts: {} } }), 'My.Section': {} });

type Answer = { readonly $metadata: { readonly requestId?: string | undefined } };
type Line = TestServer['logged'][number];

const audited = ({ logged }: TestServer): Line[] =>
  logged.filter((line) => line.msg === 'audited call' && line.cause === 'operator' && line.sourceAddress !== '');

/** What the log says of a call is what the record says of it. */
function assertSameInLog(line: Line | undefined, record: AuditRecord): void {
  const { at: _, outcome, ...intent } = record;
  const { level, time: __, msg: ___, ...facts } = line ?? {};
  assert.equal(level, 30);
  assert.deepEqual(facts, JSON.parse(JSON.stringify({ ...intent, ...outcome })));
}

/** Calls every operation that changes something; what they are to be on record as, and what is not to be on record. */
async function makeEveryChange(server: TestServer) {
  const sdk = server.sdk({ maxAttempts: 1 });
  const made: { readonly requestId: string | undefined; readonly operation: string; readonly resource: string }[] = [];
  async function note<Output extends Answer>(operation: string, resource: string, call: Promise<Output>) {
    const output = await call;
    made.push({ requestId: output.$metadata.requestId, operation, resource });
    return output;
  }

  const [game, stage] = [{ GameName: 'Shop' }, { GameName: 'Shop', StageName: 'Live' }];
  const [shop, live] = [`${ARN}/Shop`, `${ARN}/Shop/stage/Live`];
  await note('CreateGame', shop, sdk.send(new CreateGameCommand(game)));
  await note('UpdateGame', shop, sdk.send(new UpdateGameCommand({ ...game, Description: 'words' })));
  await note('CreateStage', live, sdk.send(new CreateStageCommand({ ...stage, Role: ROLE })));
  await note('UpdateStage', live, sdk.send(new UpdateStageCommand({ ...stage, Role: ROLE })));
  const tagged = { ResourceArn: live, tags: { team: 'words' } };
  await note('TagResource', live, sdk.send(new TagResourceCommand(tagged)));
  const untagged = { ResourceArn: shop, tagKeys: ['team'] };
  await note('UntagResource', shop, sdk.send(new UntagResourceCommand(untagged)));

  const source = { ...game, ImportSource: { File: FILE } };
  await note('ImportGameConfiguration', shop, sdk.send(new ImportGameConfigurationCommand(source)));
  const Modifications = [{ Section: 'My.Section', Operation: 'ADD', Path: '/a', Value: 'words' } as const];
  const update = new UpdateGameConfigurationCommand({ ...game, Modifications });
  await note('UpdateGameConfiguration', shop, sdk.send(update));

  const { Snapshot } = await note('CreateSnapshot', shop, sdk.send(new CreateSnapshotCommand(game)));
  const snapshot = { ...game, SnapshotId: Snapshot?.Id };
  const copy = `${shop}/snapshot/${Snapshot?.Id}`;
  const described = { ...snapshot, Description: 'words' };
  await note('UpdateSnapshot', copy, sdk.send(new UpdateSnapshotCommand(described)));
  const { S3Url = '' } = await note('ExportSnapshot', copy, sdk.send(new ExportSnapshotCommand(snapshot)));
  assert.equal((await fetch(S3Url)).status, 200);
  const generate = new StartGeneratedCodeJobCommand({ ...snapshot, Generator: {} });
  const { GeneratedCodeJobId: JobId } = await note('StartGeneratedCodeJob', copy, sdk.send(generate));
  // As long as the job has not ended there is no URL, and no record.
  await whenEnded(
    () => sdk.send(new ListGeneratedCodeJobsCommand({ ...snapshot, MaxResults: 1 })),
    ({ GeneratedCodeJobs = [], $metadata }) => {
      const [job] = GeneratedCodeJobs;
      if (job?.S3Url !== undefined) {
        made.push({ requestId: $metadata.requestId, operation: 'ListGeneratedCodeJobs', resource: copy });
      }
      return job?.Status;
    },
  );
  await note('GetGeneratedCodeJob', copy, sdk.send(new GetGeneratedCodeJobCommand({ ...snapshot, JobId })));
  const deploy = new StartStageDeploymentCommand({ ...stage, ...snapshot });
  await note('StartStageDeployment', live, sdk.send(deploy));
  await whenEnded(
    () => sdk.send(new GetStageDeploymentCommand(stage)),
    ({ StageDeployment }) => StageDeployment?.DeploymentState,
  );

  const { headers, json } = await rawCall(server, 'POST', '/respark/game/Shop/stage/Live/player/p-1/token');
  made.push({
    requestId: String(headers['x-amzn-requestid']),
    operation: 'CreatePlayerToken',
    resource: `${live}/player/p-1`,
  });
  const set = await rawCall(server, 'PUT', '/respark/game/Shop/stage/Live/identity', { body: { AllowGuests: true } });
  made.push({ requestId: String(set.headers['x-amzn-requestid']), operation: 'UpdateStageIdentity', resource: live });
  // The newest snapshot of a game, and one that is in use, cannot be deleted.
  const spare = await note('CreateSnapshot', shop, sdk.send(new CreateSnapshotCommand(game)));
  await note('CreateSnapshot', shop, sdk.send(new CreateSnapshotCommand(game)));
  const removed = await rawCall(server, 'DELETE', `/respark/game/Shop/snapshot/${spare.Snapshot?.Id}`);
  made.push({
    requestId: String(removed.headers['x-amzn-requestid']),
    operation: 'DeleteSnapshot',
    resource: `${shop}/snapshot/${spare.Snapshot?.Id}`,
  });
  made.push(...(await makeLiveChanges(server, json as unknown as { AuthenticationToken: string; GameKey: string })));
  const disconnect = new DisconnectPlayerCommand({ ...stage, PlayerId: 'p-1' });
  await note('DisconnectPlayer', `${live}/player/p-1`, sdk.send(disconnect));
  await note('DeleteStage', live, sdk.send(new DeleteStageCommand(stage)));
  await note('DeleteGame', shop, sdk.send(new DeleteGameCommand(game)));
  // Whoever runs the server would now stop it.
  const node = String((await rawCall(server, 'GET', '/respark/server')).json.Node);
  const drained = await rawCall(server, 'POST', `/respark/node/${node}/drain`);
  const requestId = String(drained.headers['x-amzn-requestid']);
  made.push({ requestId, operation: 'DrainNode', resource: `node/${node}` });
  return { made, secrets: ['words', new URL(S3Url).pathname.split('/')[2] ?? ''] };
}

/** A key that is made and revoked again. */
async function noteKeys(server: TestServer, made: { requestId: string; operation: string; resource: string }[]) {
  const asked = { body: { Role: 'viewer' } };
  const created = await rawCall(server, 'POST', '/respark/access-key', asked);
  assert.equal(created.status, 200, created.message);
  const { AccessKeyId: id } = created.json.AccessKey as { AccessKeyId: string };
  const revoked = await rawCall(server, 'DELETE', `/respark/access-key/${id}`);
  const lent = await rawCall(server, 'POST', '/respark/access-key', { body: { Role: 'viewer', LifetimeSeconds: 60 } });
  const { AccessKeyId: accessKeyId } = lent.json.AccessKey as { AccessKeyId: string };
  const credentials = { accessKeyId, secretAccessKey: String(lent.json.SecretAccessKey) };
  const given = await rawCall(server, 'DELETE', '/respark/own-access-key', { credentials });
  assert.equal(given.status, 200, given.message);
  for (const [operation, { headers }, key] of [
    ['CreateAccessKey', created, id],
    ['RevokeAccessKey', revoked, id],
    ['CreateAccessKey', lent, accessKeyId],
    ['RevokeOwnAccessKey', given, accessKeyId],
  ] as const)
    made.push({
      requestId: String(headers['x-amzn-requestid']),
      operation,
      resource: `arn:aws:iam::000000000000:access-key/${key}`,
    });
}

/** The changes that keep players out of the stage and let them in again, and those of a webhook. */
async function makeLiveChanges(
  server: TestServer,
  { AuthenticationToken: token, GameKey: gameKey }: { AuthenticationToken: string; GameKey: string },
) {
  const made: { readonly requestId: string; readonly operation: string; readonly resource: string }[] = [];
  const second = await createKey(server, [{ Effect: 'Allow', Action: 'respark:ConfirmDisconnectJob', Resource: '*' }]);
  async function note(operation: string, resource: string, method: string, path: string, body?: object) {
    const credentials = operation === 'ConfirmDisconnectJob' ? second : ROOT;
    const asked = { body, credentials };
    const { headers, status, json, message } = await rawCall(server, method, `/respark/game/Shop${path}`, asked);
    assert.equal(status, 200, `${operation}: ${message}`);
    made.push({ requestId: String(headers['x-amzn-requestid']), operation, resource });
    return json;
  }

  const [shop, live] = [`${ARN}/Shop`, `${ARN}/Shop/stage/Live`];
  const client = new ResparkClient({ url: server.playerUrl, gameKey, token });
  await client.connect();
  await noteKeys(server, made);
  const said = { Type: 'Custom.Game.Starts', Payload: {} };
  await note('SendNotificationToPlayer', `${live}/player/p-1`, 'POST', '/stage/Live/player/p-1/notification', said);
  await note('SendNotificationToStage', live, 'POST', '/stage/Live/notification', said);
  await note('PlayRehearsedEnd', `${live}/player/p-1`, 'POST', '/stage/Live/player/p-1/rehearsal', { End: 'KICKED' });
  await note('DeletePlayerData', `${live}/player/p-1`, 'DELETE', '/stage/Live/player/p-1/data');
  client.close();
  const first = Array.from({ length: 5 }, () => new ResparkClient({ url: server.playerUrl, gameKey, token }));
  await Promise.all(first.map((client) => client.connect()));
  const jobs = '/stage/Live/disconnect-job';
  const job = { Selector: { PlayerIds: ['p-1'] }, RatePerSecond: 1 };
  const idOf = (reply: unknown) => (reply as { Job: { JobId: string } }).Job.JobId;
  await note('StartDisconnectJob', live, 'POST', jobs, { ...job, DryRun: true });
  const awaiting = idOf(await note('StartDisconnectJob', live, 'POST', jobs, { ...job, ConfirmAbove: 0 }));
  const begun = idOf(await note('StartDisconnectJob', live, 'POST', jobs, job));
  for (const verb of ['Pause', 'Resume', 'Cancel'])
    await note(`${verb}DisconnectJob`, live, 'POST', `${jobs}/${begun}/${verb.toLowerCase()}`);
  await note('ConfirmDisconnectJob', live, 'POST', `${jobs}/${awaiting}/confirm`);
  for (const one of first) one.close();
  for (const [suffix, path, resource] of [
    ['', '/stage/Live/player/p-1', `${live}/player/p-1`],
    ['InGame', '/player/p-1', shop],
  ] as const) {
    await note(`BlockPlayer${suffix}`, resource, 'POST', `${path}/block`, {});
    await note(`UnblockPlayer${suffix}`, resource, 'DELETE', `${path}/block`);
    await note(`RevokePlayerTokens${suffix}`, resource, 'POST', `${path}/token/revocation`);
  }
  await note('CloseStageToPlayers', live, 'POST', '/stage/Live/closure', {});
  await note('OpenStageToPlayers', live, 'DELETE', '/stage/Live/closure');
  const { Webhook } = await note('CreateWebhook', shop, 'POST', '/webhook', { Url: 'https://hooks.example/respark' });
  const path = `/webhook/${(Webhook as { Id: string }).Id}`;
  await note('UpdateWebhook', shop, 'PATCH', path, { Description: 'words', IsEnabled: false });
  await note('ReplayWebhook', shop, 'POST', `${path}/replay`, { Since: '2026-01-01T00:00:00Z' });
  await note('TestWebhook', shop, 'POST', `${path}/test`);
  await note('DeleteWebhook', shop, 'DELETE', path);
  return made;
}

test('[aws-sdk] every operation that changes something leaves a record in the store and in the log', async (t) => {
  const server = await startTestServer(t);
  const { made, secrets } = await makeEveryChange(server);
  const found = await readAudit(server);
  // Those of the same millisecond are in no order.
  const records = made.flatMap(({ requestId: id }) => found.filter(({ requestId }) => requestId === id));
  assert.equal(records.length, found.length);
  assert.deepEqual(
    records.map(({ operation, resource }) => [operation, resource]),
    made.map(({ operation, resource }) => [operation, resource]),
  );
  for (const { actor, sourceAddress, playerId, operation, outcome } of records) {
    assert.equal(actor === ROOT.accessKeyId, !/ConfirmDisconnectJob|OwnAccessKey/.test(operation));
    assert.equal(sourceAddress, '127.0.0.1');
    assert.equal(playerId, /Player(?!s$)|RehearsedEnd/.test(operation) ? 'p-1' : undefined);
    assert.ok(outcome, operation);
    assert.equal(outcome.error, undefined, operation);
  }
  const created = records.find(({ operation }) => operation === 'CreateWebhook');
  const { webhookId, ...rest } = created?.details ?? {};
  assert.deepEqual(rest, { host: 'hooks.example' });
  const updated = records.find(({ operation }) => operation === 'UpdateWebhook');
  assert.deepEqual(updated?.details, { webhookId, isEnabled: 'false' });
  const detailsOf = (name: string) => records.find(({ operation }) => operation === name)?.details;
  const { tagsDigest = '', ...tagged } = detailsOf('TagResource') ?? {};
  assert.deepEqual(tagged, { tagKeys: 'team' });
  assert.match(tagsDigest, /^[0-9a-f]{64}$/);
  assert.deepEqual(detailsOf('UntagResource'), { tagKeys: 'team' });
  assert.deepEqual(detailsOf('ImportGameConfiguration'), { fileDigest: hash('sha256', FILE, 'hex') });
  const { sections, modificationsDigest } = detailsOf('UpdateGameConfiguration') ?? {};
  assert.match(`${sections} ${modificationsDigest}`, /^My\.Section [0-9a-f]{64}$/);
  assert.match(detailsOf('StartStageDeployment')?.snapshotId ?? '', /^Snapshot_/);
  const changes = EVERY_OPERATION.filter(({ throttleClass }) => throttleClass !== 'read').map(({ name }) => name);
  assert.deepEqual([...new Set(made.map(({ operation }) => operation))].sort(), changes.sort(), 'none is missing here');

  const lines = audited(server);
  assert.equal(lines.length, records.length);
  for (const [index, record] of records.entries()) assertSameInLog(lines[index], record);
  const everything = JSON.stringify([server.logged, records]);
  for (const secret of [ROOT.secretAccessKey, 'Signature=', 'AWS4-HMAC', server.gameKey, ...secrets]) {
    assert(!everything.includes(secret), secret);
  }
});

test('[aws-sdk] a call that fails after it was allowed is on record with its error', async (t) => {
  const server = await startTestServer(t);
  const sdk = server.sdk({ maxAttempts: 1 });
  await assert.rejects(sdk.send(new CreateGameCommand({ GameName: GAME })), { name: 'ConflictException' });
  await assert.rejects(sdk.send(new DisconnectPlayerCommand({ GameName: GAME, StageName: 'Nowhere', PlayerId: 'p' })), {
    name: 'ResourceNotFoundException',
  });
  const outcomes = (await readAudit(server)).map(({ outcome }) => outcome?.error);
  assert.deepEqual(outcomes, ['conflict', 'not_found']);
});

test('[aws-sdk] calls that no policy allows leave a record, reads and calls without a valid signature none', async (t) => {
  const server = await startTestServer(t);
  const sdk = server.sdk({ maxAttempts: 1 });
  const [game, stage] = [{ GameName: GAME }, { GameName: GAME, StageName: STAGE }];
  await sdk.send(new ListGamesCommand({}));
  await sdk.send(new GetGameCommand(game));
  await sdk.send(new ListStagesCommand(game));
  await sdk.send(new GetStageCommand(stage));
  await sdk.send(new GetGameConfigurationCommand(game));
  await sdk.send(new ListSnapshotsCommand(game));
  await sdk.send(new ListExtensionsCommand({}));
  await sdk.send(new ListTagsForResourceCommand({ ResourceArn: `${ARN}/${GAME}` }));
  await sdk.send(new GetPlayerConnectionStatusCommand({ ...stage, PlayerId: 'p' }));
  const reader = await createKey(server, [{ Effect: 'Allow', Action: 'gamesparks:Get*', Resource: '*' }]);
  const forbidden = server.sdk({ credentials: reader, maxAttempts: 1 });
  const disconnect = new DisconnectPlayerCommand({ ...stage, PlayerId: 'p' });
  await assert.rejects(forbidden.send(disconnect), { name: 'AccessDeniedException' });
  const forged = server.sdk({ credentials: { ...ROOT, secretAccessKey: 'guess' }, maxAttempts: 1 });
  await assert.rejects(forged.send(disconnect), { name: 'InvalidSignatureException' });
  await assert.rejects(sdk.send(new CreateGameCommand({ GameName: '' })), { name: 'ValidationException' });
  const [record, ...others] = await readAudit(server);
  assert.ok(record);
  assert.deepEqual(others, []);
  assert.equal(record.actor, reader.accessKeyId);
  assert.equal(record.resource, `${ARN}/${GAME}/stage/${STAGE}/player/p`);
  assert.deepEqual(record.details, { action: 'gamesparks:DisconnectPlayer', count: '1' });
  assert.equal(record.outcome?.error, 'access_denied');
  const lines = audited(server);
  assert.equal(lines.length, 1);
  assertSameInLog(lines[0], record);
  const [refused, ...more] = server.logged.filter(({ msg }) => msg === 'call refused: not authenticated');
  assert.deepEqual(more, []);
  const { level, accessKeyId, sourceAddress, operation, cause } = refused ?? {};
  assert.deepEqual(
    [level, accessKeyId, sourceAddress, operation, cause],
    [30, ROOT.accessKeyId, '127.0.0.1', 'DisconnectPlayer', 'InvalidSignatureException'],
  );
});

test('[aws-sdk] a disconnect has one request id for its caller, the log, the record and the player', async (t) => {
  const server = await startTestServer(t);
  const first = await server.connect();
  const second = await server.connect({ token: await first.token() });
  const moderator = await createKey(server, [
    { Effect: 'Allow', Action: 'gamesparks:DisconnectPlayer', Resource: '*' },
  ]);
  const startedAt = Date.now();
  const { $metadata, DisconnectSuccesses = [] } = await server
    .sdk({ credentials: moderator })
    .send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: first.playerId }));
  const { requestId } = $metadata;

  for (const { code, reason } of await Promise.all([first.closed, second.closed])) {
    assert.equal(code, 4500);
    assert.equal(parseCloseReason(reason).requestId, requestId);
  }
  const [record, ...others] = await readAudit(server, { playerId: first.playerId });
  assert(record !== undefined && others.length === 0);
  const { at, outcome, ...intent } = record;
  assert.deepEqual(intent, {
    requestId,
    cause: 'operator',
    actor: moderator.accessKeyId,
    sourceAddress: '127.0.0.1',
    operation: 'DisconnectPlayer',
    resource: `${ARN}/${GAME}/stage/${STAGE}/player/${first.playerId}`,
    playerId: first.playerId,
  });
  assert(at >= startedAt && at <= Date.now());
  assert.deepEqual(outcome?.successes, DisconnectSuccesses);
  assert.deepEqual([...DisconnectSuccesses].sort(), [first.connectionId, second.connectionId].sort());
  assert.deepEqual(outcome?.failures, []);
  assert(outcome.durationMs > 0 && outcome.durationMs < 20_000);
  const lines = audited(server);
  assert.equal(lines.length, 1);
  assertSameInLog(lines[0], record);
  const stopped = server.logged.filter(({ msg }) => msg === 'connection stopped');
  assert.deepEqual(
    stopped.map((line) => line.requestId),
    [requestId, requestId],
  );
});

test('[aws-sdk] records are there when the server is started again', async (t) => {
  const server = await startTestServer(t);
  await server.sdk().send(new CreateGameCommand({ GameName: 'Shop' }));
  await server.close();
  const again = await startTestServer(t, { dataDir: server.dataDir });
  await again.sdk().send(new DeleteGameCommand({ GameName: 'Shop' }));
  assert.deepEqual(
    (await readAudit(again)).map(({ operation }) => operation),
    ['CreateGame', 'DeleteGame'],
  );
});

const aws = await findAwsCli();

test('[aws-cli] a disconnect by the AWS CLI is on record under its access key', {
  skip: aws === undefined && 'no AWS CLI that knows GameSparks is installed',
}, async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  await aws?.({
    endpoint: server.url,
    operation: 'DisconnectPlayer',
    input: { GameName: GAME, StageName: STAGE, PlayerId: player.playerId },
    credentials: ROOT,
  });
  const [record] = await readAudit(server, { operation: 'DisconnectPlayer' });
  assert.deepEqual(
    [record?.actor, record?.playerId, record?.outcome?.successes],
    [ROOT.accessKeyId, player.playerId, [player.connectionId]],
  );
});
