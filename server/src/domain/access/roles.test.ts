import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACTIONS, EVERY_OPERATION } from '../../api/every-operation.ts';
import { createArns } from '../arn.ts';
import { evaluate, parsePolicy } from './policy.ts';
import { actionsOf, GRANTS, policyOfRole, ROLES, type Role, type RoleLimits, rolesOf } from './roles.ts';

const arns = createArns({ region: 'eu-west-1', accountId: '123456789012' });
const roles = Object.keys(ROLES) as Role[];
const NAMES = { GameName: 'Demo', StageName: 'Dev', PlayerId: 'p1', ResourceArn: arns.stage('Demo', 'Dev') };

/** The actions that a key of the role may call on these names. */
function allowed(role: Role, limits: RoleLimits, names = NAMES): string[] {
  const policy = parsePolicy(JSON.stringify(policyOfRole(role, limits)), ACTIONS);
  return EVERY_OPERATION.filter(({ action, resource }) => {
    const context = { isSecure: true, currentTimeMs: 0, requestTags: {}, resourceTags: {}, tagKeys: [] };
    return evaluate([policy], { action, resources: resource(names, arns), context }).isAllowed;
  }).map(({ action }) => action);
}

test('every operation has been put into the table of roles, with the reach that its resource has', () => {
  assert.deepEqual(Object.keys(GRANTS).sort(), EVERY_OPERATION.map(({ action }) => action).sort());
  for (const { action, resource, name } of EVERY_OPERATION) {
    const [arn = ''] = resource({ ...NAMES, ResourceArn: '' }, arns);
    const reaches = arn.includes('/stage/')
      ? ['stage']
      : arn.includes(':game/')
        ? ['game', 'stages']
        : ['server', 'public'];
    const expected = /Tag|Untag/.test(name) ? ['tagged'] : reaches;
    assert.ok(expected.includes(GRANTS[action]?.reach ?? ''), name);
  }
});

test('without limits a role may do what the table says, everywhere and nothing else', () => {
  for (const role of roles) assert.deepEqual(allowed(role, {}).sort(), actionsOf(role).sort(), role);
  assert.deepEqual(allowed('admin', {}).length, EVERY_OPERATION.length);
});

test('what only looks is for a viewer, and what changes more than the own key or hands out URLs is not', () => {
  const changes = EVERY_OPERATION.filter(({ throttleClass }) => throttleClass !== 'read').map(({ action }) => action);
  const changing = changes.filter((action) => action !== 'respark:RevokeOwnAccessKey');
  assert.deepEqual(
    actionsOf('viewer').filter((action) => changing.includes(action)),
    [],
  );
  assert.deepEqual(
    actionsOf('moderator').filter((action) => changing.includes(action)),
    [
      'gamesparks:DisconnectPlayer',
      ...['respark:BlockPlayer', 'respark:BlockPlayerInGame'],
      ...['respark:RevokePlayerTokens', 'respark:RevokePlayerTokensInGame'],
      ...['respark:UnblockPlayer', 'respark:UnblockPlayerInGame'],
    ],
  );
  for (const role of ['viewer', 'moderator', 'developer'] as const) {
    assert.ok(!actionsOf(role).includes('respark:ListAuditRecords'), role);
  }
});

test('a role in a game may do nothing in another, and nothing that is about all games', () => {
  const elsewhere = { ...NAMES, GameName: 'Demo2', ResourceArn: arns.game('Demo2') };
  for (const role of roles) {
    const own = allowed(role, { game: 'Demo' });
    const lost = actionsOf(role).filter((action) => !own.includes(action));
    assert.ok(
      lost.every((action) => GRANTS[action]?.reach === 'server'),
      `${role}: ${lost}`,
    );
    const other = allowed(role, { game: 'Demo' }, elsewhere);
    assert.ok(
      other.every((action) => GRANTS[action]?.reach === 'public'),
      `${role}: ${other}`,
    );
  }
  assert.ok(allowed('admin', { game: 'Demo' }).includes('gamesparks:DeleteGame'));
});

test('a role on a stage reaches no other stage, not even by deleting the game', () => {
  const limits = { game: 'Demo', stage: 'Dev' };
  const elsewhere = { ...NAMES, StageName: 'Dev2', ResourceArn: arns.stage('Demo', 'Dev2') };
  for (const role of roles) {
    const other = allowed(role, limits, elsewhere);
    assert.ok(
      other.every((action) => ['public', 'game'].includes(GRANTS[action]?.reach ?? '')),
      `${role}: ${other}`,
    );
  }
  assert.deepEqual(allowed('moderator', limits), [
    'gamesparks:GetGame',
    'gamesparks:GetStage',
    'gamesparks:GetPlayerConnectionStatus',
    'gamesparks:DisconnectPlayer',
    'respark:BlockPlayer',
    'respark:CountConnections',
    'respark:GetDisconnectJob',
    'respark:ListDisconnectJobs',
    'respark:GetBlock',
    'respark:GetServerInfo',
    'respark:GetStageAccess',
    'respark:GetReceiptKey',
    'respark:ListBlocks',
    'respark:ListConnections',
    'respark:ListPermissions',
    'respark:ListPlayers',
    'respark:RevokeOwnAccessKey',
    'respark:RevokePlayerTokens',
    'respark:UnblockPlayer',
  ]);
  const admin = allowed('admin', limits);
  assert.ok(!admin.includes('gamesparks:DeleteGame') && admin.includes('gamesparks:DeleteStage'));
});

test('limits that are no names are refused', () => {
  const refused = { name: 'ServiceError', code: 'validation' };
  for (const game of ['*', '', 'a/stage/b', 'De?o', '\u0024{x}', 'x'.repeat(37)]) {
    assert.throws(() => policyOfRole('viewer', { game }), refused, game);
    assert.throws(() => policyOfRole('viewer', { game: 'Demo', stage: game }), refused, game);
  }
  assert.throws(() => policyOfRole('viewer', { stage: 'Dev' }), refused);
});

test('the role of a policy is known again, and none is read into one that somebody has written', () => {
  for (const role of roles)
    for (const limits of [{}, { game: 'Demo' }, { game: 'Demo', stage: 'Dev' }])
      assert.deepEqual(rolesOf(JSON.stringify(policyOfRole(role, limits))), [role]);
  const both = ['developer', 'moderator'] as const;
  const Statement = both.flatMap((role) => (policyOfRole(role, {}) as { Statement: object[] }).Statement);
  assert.deepEqual(rolesOf(JSON.stringify({ Statement })), both);
  const statement = { Sid: 'viewergame', Effect: 'Allow', Action: ['gamesparks:GetGame'], Resource: '*' };
  assert.deepEqual(rolesOf(JSON.stringify({ Statement: [statement] })), ['viewer'], 'as of an earlier version');
  for (const other of [
    { ...statement, Action: ['gamesparks:DeleteGame'] },
    { ...statement, Action: '*' },
    { ...statement, Action: undefined, NotAction: ['gamesparks:GetGame'] },
    { ...statement, Effect: 'Deny' },
    { ...statement, Sid: undefined },
    null,
  ])
    assert.deepEqual(rolesOf(JSON.stringify({ Statement: [statement, other] })), []);
  for (const text of ['', '{}', 'null', '{"Statement":{}}']) assert.deepEqual(rolesOf(text), []);
});
