import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  AccessDeniedException,
  CreateGameCommand,
  CreateStageCommand,
  DeleteStageCommand,
  DisconnectPlayerCommand,
  type GameSparksClient,
  GetGameCommand,
  GetPlayerConnectionStatusCommand,
  GetStageCommand,
  ListGamesCommand,
  ListStagesCommand,
} from '@aws-sdk/client-gamesparks';
import type { Settings } from '../../src/config/config.ts';
import { requestBytes } from '../fire/raw-http.ts';
import { administer, createKey } from '../support/administration.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { ROLE } from '../support/domain.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';
import { tlsFiles } from '../support/tls-files.ts';

const ARN = `arn:aws:gamesparks:us-east-1:000000000000:game/${GAME}`;
const DEV_ARN = `${ARN}/stage/${STAGE}`;
const LIVE = { GameName: GAME, StageName: 'Live' };
const DEV = { GameName: GAME, StageName: STAGE };
const PLAYERS = ['gamesparks:DisconnectPlayer', 'gamesparks:GetPlayerConnectionStatus'];

const aws = await findAwsCli();

/** A server with the stages Dev and Live, and clients whose keys may do what their statements say. */
async function start(t: TestContext, settings: Partial<Settings> = {}) {
  const server = await startTestServer(t, { settings });
  await server.sdk().send(new CreateStageCommand({ ...LIVE, Role: ROLE, Tags: { tier: 'live' } }));
  const keyFor = (...statements: object[]) => createKey(server, statements);
  const sdkFor = async (...statements: object[]) => server.sdk({ credentials: await keyFor(...statements) });
  return { ...server, keyFor, sdkFor };
}

const allow = (Action: string | string[], Resource: string | string[], more: object = {}) =>
  ({ Effect: 'Allow', Action, Resource, ...more }) as const;

const disconnect = (sdk: GameSparksClient, stage: typeof DEV, PlayerId = 'anybody') =>
  sdk.send(new DisconnectPlayerCommand({ ...stage, PlayerId }));
const status = (sdk: GameSparksClient, stage: typeof DEV, PlayerId = 'anybody') =>
  sdk.send(new GetPlayerConnectionStatusCommand({ ...stage, PlayerId }));

async function assertDenied(call: Promise<unknown>, message = /is not authorized to perform: gamesparks:/) {
  await assert.rejects(call, (error) => {
    assert(error instanceof AccessDeniedException, String(error));
    assert.equal(error.$metadata.httpStatusCode, 403);
    assert.match(error.message, message);
    return true;
  });
}

test('[aws-sdk] a moderator’s key is held to one stage, and works from the moment it is made', async (t) => {
  const server = await start(t);
  const player = await server.connect();
  const moderator = await server.sdkFor(allow(PLAYERS, DEV_ARN));
  const { Connections } = await status(moderator, DEV, player.playerId);
  assert.equal(Connections?.length, 1);
  const { DisconnectSuccesses } = await disconnect(moderator, DEV, player.playerId);
  assert.deepEqual(DisconnectSuccesses, [player.connectionId]);

  await assertDenied(
    disconnect(moderator, LIVE, 'P1'),
    new RegExp(
      `^User: arn:aws:iam::000000000000:access-key/RSPK\\w{16} is not authorized to perform: gamesparks:DisconnectPlayer on resource: ${ARN}/stage/Live/player/P1 because no identity-based policy allows the gamesparks:DisconnectPlayer action$`,
    ),
  );
  await assertDenied(disconnect(moderator, { GameName: 'Unknown', StageName: STAGE }), /Unknown/);
  await assertDenied(moderator.send(new GetStageCommand(DEV)));
  await assertDenied(moderator.send(new DeleteStageCommand(DEV)));
  await assertDenied(moderator.send(new ListGamesCommand({})));
});

