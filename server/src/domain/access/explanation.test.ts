import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACTIONS } from '../../api/every-operation.ts';
import { createArns } from '../arn.ts';
import { explain } from './explanation.ts';
import { ALLOW_ALL, evaluate, parsePolicy } from './policy.ts';

const arns = createArns({ region: 'us-east-1', accountId: '000000000000' });
const STAGE = arns.stage('Demo', 'Live');

const parse = (...statements: object[]) =>
  parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }), ACTIONS);

const request = (action: string, context: object = {}) => ({
  action,
  resources: [STAGE],
  context: { isSecure: false, currentTimeMs: 0, requestTags: {}, resourceTags: {}, tagKeys: [], ...context },
});

const policy = parse(
  { Sid: 'Reads', Effect: 'Allow', Action: 'gamesparks:Get*', Resource: '*' },
  { Effect: 'Allow', Action: '*', Resource: arns.stage('Demo', 'Dev') },
  { Effect: 'Allow', Action: '*', Resource: '*', Condition: { Bool: { 'aws:SecureTransport': 'true' } } },
  { Sid: 'Never', Effect: 'Deny', Action: 'gamesparks:DeleteStage', Resource: '*' },
  {
    Effect: 'Deny',
    Action: 'respark:BlockPlayer',
    Resource: '*',
    Condition: { NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } },
  },
);

test('what has decided is named, and each other statement says for what it has no say', () => {
  const allowed = explain([policy], request('gamesparks:GetStage'));
  assert.equal(allowed.words, 'gamesparks:GetStage is allowed by Statement[0] (Reads).');
  assert.deepEqual(
    allowed.statements.map(({ path, applies, words }) => [path, applies, words]),
    [
      ['Statement[0]', true, 'allows it'],
      ['Statement[1]', false, `does not cover the resource ${STAGE}`],
      ['Statement[2]', false, 'has the condition Bool aws:SecureTransport, which is not met'],
      ['Statement[3]', false, 'is not about the action gamesparks:GetStage'],
      ['Statement[4]', false, 'is not about the action gamesparks:GetStage'],
    ],
  );
  const denied = explain([policy], request('gamesparks:DeleteStage', { isSecure: true }));
  assert.equal(denied.words, 'gamesparks:DeleteStage is denied by Statement[3] (Never).');
  assert.deepEqual(denied.statements[2]?.words, 'allows it');
  const unknown = explain([policy], request('gamesparks:UpdateStage'));
  assert.deepEqual(
    [unknown.words, unknown.decision],
    ['No statement allows gamesparks:UpdateStage.', { isAllowed: false, reason: 'no_allow' }],
  );
  const both = explain([policy], request('gamesparks:GetStage', { isSecure: true }));
  assert.equal(both.words, 'gamesparks:GetStage is allowed by Statement[0] (Reads) and Statement[2].');
});

test('the root key is explained as a statement that allows everything', () => {
  const { words, statements } = explain([ALLOW_ALL], request('gamesparks:DeleteStage'));
  assert.equal(words, 'gamesparks:DeleteStage is allowed by Statement[0].');
  assert.deepEqual(statements, [{ path: 'Statement[0]', sid: '', effect: 'Allow', applies: true, words: 'allows it' }]);
});

test('an address that is not known is said to be the reason, and the decision is always that of the calls', () => {
  const office = parse({
    Effect: 'Allow',
    Action: '*',
    Resource: '*',
    Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } },
  });
  assert.equal(
    explain([office], request('gamesparks:GetStage')).statements[0]?.words,
    'has the condition IpAddress aws:SourceIp, which is not met, since the address is not known',
  );
  for (const action of ACTIONS)
    for (const isSecure of [true, false])
      for (const sourceIp of [undefined, '10.0.0.1', '192.0.2.1']) {
        const asked = request(action, { isSecure, sourceIp });
        assert.deepEqual(explain([policy], asked).decision, evaluate([policy], asked));
      }
});
