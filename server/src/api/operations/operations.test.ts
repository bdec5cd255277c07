import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openApi } from '../../../test/support/api.ts';
import { ROLE } from '../../../test/support/domain.ts';

const CREATED = '2026-01-02T03:04:05.000Z';
const ARN = 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo';
const PLAYER = '/runtime/game/Demo/stage/Dev/player/p1';
const STAGE = { StageName: 'Dev', Role: ROLE };

async function openWithStage(t: TestContext) {
  const api = await openApi(t);
  await api.call('POST', '/game', { body: { GameName: 'Demo' } });
  const { json } = await api.call('POST', '/game/Demo/stage', { body: STAGE });
  return { ...api, stage: json.Stage as { GameKey: string } };
}

test('a game is created, read, updated, listed and deleted', async (t) => {
  const { call, clock } = await openApi(t);
  const body = { GameName: 'Demo', Description: 'A game', Tags: { team: 'a' } };
  const created = await call('POST', '/game', { body });
  const game = {
    Name: 'Demo',
    Description: 'A game',
    State: 'ACTIVE',
    Tags: { team: 'a' },
    Arn: ARN,
    Created: CREATED,
    LastUpdated: CREATED,
    EnableTerminationProtection: false,
  };
  assert.deepEqual([created.status, created.json], [200, { Game: game }]);
  assert.deepEqual((await call('GET', '/game/Demo')).json, { Game: game });
  clock.advance(1_000);
  const updated = { ...game, Description: 'New', LastUpdated: '2026-01-02T03:04:06.000Z' };
  const update = await call('PATCH', '/game/Demo', { body: { Description: 'New' } });
  assert.deepEqual([update.status, update.json], [200, { Game: updated }]);
  const { Name, Description, State, Tags } = updated;
  assert.deepEqual((await call('GET', '/game')).json, { Games: [{ Name, Description, State, Tags }] });
  const deleted = await call('DELETE', '/game/Demo');
  assert.deepEqual([deleted.status, deleted.json], [200, {}]);
  assert.equal((await call('GET', '/game/Demo')).status, 404);
  assert.equal((await call('DELETE', '/game/Demo')).status, 200);
});

test('a stage is created, read, updated, listed and deleted', async (t) => {
  const { call, stage } = await openWithStage(t);
  const { GameKey } = stage;
  assert.deepEqual(stage, {
    Name: 'Dev',
    Description: '',
    State: 'ACTIVE',
    GameKey,
    Role: ROLE,
    LogGroup: '/aws/gamesparks/Demo/Dev',
    Arn: `${ARN}/stage/Dev`,
    Created: CREATED,
    LastUpdated: CREATED,
  });
  assert.deepEqual((await call('GET', '/game/Demo/stage/Dev')).json, { Stage: stage });
  const update = await call('PATCH', '/game/Demo/stage/Dev', { body: { Description: 'New', Role: `${ROLE}2` } });
  assert.deepEqual(update.json, { Stage: { ...stage, Description: 'New', Role: `${ROLE}2` } });
  const summary = { Name: 'Dev', Description: 'New', State: 'ACTIVE', GameKey };
  assert.deepEqual((await call('GET', '/game/Demo/stage')).json, { Stages: [summary] });
  assert.deepEqual((await call('DELETE', '/game/Demo/stage/Dev')).json, {});
  assert.equal((await call('GET', '/game/Demo/stage/Dev')).status, 404);
  assert.equal((await call('DELETE', '/game/Demo/stage/Dev')).status, 404);
});

test('a player’s connection is listed and closed', async (t) => {
  const { call, connected, clock } = await openWithStage(t);
  assert.deepEqual((await call('GET', `${PLAYER}/connection`)).json, { Connections: [] });
  connected.push({ connectionId: 'c1', createdAt: clock.now(), node: 'n', runtimeId: 'r' });
  assert.deepEqual((await call('GET', `${PLAYER}/connection`)).json, { Connections: [{ Id: 'c1', Created: CREATED }] });
  const first = await call('POST', `${PLAYER}/disconnect`);
  assert.deepEqual(first.json, { DisconnectSuccesses: ['c1'], DisconnectFailures: [] });
  const second = await call('POST', `${PLAYER}/disconnect`);
  assert.deepEqual(second.json, { DisconnectSuccesses: [], DisconnectFailures: [] });
});

