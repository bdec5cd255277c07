import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { ACTIONS } from '../../api/every-operation.ts';
import { ServiceError } from '../../errors.ts';
import { createArns } from '../arn.ts';
import { assertMayGrant } from './grants.ts';
import { ALLOW_ALL, evaluate, type Policy, parsePolicy } from './policy.ts';
import { policyOfRole } from './roles.ts';

/** What the actions may be in a version to come. */
const LATER = [...ACTIONS, 'gamesparks:GetTomorrow', 'respark:CreateTomorrow'];

const all = { Effect: 'Allow', Action: '*', Resource: '*' };
const demo = 'arn:aws:gamesparks:*:*:game/Demo';

const parse = (statements: readonly object[], actions = ACTIONS) =>
  parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }), actions);

function mayGrant(own: Policy, wanted: Policy): boolean {
  try {
    assertMayGrant({ arn: 'arn:me', policies: [own] }, wanted, ACTIONS);
    return true;
  } catch (error) {
    assert.ok(error instanceof ServiceError && error.code === 'access_denied', String(error));
    return false;
  }
}

describe('a key may give away', () => {
  const allow = (Action: string | string[], more: object = {}) => ({ Effect: 'Allow', Action, Resource: '*', ...more });
  const kick = 'gamesparks:DisconnectPlayer';
  const cases: [title: string, own: object[], wanted: object[], expected: boolean][] = [
    ['everything, when it is allowed everything', [all], [all], true],
    ['what it is allowed everywhere', [allow([kick, 'gamesparks:GetGame'])], [allow(kick)], true],
    ['the same in fewer places', [allow(kick)], [allow(kick, { Resource: demo })], true],
    [
      'the same on a condition',
      [allow(kick)],
      [allow(kick, { Condition: { Bool: { 'aws:SecureTransport': true } } })],
      true,
    ],
    ['any Deny', [allow(kick)], [allow(kick), { ...all, Effect: 'Deny' }], true],
    ['nothing that it is not allowed', [allow(kick)], [allow('gamesparks:DeleteGame')], false],
    [
      'nothing that it may do only somewhere',
      [allow(kick, { Resource: demo })],
      [allow(kick, { Resource: demo })],
      false,
    ],
    [
      'nothing that all resources but one allow',
      [allow(kick, { Resource: undefined, NotResource: demo })],
      [allow(kick)],
      false,
    ],
    [
      'nothing that it may do on a condition',
      [allow(kick, { Condition: { Bool: { 'aws:SecureTransport': true } } })],
      [allow(kick)],
      false,
    ],
    [
      'nothing that it is denied anywhere',
      [all, { ...all, Effect: 'Deny', Action: kick, Resource: demo }],
      [allow(kick)],
      false,
    ],
    [
      'nothing that it is denied on a condition',
      [all, { Effect: 'Deny', Action: kick, Resource: '*', Condition: { Bool: { 'aws:SecureTransport': false } } }],
      [allow(kick)],
      false,
    ],
    [
      'not what a Deny of the new key would take away again',
      [allow(kick)],
      [all, { Effect: 'Deny', NotAction: kick, Resource: '*' }],
      false,
    ],
    ['no wildcards, when it has none', [allow([...ACTIONS])], [allow('gamesparks:Get*')], false],
    ['no wildcards, when it has not all', [allow(['gamesparks:*', 'respark:*'])], [allow('gamesparks:*')], false],
    [
      'no NotAction, when it names each action',
      [allow([...ACTIONS])],
      [{ Effect: 'Allow', NotAction: kick, Resource: '*' }],
      false,
    ],
    [
      'no wildcards, when it is denied something',
      [all, { ...all, Effect: 'Deny', Action: 'gamesparks:DeleteGame' }],
      [allow('gamesparks:Get*')],
      false,
    ],
    ['wildcards, when it is allowed everything', [all], [allow('gamesparks:Get*')], true],
    ['each action by its name, when it has wildcards', [allow('gamesparks:*')], [allow(kick)], true],
    ['actions of other services, which are nothing here', [allow(kick)], [allow([kick, 'logs:*'])], true],
  ];
  for (const [title, own, wanted, expected] of cases) {
    it(title, () => assert.equal(mayGrant(parse(own), parse(wanted)), expected));
  }
});