test('[aws-cli] a moderator’s key is held to one stage', { skip: aws === undefined }, async (t) => {
  const server = await start(t);
  const credentials = await server.keyFor(allow('gamesparks:DisconnectPlayer', DEV_ARN));
  const call = async (stage: typeof DEV) =>
    await aws?.({
      ...{ endpoint: server.url, operation: 'DisconnectPlayer', credentials },
      input: { ...stage, PlayerId: 'P1' },
    });
  assert.deepEqual(await call(DEV), { DisconnectSuccesses: [], DisconnectFailures: [] });
  await assert.rejects(call(LIVE), { name: 'AccessDeniedException', message: /stage\/Live\/player\/P1 because/ });
});

test('[aws-sdk] a key may be held to some players', async (t) => {
  const server = await start(t);
  const sdk = await server.sdkFor(allow('gamesparks:Disconnect*', [`${DEV_ARN}/player/P*`, `${DEV_ARN}/player/q-?`]));
  for (const playerId of ['P', 'P12', 'q-1']) await disconnect(sdk, DEV, playerId);
  for (const playerId of ['p12', 'XP', 'q-12', 'q-']) await assertDenied(disconnect(sdk, DEV, playerId));
  await assertDenied(disconnect(sdk, LIVE, 'P12'));
});

test('[aws-sdk] an explicit deny wins, of the stage or of the player alone', async (t) => {
  const server = await start(t);
  const deny = (Resource: string) => ({ Effect: 'Deny', Action: 'gamesparks:DisconnectPlayer', Resource });
  const careful = await server.sdkFor(deny(`${DEV_ARN}/player/vip-*`), allow('*', '*'));
  await disconnect(careful, DEV, 'P1');
  await assertDenied(disconnect(careful, DEV, 'vip-1'), /with an explicit deny in an identity-based policy$/);
  await status(careful, DEV, 'vip-1');
  await disconnect(careful, LIVE, 'vip-1');

  const notHere = await server.sdkFor(allow('*', '*'), deny(DEV_ARN));
  await assertDenied(disconnect(notHere, DEV, 'P1'), /explicit deny/);
  await disconnect(notHere, LIVE, 'P1');
});

test('[aws-sdk] NotResource counts only when no name of the player’s is in it', async (t) => {
  const server = await start(t);
  const notResource = (Effect: string, NotResource: string) => ({ Effect, Action: PLAYERS, NotResource });
  const allButDev = await server.sdkFor(notResource('Allow', DEV_ARN));
  await assertDenied(disconnect(allButDev, DEV, 'P1'));
  await disconnect(allButDev, LIVE, 'P1');

  const allButVips = await server.sdkFor(notResource('Allow', `${DEV_ARN}/player/vip-*`));
  await assertDenied(disconnect(allButVips, DEV, 'vip-1'));
  await disconnect(allButVips, DEV, 'P1');

  const onlyDev = await server.sdkFor(allow(PLAYERS, '*'), notResource('Deny', DEV_ARN));
  await disconnect(onlyDev, DEV, 'P1');
  await assertDenied(disconnect(onlyDev, LIVE, 'P1'), /explicit deny/);
});

test('[aws-sdk] NotAction leaves out what it names', async (t) => {
  const server = await start(t);
  const sdk = await server.sdkFor({ Effect: 'Allow', NotAction: 'gamesparks:Delete*', Resource: '*' });
  await sdk.send(new GetStageCommand(DEV));
  await assertDenied(sdk.send(new DeleteStageCommand(DEV)));
});

test('[aws-sdk] an operation without a resource is allowed by "*" alone', async (t) => {
  const server = await start(t);
  const narrow = await server.sdkFor(allow('gamesparks:*', ['arn:aws:gamesparks:*:*:*', `${ARN}*`]));
  await assertDenied(narrow.send(new ListGamesCommand({})), /on resource: \* because/);
  await assertDenied(narrow.send(new CreateGameCommand({ GameName: 'New' })));
  await narrow.send(new GetGameCommand({ GameName: GAME }));
  await narrow.send(new ListStagesCommand({ GameName: GAME }));
  const wide = await server.sdkFor(allow('gamesparks:ListGames', '*'));
  assert.equal((await wide.send(new ListGamesCommand({}))).Games?.length, 1);
});