test('lists are followed page by page', async (t) => {
  const { call } = await openApi(t);
  const names = ['C', 'A', 'B', 'D', 'E'];
  for (const GameName of names) await call('POST', '/game', { body: { GameName } });
  const seen: string[] = [];
  let path: string | undefined = '/game?MaxResults=2';
  while (path !== undefined) {
    const { json } = await call('GET', path);
    seen.push(...(json.Games as { Name: string }[]).map(({ Name }) => Name));
    path = json.NextToken === undefined ? undefined : `/game?MaxResults=2&NextToken=${json.NextToken}`;
  }
  assert.deepEqual(seen, ['A', 'B', 'C', 'D', 'E']);
  const forged = await call('GET', '/game?NextToken=abc');
  assert.deepEqual([forged.status, forged.error], [400, 'ValidationException']);
});

test('each modelled error that a caller can cause is answered when it should be', async (t) => {
  const { call } = await openWithStage(t);
  const unknown = '/game/Unknown';
  const triggers: [string, string, object | undefined, string][] = [
    ['POST', '/game', { GameName: 'Demo' }, '409 ConflictException'],
    ['GET', unknown, undefined, '404 ResourceNotFoundException'],
    ['PATCH', unknown, { Description: 'x' }, '404 ResourceNotFoundException'],
    ['POST', '/game/Demo/stage', STAGE, '409 ConflictException'],
    ['POST', `${unknown}/stage`, STAGE, '404 ResourceNotFoundException'],
    ['GET', `${unknown}/stage`, undefined, '404 ResourceNotFoundException'],
    ['GET', '/game/Demo/stage/X', undefined, '404 ResourceNotFoundException'],
    ['PATCH', '/game/Demo/stage/X', { Description: 'x' }, '404 ResourceNotFoundException'],
    ['DELETE', '/game/Demo/stage/X', undefined, '404 ResourceNotFoundException'],
    ['GET', '/runtime/game/Demo/stage/X/player/p/connection', undefined, '404 ResourceNotFoundException'],
    ['POST', '/runtime/game/Demo/stage/X/player/p/disconnect', undefined, '404 ResourceNotFoundException'],
    ['POST', '/game', { GameName: 'G2' }, '200 undefined'],
    ['POST', '/game', { GameName: 'G3' }, '200 undefined'],
    ['POST', '/game', { GameName: 'G4' }, '200 undefined'],
    ['POST', '/game', { GameName: 'G5' }, '200 undefined'],
    ['POST', '/game', { GameName: 'G6' }, '402 ServiceQuotaExceededException'],
    ['POST', '/game/Demo/stage', { ...STAGE, StageName: 'S2' }, '200 undefined'],
    ['POST', '/game/Demo/stage', { ...STAGE, StageName: 'S3' }, '200 undefined'],
    ['POST', '/game/Demo/stage', { ...STAGE, StageName: 'S4' }, '409 ConflictException'],
  ];
  for (const [method, path, body, expected] of triggers) {
    const { status, error } = await call(method, path, { body });
    assert.equal(`${status} ${error}`, expected, `${method} ${path}`);
  }
});

test('each operation on a stage says whether the stage is missing or its game', async (t) => {
  const { call } = await openWithStage(t);
  for (const [game, message] of [
    ['Demo', /^there is no stage "X" in game "Demo": /],
    ['Unknown', /^there is no game "Unknown": /],
  ] as const)
    for (const [method, path, body] of [
      ['GET', `/game/${game}/stage/X`],
      ['PATCH', `/game/${game}/stage/X`, { Description: 'x' }],
      ['DELETE', `/game/${game}/stage/X`],
      ['GET', `/runtime/game/${game}/stage/X/player/p/connection`],
      ['POST', `/runtime/game/${game}/stage/X/player/p/disconnect`],
    ] as const) {
      const answer = await call(method, path, { body });
      assert.equal(answer.status, 404, `${method} ${path}: ${answer.message}`);
      assert.match(answer.message ?? '', message, `${method} ${path}`);
    }
});

test('deleting a protected game is a conflict', async (t) => {
  const { call, store } = await openApi(t);
  await store.games.insert({
    id: 'id',
    name: 'Demo',
    description: '',
    state: 'ACTIVE',
    isTerminationProtected: true,
    tags: {},
    createdAt: 0,
    updatedAt: 0,
  });
  const { status, error } = await call('DELETE', '/game/Demo');
  assert.deepEqual([status, error], [409, 'ConflictException']);
});
