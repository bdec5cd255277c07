import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ACTIONS } from '../../api/every-operation.ts';
import { ServiceError } from '../../errors.ts';
import { evaluate, type PolicyRequest, parsePolicy as parse } from './policy.ts';

const parsePolicy = (text: string) => parse(text, ACTIONS);
const REQUEST: PolicyRequest = {
  action: 'gamesparks:ListGames',
  resources: [],
  context: { isSecure: false, currentTimeMs: 0, requestTags: {}, resourceTags: {}, tagKeys: [] },
};

describe('a policy document', () => {
  it('may have one statement without a list, a Sid, and 6,144 characters', () => {
    const text = JSON.stringify({
      Version: '2012-10-17',
      Statement: { Sid: 'All1', Effect: 'Allow', Action: '*', Resource: '*' },
    });
    assert.equal(evaluate([parsePolicy(text.padEnd(6144))], REQUEST).isAllowed, true);
  });

  const ok = { Effect: 'Allow', Action: '*', Resource: '*' };
  const doc = (statement: unknown, rest: object = {}) => ({ Version: '2012-10-17', Statement: statement, ...rest });
  const arn = 'arn:aws:gamesparks:eu-central-1:123456789012:game/Demo';
  const refusals: [title: string, document: unknown, message: string][] = [
    ['no JSON', '{', 'The document: is not JSON: '],
    ['no object', '[]', 'The document: must be an object, got [].'],
    ['nothing', '', 'The document: is not JSON: '],
    ['too long', ' '.repeat(6145), 'The document: has 6145 characters, white space included; 6144 are allowed.'],
    [
      'a repeated element',
      '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Eff\\u0065ct":"Allow"}]}',
      'The document: has "Effect" twice in one object; JSON would drop the first.',
    ],
    [
      'a repeated condition key',
      '{"Statement":{"Condition":{"Bool":{"a":"b\\"\\\\","a":1}}}}',
      'The document: has "a" twice in one object; JSON would drop the first.',
    ],
    [
      'statements twice',
      '{"Statement":[{"Effect":"Deny"}],"Statement":[]}',
      'The document: has "Statement" twice in one object',
    ],
    ['no version', { Statement: [ok] }, 'Version: must be "2012-10-17", got nothing.'],
    ['the old version', doc([ok], { Version: '2008-10-17' }), 'Version: must be "2012-10-17", got "2008-10-17".'],
    [
      'an unknown element',
      doc([ok], { Id: 'x' }),
      'The document: has the unsupported element "Id"; use Version, Statement.',
    ],
    [
      'a version that is not printable',
      doc([ok], { Version: '\u202e\u0085' }),
      'Version: must be "2012-10-17", got "\\u{202e}\\u{85}".',
    ],
    ['controls instead of JSON', '\u009b[2J', "The document: is not JSON: Unexpected token '\\u{9b}', "],
    ['no statement', { Version: '2012-10-17' }, 'Statement[0]: must be an object, got nothing.'],
    ['an empty list of statements', doc([]), 'Statement: must have at least one statement.'],
    ['a statement that is a text', doc(['x']), 'Statement[0]: must be an object, got "x".'],
    [
      'a principal',
      doc([ok, { ...ok, Principal: '*' }]),
      'Statement[1]: has the unsupported element "Principal"; use Sid, Effect, ',
    ],
    ['an element in lower case', doc({ ...ok, effect: 'Deny' }), 'Statement[0]: has the unsupported element "effect"'],
    ['a bad Sid', doc({ ...ok, Sid: 'a b' }), 'Statement[0].Sid: must be letters and digits only, got "a b".'],
    [
      'a repeated Sid',
      doc([
        { ...ok, Sid: 'a' },
        { ...ok, Sid: 'a' },
      ]),
      'Statement: must have a different Sid each time, got "a" twice.',
    ],
    ['no effect', doc({ Action: '*', Resource: '*' }), 'Statement[0].Effect: must be "Allow" or "Deny", got nothing.'],
    ['a bad effect', doc({ ...ok, Effect: 'allow' }), 'Statement[0].Effect: must be "Allow" or "Deny", got "allow".'],
    [
      'no action',
      doc({ Effect: 'Allow', Resource: '*' }),
      'Statement[0]: must have either Action or NotAction, got neither.',
    ],
    ['both actions', doc({ ...ok, NotAction: '*' }), 'Statement[0]: must have either Action or NotAction, got both.'],
    [
      'no resource',
      doc({ Effect: 'Allow', Action: '*' }),
      'Statement[0]: must have either Resource or NotResource, got neither.',
    ],
    [
      'both resources',
      doc({ ...ok, NotResource: '*' }),
      'Statement[0]: must have either Resource or NotResource, got both.',
    ],
    [
      'an empty list of actions',
      doc({ ...ok, Action: [] }),
      'Statement[0].Action: must have at least one value, got [].',
    ],
    [
      'an action that is a number',
      doc({ ...ok, Action: ['*', 7] }),
      'Statement[0].Action: must be a string or a list of them, got 7.',
    ],
    [
      'an action in a list of lists',
      doc({ ...ok, Action: [['*']] }),
      'Statement[0].Action: must be a string or a list of them, got an array.',
    ],
    [
      'an unknown action',
      doc({ ...ok, Action: 'gamesparks:KickPlayer' }),
      'Statement[0].Action: "gamesparks:KickPlayer" matches no action of this service; write one of its actions',
    ],
    [
      'a pattern without an action',
      doc({ ...ok, Action: 'gamesparks:Kick*' }),
      'Statement[0].Action: "gamesparks:Kick*" matches no action',
    ],
    ['another service with no action', doc({ ...ok, Action: 's3:' }), 'Statement[0].Action: "s3:" matches no action'],
    ...['gamespark', 'gamesparksx', 'gamespraks', 'games', 'sparks', 'respak', 'aws-gamesparks'].map(
      (service): [string, unknown, string] => [
        `a slip of the pen, ${service}`,
        doc({ ...ok, Effect: 'Deny', Action: `${service}:DeleteGame` }),
        `Statement[0].Action: "${service}:DeleteGame" matches no action`,
      ],
    ),
    [
      'a Deny of a resource of another service beside one of ours',
      doc({ ...ok, Effect: 'Deny', Resource: ['arn:aws:s3:::bucket', '*'] }),
      'Statement[0].Resource: must be "*" or',
    ],
    [
      'resources of another service alone',
      doc({ ...ok, Resource: ['arn:aws:s3:*:*:game/Demo'] }),
      'Statement[0].Resource: must be "*" or',
    ],
    [
      'a NotResource of another service',
      doc({ Effect: 'Allow', Action: 'gamesparks:GetGame', NotResource: 'arn:aws:s3:::bucket' }),
      'Statement[0].NotResource: must be "*" or',
    ],
    [
      'a condition key that no request has',
      doc({ ...ok, Effect: 'Deny', Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'false' } } }),
      'Statement[0].Condition.Bool["aws:MultiFactorAuthPresent"]: unknown condition key',
    ],
    [
      'a variable',
      doc({ ...ok, Condition: { StringEquals: { 'aws:ResourceTag/owner': '\u0024{aws:username}' } } }),
      'Statement[0].Condition.StringEquals["aws:ResourceTag/owner"]: policy variables are not supported',
    ],
    [
      'a wildcard for a service',
      doc({ ...ok, Action: '*:GetGame' }),
      'Statement[0].Action: "*:GetGame" matches no action',
    ],
    [
      'an unknown NotAction',
      doc({ Effect: 'Allow', NotAction: 'gamesparks:X', Resource: '*' }),
      'Statement[0].NotAction: "gamesparks:X" matches no action',
    ],
    [
      'an empty list of resources',
      doc({ ...ok, Resource: [] }),
      'Statement[0].Resource: must have at least one value, got [].',
    ],
    [
      'a resource that is null',
      doc({ ...ok, Resource: null }),
      'Statement[0].Resource: must be a string or a list of them, got null.',
    ],
    ...[
      '',
      '**',
      'Demo',
      'arn:aws:gamesparks:*',
      'arn:aws:gamesparks:*:game/Demo',
      'ARN:aws:gamesparks:*:*:game/Demo',
      'arn:aws-cn:gamesparks:*:*:game/Demo',
      'arn:aws:gamespark:*:*:game/Demo',
      'arn:aws:game*:*:*:game/Demo',
      'arn:aws:gamesparks::*:game/Demo',
      'arn:aws:gamesparks:*::game/Demo',
      'arn:aws:gamesparks:*:123:game/Demo',
      'arn:aws:gamesparks:*:*:stage/Live',
      'arn:aws:gamesparks:*:*:game',
      'arn:aws:gamesparks:*:*:game/',
      'arn:aws:gamesparks:*:*:game/Demo/stages/Live',
      'arn:aws:gamesparks:*:*:game/Demo/stage',
      'arn:aws:gamesparks:*:*:game/Demo/stage/Live/player/P1/more',
      'arn:aws:gamesparks:*:*:game/De mo',
      `${arn}:x`,
    ].map((resource): [string, unknown, string] => [
      `the resource ${JSON.stringify(resource)}`,
      doc({ ...ok, Resource: [arn, resource] }),
      'Statement[0].Resource: must be "*" or "arn:aws:gamesparks:REGION:ACCOUNT:game/GAME',
    ]),
    [
      'a policy variable',
      doc({ ...ok, Resource: `${arn}/stage/\${aws:username}` }),
      'Statement[0].Resource: policy variables are not supported, got "',
    ],
    [
      'a condition that is a text',
      doc({ ...ok, Condition: 'x' }),
      'Statement[0].Condition: must be an object with at least one member, got "x".',
    ],
    [
      'an empty condition',
      doc({ ...ok, Condition: {} }),
      'Statement[0].Condition: must be an object with at least one member, got {}.',
    ],
    [
      'an empty operator',
      doc({ ...ok, Condition: { Bool: {} } }),
      'Statement[0].Condition.Bool: must be an object with at least one member, got {}.',
    ],
    [
      'an empty list of values',
      doc({ ...ok, Condition: { StringEquals: { 'aws:RequestTag/T': [] } } }),
      'Statement[0].Condition.StringEquals["aws:RequestTag/T"]: must have at least one value, got [].',
    ],
    [
      'a value that is an object',
      doc({ ...ok, Condition: { StringEquals: { 'aws:RequestTag/T': {} } } }),
      'Statement[0].Condition.StringEquals["aws:RequestTag/T"]: must be a string or number or boolean or a list of them, got {}.',
    ],
    [
      'a bad value',
      doc({ ...ok, Condition: { IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', 'x'] } } }),
      'Statement[0].Condition.IpAddress["aws:SourceIp"]: "x" is not an IPv4 or IPv6 address',
    ],
  ];
  for (const [title, document, message] of refusals) {
    it(`is refused with ${title}`, () => {
      const text = typeof document === 'string' ? document : JSON.stringify(document);
      assert.throws(
        () => parsePolicy(text),
        (error) => {
          assert.ok(error instanceof ServiceError && error.code === 'validation');
          assert.ok(error.message.startsWith(`The policy is not valid. ${message}`), error.message);
          return true;
        },
      );
    });
  }

  it('is refused with a ServiceError or compiled, whatever it says', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.object().map((object) => JSON.stringify(doc(object))),
        ),
        (text) => {
          try {
            parsePolicy(text);
          } catch (error) {
            assert.ok(error instanceof ServiceError, String(error));
          }
        },
      ),
      { seed: 1, numRuns: 1000 },
    );
  });
});
