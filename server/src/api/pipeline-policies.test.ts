import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, openApi } from '../../test/support/api.ts';
import { CHANGE, ROLE } from '../../test/support/domain.ts';
import { COMMON_ERRORS, operation } from './operation.ts';
import { structure } from './shape.ts';

const outcome = ({ status, error }: Answer) => `${status} ${error}`;

const allow = (Action: string | string[], Resource: string | string[] = '*', more: object = {}) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action, Resource, ...more }],
});

const GAME_ARN = 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo';
const DISCONNECT = '/runtime/game/Demo/stage/Dev/player/p1/disconnect';

test('a denial names the caller, the action, the resource and the reason', async (t) => {
  const { call, addKey } = await openApi(t);
  addKey('nobody', allow('gamesparks:GetGame'));
  addKey('denied', {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: '*', Resource: '*' },
      { Effect: 'Deny', Action: 'gamesparks:CreateGame', Resource: '*' },
    ],
  });
  const missing = await call('POST', DISCONNECT, { accessKeyId: 'nobody' });
  assert.equal(
    missing.message,
    'User: arn:aws:iam::123456789012:access-key/nobody is not authorized to perform: gamesparks:DisconnectPlayer ' +
      `on resource: ${GAME_ARN}/stage/Dev/player/p1 because no identity-based policy allows the gamesparks:DisconnectPlayer action`,
  );
  const denied = await call('POST', '/game', { accessKeyId: 'denied', body: { GameName: 'Demo' } });
  assert.equal(
    denied.message,
    'User: arn:aws:iam::123456789012:access-key/denied is not authorized to perform: gamesparks:CreateGame ' +
      'on resource: * with an explicit deny in an identity-based policy',
  );
});

test('a policy can limit a key to one stage, to some players, or to tags of the resource or the request', async (t) => {
  const { call, addKey, games, stages } = await openApi(t);
  await games.create({ name: 'Demo' }, CHANGE);
  for (const [name, tags] of [
    ['Dev', { team: 'a' }],
    ['Live', { team: 'b' }],
  ] as const) {
    await stages.create({ gameName: 'Demo', name, role: ROLE, tags }, { ...CHANGE, requestId: name });
  }
  addKey('stage', allow('gamesparks:DisconnectPlayer', `${GAME_ARN}/stage/Dev`));
  addKey('player', allow('gamesparks:DisconnectPlayer', `${GAME_ARN}/stage/*/player/p*`));
  addKey('team', allow('gamesparks:*', '*', { Condition: { StringEquals: { 'aws:ResourceTag/team': 'a' } } }));
  addKey(
    'tagger',
    allow('gamesparks:CreateGame', '*', { Condition: { StringEquals: { 'aws:RequestTag/team': 'a' } } }),
  );
  addKey('secure', allow('gamesparks:ListGames', '*', { Condition: { Bool: { 'aws:SecureTransport': 'true' } } }));
  addKey('near', allow('gamesparks:ListGames', '*', { Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } } }));

  const status = async (accessKeyId: string, path: string) => (await call('POST', path, { accessKeyId })).status;
  const disconnect = (stage: string, player: string) => `/runtime/game/Demo/stage/${stage}/player/${player}/disconnect`;
  assert.equal(await status('stage', disconnect('Dev', 'q1')), 200);
  assert.equal(await status('stage', disconnect('Live', 'q1')), 403);
  assert.equal(await status('player', disconnect('Live', 'p1')), 200);
  assert.equal(await status('player', disconnect('Live', 'q1')), 403);
  assert.equal(await status('team', disconnect('Dev', 'q1')), 200);
  assert.equal(await status('team', disconnect('Live', 'q1')), 403);
  assert.equal(await status('team', disconnect('Unknown', 'q1')), 403);

  const create = (Tags?: object) => call('POST', '/game', { accessKeyId: 'tagger', body: { GameName: 'New', Tags } });
  assert.equal((await create()).status, 403);
  assert.equal((await create({ team: 'b' })).status, 403);
  assert.equal((await create({ team: 'a' })).status, 200);
  assert.equal((await call('GET', '/game', { accessKeyId: 'secure' })).status, 403);
  assert.equal((await call('GET', '/game', { accessKeyId: 'secure', isSecure: true })).status, 200);
  assert.equal((await call('GET', '/game', { accessKeyId: 'near' })).status, 200);
  assert.equal((await call('GET', '/game', { accessKeyId: 'near', address: '198.51.100.1' })).status, 403);
});

test('what the policies of a key say counts as of when the body has been read', async (t) => {
  const { call, addKey } = await openApi(t);
  addKey('key', allow('*'));
  const create = (GameName: string, policy: object) =>
    call('POST', '/game', { accessKeyId: 'key', body: { GameName }, whileRead: () => addKey('key', policy) });
  assert.equal(outcome(await create('Mine', allow('gamesparks:Get*'))), '403 AccessDeniedException');
  assert.equal((await create('Mine', allow('*'))).status, 200);
});

test('what an input asks for beside the operation’s own work is asked of the policies and the rates as well', async (t) => {
  const further = operation({
    name: 'GetGame',
    http: { method: 'GET', path: '/further' },
    isIdempotent: false,
    throttleClass: 'read',
    input: structure({}),
    output: structure({}),
    errors: COMMON_ERRORS,
    resource: () => [],
    furtherActions: () => ['gamesparks:DeleteGame'],
    furtherClasses: () => ['write'],
    handler: async () => ({}),
  });
  const { call, addKey } = await openApi(t, {
    operations: [further],
    settings: { writeCallsBurst: 2, writeCallsPerSecond: 1 },
  });
  addKey('reader', allow('gamesparks:GetGame'));
  addKey('other', allow('gamesparks:*'));
  const denied = await call('GET', '/further', { accessKeyId: 'reader' });
  assert.equal(outcome(denied), '403 AccessDeniedException');
  assert.match(denied.message ?? '', /gamesparks:DeleteGame/);
  const asOther = async () => outcome(await call('GET', '/further', { accessKeyId: 'other' }));
  assert.deepEqual(
    [await asOther(), await asOther(), await asOther()],
    [...['200 undefined', '200 undefined', '429 ThrottlingException']],
  );
});