test('[aws-sdk] who may not see a stage does not learn whether it is there', async (t) => {
  const server = await start(t);
  const sdk = await server.sdkFor(allow(PLAYERS, `${ARN}/stage/None`));
  const message = async (StageName: string) =>
    await disconnect(sdk, { GameName: GAME, StageName }).catch((error: Error) =>
      error.message.replaceAll(StageName, 'S'),
    );
  assert.equal(await message('Live'), await message('Unknown'));
});

test('[aws-sdk] aws:SourceIp is the client’s own address, and a trusted proxy’s word for it', async (t) => {
  const server = await start(t, { trustedProxies: ['127.0.0.1'] });
  const at = (cidr: string) => allow('gamesparks:GetGame', '*', { Condition: { IpAddress: { 'aws:SourceIp': cidr } } });
  const getGame = new GetGameCommand({ GameName: GAME });
  await assertDenied((await server.sdkFor(at('127.0.0.0/8'))).send(getGame), /the address of the caller is not known/);
  await server.sdk().send(getGame);

  const credentials = await server.keyFor(at('192.0.2.0/24'));
  const from = async (address: string) =>
    (await rawCall(server, 'GET', `/game/${GAME}`, { credentials, headers: { 'x-forwarded-for': address } })).status;
  assert.deepEqual([await from('192.0.2.9'), await from('198.51.100.9')], [200, 403]);
});

test('a client that is no trusted proxy cannot claim an address', async (t) => {
  const server = await start(t);
  const Condition = { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } };
  const credentials = await server.keyFor(allow('gamesparks:GetGame', '*', { Condition }));
  const headers = { 'x-forwarded-for': '192.0.2.9' };
  assert.equal(
    (await rawCall(server, 'GET', `/game/${GAME}`, { credentials, headers })).error,
    'AccessDeniedException',
  );
});

test('[aws-sdk] aws:RequestTag and aws:TagKeys hold what is made to certain tags', async (t) => {
  const server = await start(t);
  const sdk = await server.sdkFor(
    allow('gamesparks:CreateGame', '*', {
      Condition: {
        StringEquals: { 'aws:RequestTag/team': ['red', 'blue'] },
        'ForAllValues:StringEquals': { 'aws:TagKeys': ['team', 'note'] },
      },
    }),
  );
  const create = (GameName: string, Tags?: Record<string, string>) =>
    sdk.send(new CreateGameCommand({ GameName, ...(Tags === undefined ? {} : { Tags }) }));
  await create('A', { team: 'red' });
  await create('B', { team: 'blue', note: 'x' });
  for (const tags of [undefined, { team: 'green' }, { note: 'x' }, { team: 'red', other: 'x' }]) {
    await assertDenied(create('C', tags));
  }
});

test('[aws-sdk] aws:ResourceTag is the tag of the stage that the call is about', async (t) => {
  const server = await start(t);
  const tagged = { Condition: { StringEquals: { 'aws:ResourceTag/tier': 'live' } } };
  const sdk = await server.sdkFor(allow('*', '*', tagged));
  await sdk.send(new GetStageCommand(LIVE));
  await disconnect(sdk, LIVE);
  await assertDenied(sdk.send(new GetStageCommand(DEV)));
  await assertDenied(disconnect(sdk, DEV));
  await assertDenied(sdk.send(new GetStageCommand({ ...LIVE, StageName: 'Unknown' })));
  const notLive = await server.sdkFor(allow('*', '*'), { Effect: 'Deny', Action: '*', Resource: '*', ...tagged });
  await assertDenied(notLive.send(new DeleteStageCommand(LIVE)), /explicit deny/);
  await notLive.send(new DeleteStageCommand(DEV));
});

test('[aws-sdk] aws:SecureTransport is true over TLS only', async (t) => {
  const { certFile, keyFile } = tlsFiles('first');
  const secure = allow('gamesparks:GetGame', '*', { Condition: { Bool: { 'aws:SecureTransport': 'true' } } });
  const plain = await start(t);
  await assertDenied((await plain.sdkFor(secure)).send(new GetGameCommand({ GameName: GAME })));
  const encrypted = await startTestServer(t, { settings: { tlsCertFile: certFile, tlsKeyFile: keyFile } });
  const credentials = await createKey(encrypted, [secure]);
  assert.equal((await rawCall(encrypted, 'GET', `/game/${GAME}`, { credentials })).status, 200);
});

