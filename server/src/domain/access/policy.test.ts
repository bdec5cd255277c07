import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ACTIONS } from '../../api/every-operation.ts';
import { ServiceError } from '../../errors.ts';
import { createArns } from '../arn.ts';
import { ALLOW_ALL, evaluate, type PolicyRequest, parsePolicy as parse, usesResourceTags } from './policy.ts';

const arns = createArns({ region: 'eu-central-1', accountId: '123456789012' });
const parsePolicy = (text: string) => parse(text, ACTIONS);
const PLAYER = [arns.stage('Demo', 'Live'), arns.player('Demo', 'Live', 'P1')];

function request(
  changes: Partial<Omit<PolicyRequest, 'context'>> & { context?: Partial<PolicyRequest['context']> } = {},
): PolicyRequest {
  const context = { isSecure: false, currentTimeMs: 0, requestTags: {}, resourceTags: {}, tagKeys: [] };
  return {
    action: 'gamesparks:DisconnectPlayer',
    resources: PLAYER,
    ...changes,
    context: { ...context, ...changes.context },
  };
}

const policy = (...statements: object[]) =>
  parsePolicy(
    JSON.stringify({
      Version: '2012-10-17',
      Statement: statements.map((statement) => ({ Effect: 'Allow', ...statement })),
    }),
  );
const allows = (statement: object, changes: Parameters<typeof request>[0] = {}) =>
  evaluate([policy(statement)], request(changes)).isAllowed;

describe('the decision', () => {
  const all = { Action: '*', Resource: '*' };

  it('is no where nothing allows', () => {
    assert.deepEqual(evaluate([], request()), { isAllowed: false, reason: 'no_allow' });
    assert.deepEqual(evaluate([policy({ Action: 'gamesparks:GetGame', Resource: '*' })], request()), {
      isAllowed: false,
      reason: 'no_allow',
    });
  });

  it('is no where something denies, whatever allows, in any order and policy', () => {
    const denied = { isAllowed: false, reason: 'explicit_deny' };
    const deny = { ...all, Effect: 'Deny' };
    assert.deepEqual(evaluate([policy(all, deny)], request()), denied);
    assert.deepEqual(evaluate([policy(deny), policy(all)], request()), denied);
    assert.deepEqual(evaluate([ALLOW_ALL, policy(deny)], request()), denied);
  });

  it('is yes where something allows and nothing denies', () => {
    const decision = evaluate([policy(all, { ...all, Effect: 'Deny', Action: 'gamesparks:DeleteGame' })], request());
    assert.deepEqual(decision, { isAllowed: true });
  });

  it('is yes for the root key, with and without a resource', () => {
    assert.equal(evaluate([ALLOW_ALL], request()).isAllowed, true);
    assert.equal(evaluate([ALLOW_ALL], request({ action: 'gamesparks:ListGames', resources: [] })).isAllowed, true);
  });

  it('needs every line of a condition', () => {
    const statement = {
      ...all,
      Condition: {
        Bool: { 'aws:SecureTransport': true },
        NumericLessThan: { 'aws:RequestTag/Level': [3, '9'] },
        StringEquals: { 'aws:RequestTag/A': 'a', 'aws:RequestTag/B': ['b', 'c'] },
      },
    };
    const context = { isSecure: true, requestTags: { A: 'a', B: 'c', Level: '4' } };
    assert.equal(allows(statement, { context }), true);
    assert.equal(allows(statement, { context: { ...context, isSecure: false } }), false);
    assert.equal(allows(statement, { context: { ...context, requestTags: { A: 'a', Level: '4' } } }), false);
    assert.equal(allows(statement, { context: { ...context, requestTags: { A: 'a', B: 'c', Level: '9' } } }), false);
  });

  it('says which policies read tags of the resource', () => {
    const tagged = policy({ ...all, Condition: { StringEquals: { 'aws:ResourceTag/T': 'a' } } });
    assert.equal(usesResourceTags([ALLOW_ALL, policy(all)]), false);
    assert.equal(usesResourceTags([ALLOW_ALL, tagged]), true);
  });
});

describe('Action', () => {
  const cases: [action: string | string[], action: string, expected: boolean][] = [
    ['*', 'gamesparks:DisconnectPlayer', true],
    ['gamesparks:*', 'gamesparks:DisconnectPlayer', true],
    ['gamesparks:DisconnectPlayer', 'gamesparks:DisconnectPlayer', true],
    ['GameSparks:disconnectPLAYER', 'gamesparks:DisconnectPlayer', true],
    ['gamesparks:Get*', 'gamesparks:GetPlayerConnectionStatus', true],
    ['gamesparks:Get*', 'gamesparks:DisconnectPlayer', false],
    ['gamesparks:?etGame', 'gamesparks:GetGame', true],
    ['gamesparks:?etGame', 'gamesparks:GetGameConfiguration', false],
    [['gamesparks:GetGame', 'gamesparks:GetStage'], 'gamesparks:GetStage', true],
    ['gamesparks:InvokeBackend', 'gamesparks:InvokeBackend', true],
  ];
  for (const [wanted, action, expected] of cases) {
    it(`${JSON.stringify(wanted)} ${expected ? 'covers' : 'leaves out'} ${action}, and NotAction the contrary`, () => {
      assert.equal(allows({ Action: wanted, Resource: '*' }, { action }), expected);
      assert.equal(allows({ NotAction: wanted, Resource: '*' }, { action }), !expected);
    });
  }
});

