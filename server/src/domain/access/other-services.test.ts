import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACTIONS } from '../../api/every-operation.ts';
import { isOtherService } from './other-services.ts';
import { evaluate, parsePolicy } from './policy.ts';

const parse = (...Statement: object[]) => parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement }), ACTIONS);

const DEMO = 'arn:aws:gamesparks:us-east-1:000000000000:game/Demo';

function allows(policy: ReturnType<typeof parse>, action: string): boolean {
  const context = { isSecure: true, currentTimeMs: 0, requestTags: {}, resourceTags: {}, tagKeys: [] };
  return evaluate([policy], { action, resources: [DEMO], context }).isAllowed;
}

test('a policy of an AWS account is taken as it is, with a warning for each statement about other services', () => {
  const policy = parse(
    { Effect: 'Allow', Action: ['gamesparks:GetGame', 'logs:PutLogEvents', 'iam:Pass*'], Resource: '*' },
    {
      Effect: 'Allow',
      Action: 'logs:*',
      Resource: 'arn:aws:logs:*:*:log-group:/aws/gamesparks/*',
      Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' } },
    },
    { Effect: 'Deny', Action: ['iam:*', 'organizations:*'], Resource: '*' },
  );
  assert.deepEqual(policy.warnings, [
    'Statement[0] names actions of other services ("logs:PutLogEvents", "iam:Pass*"), which are never called here.',
    'Statement[1] is about other services only ("logs:*"): it allows nothing here.',
    'Statement[2] is about other services only ("iam:*", "organizations:*"): it denies nothing here.',
  ]);
  assert.ok(allows(policy, 'gamesparks:GetGame'));
  assert.deepEqual(
    ACTIONS.filter((action) => allows(policy, action)),
    ['gamesparks:GetGame'],
  );
});

test('everything but the actions of other services is everything here', () => {
  const powerUser = parse({ Effect: 'Allow', NotAction: ['iam:*', 'organizations:*'], Resource: '*' });
  assert.ok(ACTIONS.every((action) => allows(powerUser, action)));
  assert.equal(powerUser.warnings.length, 1);
  const denied = parse(
    { Effect: 'Allow', Action: '*', Resource: '*' },
    { Effect: 'Deny', NotAction: ['iam:PassRole', 'gamesparks:GetGame'], Resource: '*' },
  );
  assert.deepEqual(
    ACTIONS.filter((action) => allows(denied, action)),
    ['gamesparks:GetGame'],
  );
});

test('resources of other services may stand beside ours in an Allow', () => {
  const policy = parse({ Effect: 'Allow', Action: 'gamesparks:GetGame', Resource: ['arn:aws:s3:::bucket/*', DEMO] });
  assert.ok(allows(policy, 'gamesparks:GetGame'));
  assert.deepEqual(policy.warnings, [
    'Statement[0] names resources of other services ("arn:aws:s3:::bucket/*"), none of which is here.',
  ]);
});

test('the names of AWS’s services are told from ours with a slip of the pen', () => {
  const others =
    'logs s3 iam ec2 es ram ses sts sns sqs gamelift lambda cloudwatch events dynamodb cognito-idp apigateway';
  for (const name of others.split(' ')) assert.ok(isOtherService(name), name);
  const slips = 'gamesparks gamespark gamesparkss gamesprks gameparks respark resparks respar rspark sparks game x';
  for (const name of slips.split(' ')) assert.ok(!isOtherService(name), name);
});
