import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CreateGameCommand,
  CreateStageCommand,
  DeleteGameCommand,
  DeleteStageCommand,
  DisconnectPlayerCommand,
  type GameSparksClient,
  GetGameCommand,
  GetPlayerConnectionStatusCommand,
  GetStageCommand,
  ListGamesCommand,
  ListStagesCommand,
  UpdateGameCommand,
  UpdateStageCommand,
} from '@aws-sdk/client-gamesparks';
import { parseCloseReason } from '@respark/protocol';
import { OPERATIONS } from '../../src/api/operations/index.ts';
import type { AuditRecord } from '../../src/store/audit-log.ts';
import { createKey, readAudit } from '../support/administration.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { ROLE } from '../support/domain.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer } from '../support/server.ts';

const ARN = 'arn:aws:gamesparks:us-east-1:000000000000:game';

type Answer = Promise<{ $metadata: { requestId?: string | undefined } }>;
type Line = TestServer['logged'][number];

const audited = ({ logged }: TestServer): Line[] => logged.filter(({ msg }) => msg === 'audited call');

/** What the log says of a call is what the record says of it. */
function assertSameInLog(line: Line | undefined, record: AuditRecord): void {
  const { at: _, outcome, ...intent } = record;
  const { level, time: __, msg: ___, ...facts } = line ?? {};
  assert.equal(level, 30);
  assert.deepEqual(facts, JSON.parse(JSON.stringify({ ...intent, ...outcome })));
}

test('[aws-sdk] every operation that changes something leaves a record in the store and in the log', async (t) => {
  const server = await startTestServer(t);
  const sdk = server.sdk({ maxAttempts: 1 });
  const [game, stage] = [{ GameName: 'Shop' }, { GameName: 'Shop', StageName: 'Live' }];
  const calls: [name: string, resource: string, call: (client: GameSparksClient) => Answer][] = [
    ['CreateGame', `${ARN}/Shop`, (c) => c.send(new CreateGameCommand(game))],
    ['UpdateGame', `${ARN}/Shop`, (c) => c.send(new UpdateGameCommand({ ...game, Description: 'words' }))],
    ['CreateStage', `${ARN}/Shop/stage/Live`, (c) => c.send(new CreateStageCommand({ ...stage, Role: ROLE }))],
    ['UpdateStage', `${ARN}/Shop/stage/Live`, (c) => c.send(new UpdateStageCommand({ ...stage, Role: ROLE }))],
    [
      'DisconnectPlayer',
      `${ARN}/Shop/stage/Live/player/p-1`,
      (c) => c.send(new DisconnectPlayerCommand({ ...stage, PlayerId: 'p-1' })),
    ],
    ['DeleteStage', `${ARN}/Shop/stage/Live`, (c) => c.send(new DeleteStageCommand(stage))],
    ['DeleteGame', `${ARN}/Shop`, (c) => c.send(new DeleteGameCommand(game))],
  ];
  const ids: unknown[] = [];
  for (const [, , call] of calls) ids.push((await call(sdk)).$metadata.requestId);

  const found = await readAudit(server);
  // Those of the same millisecond are in no order.
  const records = ids.flatMap((id) => found.filter(({ requestId }) => requestId === id));
  assert.equal(records.length, found.length);
  assert.deepEqual(
    records.map(({ operation, resource }) => [operation, resource]),
    calls.map(([name, resource]) => [name, resource]),
  );
  for (const { accessKeyId, sourceAddress, playerId, operation, outcome } of records) {
    assert.deepEqual([accessKeyId, sourceAddress], [ROOT.accessKeyId, '127.0.0.1']);
    assert.equal(playerId, operation === 'DisconnectPlayer' ? 'p-1' : undefined);
    assert.equal(outcome?.status, 200, operation);
  }
  const changes = OPERATIONS.filter(({ throttleClass }) => throttleClass !== 'read').map(({ name }) => name);
  assert.deepEqual(calls.map(([name]) => name).sort(), changes.sort(), 'none is missing here');

  const lines = audited(server);
  assert.equal(lines.length, records.length);
  for (const [index, record] of records.entries()) assertSameInLog(lines[index], record);
  const everything = JSON.stringify([server.logged, records]);
  for (const secret of [ROOT.secretAccessKey, 'Signature=', 'AWS4-HMAC', server.gameKey, 'words']) {
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
  const outcomes = (await readAudit(server)).map(({ outcome }) => [outcome?.status, outcome?.error]);
  assert.deepEqual(outcomes, [
    [409, 'ConflictException'],
    [404, 'ResourceNotFoundException'],
  ]);
});

test('[aws-sdk] neither reads nor calls that were refused leave a record', async (t) => {
  const server = await startTestServer(t);
  const sdk = server.sdk({ maxAttempts: 1 });
  const [game, stage] = [{ GameName: GAME }, { GameName: GAME, StageName: STAGE }];
  await sdk.send(new ListGamesCommand({}));
  await sdk.send(new GetGameCommand(game));
  await sdk.send(new ListStagesCommand(game));
  await sdk.send(new GetStageCommand(stage));
  await sdk.send(new GetPlayerConnectionStatusCommand({ ...stage, PlayerId: 'p' }));
  const reader = await createKey(server, [{ Effect: 'Allow', Action: 'gamesparks:Get*', Resource: '*' }]);
  const forbidden = server.sdk({ credentials: reader, maxAttempts: 1 });
  const disconnect = new DisconnectPlayerCommand({ ...stage, PlayerId: 'p' });
  await assert.rejects(forbidden.send(disconnect), { name: 'AccessDeniedException' });
  const forged = server.sdk({ credentials: { ...ROOT, secretAccessKey: 'guess' }, maxAttempts: 1 });
  await assert.rejects(forged.send(disconnect), { name: 'InvalidSignatureException' });
  await assert.rejects(sdk.send(new CreateGameCommand({ GameName: '' })), { name: 'ValidationException' });
  assert.deepEqual(await readAudit(server), []);
  assert.deepEqual(audited(server), []);
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
    accessKeyId: moderator.accessKeyId,
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
    [record?.accessKeyId, record?.playerId, record?.outcome?.successes],
    [ROOT.accessKeyId, player.playerId, [player.connectionId]],
  );
});