test('[aws-sdk] aws:CurrentTime ends what a key may do', async (t) => {
  const server = await start(t);
  const until = (time: string) =>
    allow('gamesparks:GetGame', '*', { Condition: { DateLessThan: { 'aws:CurrentTime': time } } });
  const getGame = new GetGameCommand({ GameName: GAME });
  await (await server.sdkFor(until('2999-01-01T00:00:00Z'))).send(getGame);
  await assertDenied((await server.sdkFor(until('2020-01-01T00:00:00Z'))).send(getGame));
});

test('a policy that could not be honoured makes no key', async (t) => {
  const server = await start(t);
  const wrong: [object, RegExp][] = [
    [allow('gamesparks:DisconectPlayer', '*'), /matches no action/],
    [allow('*', 'arn:aws:s3:::bucket'), /must be/],
    [allow('*', '*', { Condition: { StringEquals: { 'aws:userid': 'x' } } }), /aws:userid/],
    [{ ...allow('*', '*'), Principal: '*' }, /unsupported element "Principal"/],
  ];
  for (const [statement, message] of wrong) await assert.rejects(server.keyFor(statement), message);
  assert.equal((await administer(server, (access) => access.listKeys())).length, 0);
});

test('a key that is revoked while the body of a call is under way is refused, and the call does nothing', async (t) => {
  const server = await start(t);
  const credentials = await server.keyFor(allow('*', '*'));
  const { hostname, port } = new URL(server.url);
  const bytes = requestBytes({ method: 'POST', path: '/game', body: '{"GameName":"TooLate"}', credentials });
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.write(bytes.subarray(0, -1));
  while (server.counts().inFlight === 0) await new Promise((resolve) => setImmediate(resolve));
  await administer(server, (access) => access.revokeKey(credentials.accessKeyId));
  socket.write(bytes.subarray(-1));
  const [answer] = await once(socket, 'data');
  assert.match(String(answer), /^HTTP\/1.1 403 /);
  assert.match(String(answer), /UnrecognizedClientException/);
  assert.equal((await rawCall(server, 'GET', '/game/TooLate')).status, 404);
});

test('[aws-sdk] a revoked key is refused at its next call, on a connection that is kept open too', async (t) => {
  const server = await start(t);
  const credentials = await server.keyFor(allow('*', '*'));
  const sdk = server.sdk({ credentials });
  await sdk.send(new ListGamesCommand({}));
  await administer(server, (access) => access.revokeKey(credentials.accessKeyId));
  await assert.rejects(sdk.send(new ListGamesCommand({})), { name: 'UnrecognizedClientException' });
  await server.sdk().send(new ListGamesCommand({}));
});

test('[aws-sdk] the root key is replaced under the running server', async (t) => {
  const settings = { rootAccessKeyId: undefined, rootSecretAccessKey: undefined };
  const server = await startTestServer(t, { settings });
  const { accessKeyId, secretAccessKey = '', credentialsFile = '' } = server.root;
  const before = server.sdk({ credentials: { accessKeyId, secretAccessKey } });
  await before.send(new ListGamesCommand({}));
  const credentials = await administer(server, (access) => access.rotateRoot());
  await assert.rejects(before.send(new ListGamesCommand({})), { name: 'UnrecognizedClientException' });
  await server.sdk({ credentials }).send(new ListGamesCommand({}));
  assert.deepEqual(JSON.parse(readFileSync(credentialsFile, 'utf8')), credentials);
});

test('[aws-sdk] a root key that the settings name is not replaced, and shuts out the stored one', async (t) => {
  const server = await start(t);
  const stored = await administer(server, (access) => access.ensureRoot());
  await assert.rejects(server.sdk({ credentials: stored }).send(new ListGamesCommand({})), {
    name: 'UnrecognizedClientException',
  });
  await server.sdk({ credentials: ROOT }).send(new ListGamesCommand({}));
});