describe('Resource', () => {
  const prefix = 'arn:aws:gamesparks:eu-central-1:123456789012:game';
  const cases: [resource: string | string[], expected: boolean][] = [
    ['*', true],
    [`${prefix}/Demo/stage/Live`, true],
    [`${prefix}/Demo/stage/Live/player/P1`, true],
    [`${prefix}/Demo/stage/Live/player/P?`, true],
    [`${prefix}/Demo/stage/Live/player/*`, true],
    [`${prefix}/*/player/P1`, true],
    ['arn:aws:gamesparks:*:*:game/Demo/*', true],
    ['arn:*:gamesparks:eu-*:1234????????:game/Demo/stage/L*', true],
    ['arn:aws:gamesparks:*:*:*', true],
    [[`${prefix}/Other`, `${prefix}/Demo/*`], true],
    [`${prefix}/Demo`, false],
    [`${prefix}/Demo/stage/Dev`, false],
    [`${prefix}/Demo/stage/Live/player/P2`, false],
    [`${prefix}/demo/stage/Live`, false],
    ['arn:aws:gamesparks:us-east-1:*:game/*', false],
    ['arn:aws:gamesparks:*:999999999999:game/*', false],
  ];
  for (const [wanted, expected] of cases) {
    it(`${JSON.stringify(wanted)} ${expected ? 'covers' : 'leaves out'} the player, and NotResource the contrary`, () => {
      assert.equal(allows({ Action: '*', Resource: wanted }), expected);
      assert.equal(allows({ Action: '*', NotResource: wanted }), !expected);
    });
  }

  it('covers a call without a resource by "*" alone', () => {
    const list = { action: 'gamesparks:ListGames', resources: [] };
    assert.equal(allows({ Action: '*', Resource: '*' }, list), true);
    assert.equal(allows({ Action: '*', Resource: 'arn:aws:gamesparks:*:*:*' }, list), false);
    assert.equal(allows({ Action: '*', NotResource: '*' }, list), false);
    assert.equal(allows({ Action: '*', NotResource: `${prefix}/Demo` }, list), true);
  });

  it('holds a moderator to one stage, and a deny keeps one player from them', () => {
    const moderator = policy(
      { Action: 'gamesparks:*Player*', Resource: `${prefix}/Demo/stage/Live` },
      { Effect: 'Deny', Action: '*', Resource: `${prefix}/Demo/stage/Live/player/Boss` },
    );
    const on = (stage: string, player: string) =>
      evaluate([moderator], request({ resources: [arns.stage('Demo', stage), arns.player('Demo', stage, player)] }));
    assert.deepEqual(on('Live', 'P1'), { isAllowed: true });
    assert.deepEqual(on('Live', 'Boss'), { isAllowed: false, reason: 'explicit_deny' });
    assert.deepEqual(on('Dev', 'P1'), { isAllowed: false, reason: 'no_allow' });
  });
});

