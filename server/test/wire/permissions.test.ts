import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_OPERATION } from '../../src/api/every-operation.ts';
import type { Operation } from '../../src/api/operation.ts';
import { requestOf } from '../../src/api/operation-request.ts';
import type { Shape } from '../../src/api/shape.ts';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';
import { policyOfRole, ROLES, type Role } from '../../src/domain/access/roles.ts';
import { createKey } from '../support/administration.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, STAGE, startTestServer, type TestServer } from '../support/server.ts';

type Statements = { readonly Statement: readonly object[] };

/** Where nothing is, so that no call that is allowed changes anything. */
const GAME_NAME = 'Nowhere';

/** Values that patterns ask for. */
const GIVEN: Readonly<Record<string, unknown>> = {
  GameName: GAME_NAME,
  StageName: STAGE,
  PlayerId: 'p',
  NodeId: 'n',
  Path: '/a',
  Role: 'arn:aws:iam::000000000000:role/any',
  SnapshotId: 'Snapshot_2030-01-02T03:04:05.000001Z',
  ResourceArn: `arn:aws:gamesparks:us-east-1:000000000000:game/${GAME_NAME}/stage/${STAGE}`,
  ExtensionVersion: '1.0.0',
  Url: 'https://hooks.example/',
  JobId: '00000000-0000-4000-8000-000000000000',
  WebhookId: '00000000-0000-4000-8000-000000000000',
  Sections: ['GameSparks.Core'],
  tagKeys: ['a'],
  tags: { a: 'b' },
};

function sampleOf(name: string, shape: Shape): unknown {
  if (Object.hasOwn(GIVEN, name)) return GIVEN[name];
  switch (shape.type) {
    case 'string':
      return shape.enum?.[0] ?? 'a'.repeat(Math.max(1, shape.min ?? 1));
    case 'integer':
      return shape.min ?? 1;
    case 'boolean':
      return false;
    case 'timestamp':
      return '2030-01-02T03:04:05.000Z';
    case 'blob':
      return 'AAAAAAAAAAAAAAAA';
    case 'document':
      return {};
    case 'list':
      return [sampleOf('', shape.member)];
    case 'map':
      return { a: sampleOf('', shape.value) };
    case 'structure':
      return Object.fromEntries(
        Object.entries(shape.members)
          .filter(([member]) => shape.required.includes(member))
          .map(([member, each]) => [member, sampleOf(member, each)]),
      );
  }
}

/** Whether the key may make the call; undefined when it is refused for something else before. */
async function mayCall(server: TestServer, operation: Operation, credentials: AccessKeyPair) {
  const { path, body } = requestOf(operation, sampleOf('', operation.input) as Record<string, unknown>);
  const answer = await rawCall(server, operation.http.method, path, {
    ...(body !== undefined && { body }),
    credentials,
  });
  if (answer.error === 'ValidationException' && /constraint/.test(answer.message ?? '')) return undefined;
  return answer.error !== 'AccessDeniedException';
}

/** What only ends with its connection, or makes what later calls would stumble over. */
const LEFT_OUT = ['WatchEvents', 'CreateGame'];

const KEYS: Readonly<Record<string, Statements['Statement']>> = {
  ...Object.fromEntries(
    Object.keys(ROLES).map((role) => [role, (policyOfRole(role as Role, {}) as Statements).Statement]),
  ),
  'a moderator of this stage': (policyOfRole('moderator', { game: GAME_NAME, stage: STAGE }) as Statements).Statement,
  'a moderator of another stage': (policyOfRole('moderator', { game: GAME, stage: STAGE }) as Statements).Statement,
  'everything but kicks': [
    { Effect: 'Allow', Action: '*', Resource: '*' },
    { Effect: 'Deny', Action: 'gamesparks:DisconnectPlayer', Resource: `arn:aws:gamesparks:*:*:game/${GAME_NAME}/*` },
  ],
  'nothing from here': [
    { Effect: 'Allow', Action: 'respark:ListPermissions', Resource: '*' },
    { Effect: 'Allow', Action: '*', Resource: '*', Condition: { IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } } },
  ],
};

/** The games and stages that those keys' policies allow something in by their names. */
const NAMED: Readonly<Record<string, object[]>> = {
  'a moderator of this stage': [{ GameName: GAME_NAME, StageNames: [STAGE] }],
  'a moderator of another stage': [{ GameName: GAME, StageNames: [STAGE] }],
};

for (const [who, statements] of Object.entries(KEYS)) {
  test(`ListPermissions says what happens to each call of ${who}`, async (t) => {
    const server = await startTestServer(t, {
      settings: { readCallsBurst: 1_000, writeCallsBurst: 1_000, disconnectCallsBurst: 1_000 },
    });
    const credentials = await createKey(server, statements);
    const path = `/respark/permission?GameName=${GAME_NAME}&StageName=${STAGE}&PlayerId=p`;
    const { status, json } = await rawCall(server, 'GET', path, { credentials });
    assert.equal(status, 200);
    const denied = new Map((json.Denied as { Action: string; Reason: string }[]).map((each) => [each.Action, each]));
    const allowed = new Set(json.Allowed as string[]);
    assert.equal(denied.size + allowed.size, EVERY_OPERATION.length);
    assert.equal(json.PrincipalId, credentials.accessKeyId);
    assert.deepEqual(json.Games, NAMED[who] ?? []);
    let compared = 0;
    for (const operation of EVERY_OPERATION.filter(({ name }) => !LEFT_OUT.includes(name))) {
      const may = await mayCall(server, operation, credentials);
      if (may === undefined) continue;
      compared += 1;
      assert.equal(allowed.has(operation.action), may, operation.action);
    }
    assert(compared > EVERY_OPERATION.length - 8, `only ${compared} operations could be compared`);
    if (who === 'everything but kicks') {
      assert.deepEqual([...denied.values()], [{ Action: 'gamesparks:DisconnectPlayer', Reason: 'EXPLICIT_DENY' }]);
    }
  });
}

test('ListPermissions leaves out what needs a place that is not given', async (t) => {
  const server = await startTestServer(t);
  const { json } = await rawCall(server, 'GET', '/respark/permission');
  const allowed = json.Allowed as string[];
  assert(allowed.includes('respark:ListNodes') && allowed.includes('gamesparks:ListGames'));
  assert(!allowed.includes('gamesparks:GetGame') && !allowed.includes('gamesparks:DisconnectPlayer'));
});

test('explanations of a policy count as write calls too, and those of a key do not', async (t) => {
  const server = await startTestServer(t, { settings: { writeCallsPerSecond: 1, writeCallsBurst: 3 } });
  const statement = { Effect: 'Allow', Action: '*', Resource: '*' };
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: statement });
  const { accessKeyId: AccessKeyId } = await createKey(server, [statement]);
  const explain = async (asked: object) => {
    const body = { ...asked, Action: 'respark:GetServerInfo' };
    return (await rawCall(server, 'POST', '/respark/access-explanation', { body })).status;
  };
  const answers: number[] = [];
  for (let count = 0; count < 10; count += 1) answers.push(await explain({ Policy }));
  assert.ok(answers.includes(200) && answers.includes(429), answers.join(' '));
  assert.equal(await explain({ AccessKeyId }), 200);
});