test('the root key may give everything away, and an administrator what each role may do', () => {
  const admin = parsePolicy(JSON.stringify(policyOfRole('admin', {})), ACTIONS);
  for (const role of ['viewer', 'moderator', 'operator', 'developer', 'admin'] as const) {
    const wanted = parsePolicy(JSON.stringify(policyOfRole(role, { game: 'Demo' })), ACTIONS);
    assert.ok(mayGrant(ALLOW_ALL, wanted) && mayGrant(admin, wanted), role);
  }
  assert.ok(mayGrant(ALLOW_ALL, parse([all])));
  assert.ok(!mayGrant(admin, parse([all])));
  const ofGame = parsePolicy(JSON.stringify(policyOfRole('admin', { game: 'Demo' })), ACTIONS);
  assert.ok(!mayGrant(ofGame, parsePolicy(JSON.stringify(policyOfRole('viewer', { game: 'Demo' })), ACTIONS)));
});

test('the refusal names what is too much, the rule and what to do', () => {
  const maker = { arn: 'arn:me', policies: [parse([{ ...all, Action: 'respark:CreateAccessKey' }])] };
  assert.throws(
    () => assertMayGrant(maker, parse([all]), ACTIONS),
    /^ServiceError: User: arn:me is not authorized to grant: gamesparks:CreateGame, .* and \d+ more, because a key gives away only what .*\. Leave them out\.$/,
  );
});

test('whatever the policies say, no key that may be made may do more than its maker, nor in a later version', () => {
  const arns = createArns({ region: 'us-east-1', accountId: '000000000000' });
  const action = fc.constantFrom(
    ...['*', 'gamesparks:*', 'respark:*', 'gamesparks:Get*', 'respark:Create*', 'gamesparks:GetGame'],
    ...['gamesparks:DisconnectPlayer', 'respark:CreateAccessKey', 'logs:*'],
  );
  const resource = fc.constantFrom('*', demo, `${demo}/*`, 'arn:aws:gamesparks:*:*:*', `${demo}/stage/Dev`);
  const condition = fc.constantFrom(
    undefined,
    undefined,
    { Bool: { 'aws:SecureTransport': 'true' } },
    { StringEquals: { 'aws:ResourceTag/T': 'a' } },
    { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
  );
  const statement = fc
    .record({
      Effect: fc.constantFrom('Allow', 'Allow', 'Allow', 'Deny'),
      actions: fc.array(action, { minLength: 1, maxLength: 3 }),
      isNot: fc.constantFrom(false, false, false, true),
      resources: fc.oneof(fc.constant(['*']), fc.array(resource, { minLength: 1, maxLength: 2 })),
      isNotResource: fc.constantFrom(false, false, false, true),
      Condition: condition,
    })
    .map(({ Effect, actions, isNot, resources, isNotResource, Condition }) => ({
      Effect,
      [isNot ? 'NotAction' : 'Action']: actions,
      [isNotResource ? 'NotResource' : 'Resource']: resources,
      ...(Condition && { Condition }),
    }));
  const statements = fc.array(statement, { minLength: 1, maxLength: 3 });
  const request = fc.record({
    action: fc.constantFrom(...LATER),
    resources: fc.constantFrom([], [arns.game('Demo')], [arns.stage('Demo', 'Dev')], [arns.game('Other')]),
    context: fc.record({
      sourceIp: fc.constantFrom(undefined, '192.0.2.7', '198.51.100.1'),
      isSecure: fc.boolean(),
      currentTimeMs: fc.constant(0),
      requestTags: fc.constant({}),
      resourceTags: fc.constantFrom({}, { T: 'a' }),
      tagKeys: fc.constant([]),
    }),
  });
  let granted = 0;
  fc.assert(
    fc.property(
      statements,
      statements,
      fc.array(request, { minLength: 20, maxLength: 20 }),
      (own, wanted, requests) => {
        if (!mayGrant(parse(own), parse(wanted))) return;
        granted += 1;
        for (const each of requests) {
          const isNew = evaluate([parse(wanted, LATER)], each).isAllowed;
          assert.ok(!isNew || evaluate([parse(own, LATER)], each).isAllowed, JSON.stringify([own, wanted, each]));
        }
      },
    ),
    { seed: 1, numRuns: 3_000 },
  );
  assert.ok(granted > 200, `${granted}`);
});