describe('a policy document', () => {
  it('may have one statement without a list, a Sid, and 6,144 characters', () => {
    const text = JSON.stringify({
      Version: '2012-10-17',
      Statement: { Sid: 'All1', Effect: 'Allow', Action: '*', Resource: '*' },
    });
    assert.equal(evaluate([parsePolicy(text.padEnd(6144))], request()).isAllowed, true);
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
    [
      'another service',
      doc({ ...ok, Action: 's3:GetObject' }),
      'Statement[0].Action: "s3:GetObject" matches no action',
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
      'arn:aws:s3:*:*:game/Demo',
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

// An independent model, in the words of IAM's documentation: regular expressions and plain sets.
interface ModelStatement {
  Effect: 'Allow' | 'Deny';
  Action?: string[];
  NotAction?: string[];
  Resource?: string[];
  NotResource?: string[];
  Condition?: { [operator: string]: { [key: string]: string[] } };
}

function modelDecision(statements: ModelStatement[], asked: PolicyRequest): string {
  const like = (pattern: string, text: string, flags = 's') =>
    new RegExp(
      `^${pattern
        .replace(/[.\\/]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.')}$`,
      flags,
    ).test(text);
  const resources = asked.resources.length === 0 ? ['*'] : asked.resources;
  const isAction = (patterns: string[]) => patterns.some((pattern) => like(pattern, asked.action, 'is'));
  const isResource = (patterns: string[]) => patterns.some((pattern) => resources.some((arn) => like(pattern, arn)));
  const isMet = (operator: string, key: string, wanted: string[]) => {
    const value = asked.context.requestTags[key.replace('aws:RequestTag/', '')];
    if (operator === 'StringEquals') return value !== undefined && wanted.includes(value);
    if (operator === 'StringEqualsIfExists') return value === undefined || wanted.includes(value);
    return value === undefined || !wanted.includes(value);
  };
  const applying = statements.filter(
    ({ Action, NotAction, Resource, NotResource, Condition = {} }) =>
      (Action ? isAction(Action) : !isAction(NotAction ?? [])) &&
      (Resource ? isResource(Resource) : !isResource(NotResource ?? [])) &&
      Object.entries(Condition).every(([operator, lines]) =>
        Object.entries(lines).every(([key, wanted]) => isMet(operator, key, wanted)),
      ),
  );
  if (applying.some(({ Effect }) => Effect === 'Deny')) return 'explicit_deny';
  return applying.length > 0 ? 'allowed' : 'no_allow';
}

describe('generated policies', () => {
  const some = (...values: string[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 });
  const action = some(
    '*',
    'gamesparks:*',
    'gamesparks:Get*',
    'GAMESPARKS:disconnectplayer',
    'gamesparks:?etGame',
    'gamesparks:ListGames',
  );
  const prefix = 'arn:aws:gamesparks:*:123456789012:game';
  const resource = some(
    '*',
    `${prefix}/*`,
    `${prefix}/A`,
    `${prefix}/A/*`,
    `${prefix}/?/stage/S`,
    `${prefix}/*/player/P`,
    `${prefix}/A/stage/S/player/?`,
  );
  const condition = fc.dictionary(
    fc.constantFrom('StringEquals', 'StringNotEquals', 'StringEqualsIfExists'),
    fc.dictionary(fc.constantFrom('aws:RequestTag/X', 'aws:RequestTag/Y'), some('a', 'b'), { minKeys: 1 }),
    { minKeys: 1 },
  );
  const effect = fc.constantFrom('Allow' as const, 'Deny' as const);
  const statement: fc.Arbitrary<ModelStatement> = fc
    .tuple(
      effect,
      fc.oneof(
        action.map((Action) => ({ Action })),
        action.map((NotAction) => ({ NotAction })),
      ),
      fc.oneof(
        resource.map((Resource) => ({ Resource })),
        resource.map((NotResource) => ({ NotResource })),
      ),
      fc.option(condition, { nil: undefined }),
    )
    .map(([Effect, actions, resources, Condition]) => ({
      Effect,
      ...actions,
      ...resources,
      ...(Condition && { Condition }),
    }));
  const statements = fc.array(statement, { minLength: 1, maxLength: 4 });
  const asked: fc.Arbitrary<PolicyRequest> = fc
    .record({
      action: fc.constantFrom('gamesparks:DisconnectPlayer', 'gamesparks:GetGame', 'gamesparks:ListGames'),
      resources: fc.constantFrom(
        [],
        [arns.game('A')],
        [arns.game('B')],
        [arns.stage('A', 'S'), arns.player('A', 'S', 'P')],
        [arns.stage('B', 'T'), arns.player('B', 'T', 'Q')],
      ),
      requestTags: fc.dictionary(fc.constantFrom('X', 'Y'), fc.constantFrom('a', 'b', 'c')),
    })
    .map(({ requestTags, ...rest }) => request({ ...rest, context: { requestTags } }));

  const decide = (list: ModelStatement[], question: PolicyRequest) => {
    const decision = evaluate([policy(...list)], question);
    return decision.isAllowed ? 'allowed' : decision.reason;
  };

  it('are decided as the model decides', () => {
    fc.assert(
      fc.property(statements, asked, (list, question) => {
        assert.equal(decide(list, question), modelDecision(list, question));
      }),
      { seed: 1, numRuns: 3000 },
    );
  });

  it('never allow more without an Allow or with one more Deny', () => {
    fc.assert(
      fc.property(statements, statement, asked, (list, extra, question) => {
        const base = decide(list, question);
        const isAllowed = (more: ModelStatement[]) =>
          evaluate(
            more.map((one) => policy(one)),
            question,
          ).isAllowed;
        if (base === 'allowed') return;
        for (const [i, { Effect }] of list.entries()) {
          if (Effect === 'Allow') assert.equal(isAllowed(list.toSpliced(i, 1)), false);
        }
        assert.equal(isAllowed([...list, { ...extra, Effect: 'Deny' }]), false);
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});
