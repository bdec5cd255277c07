import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ACTIONS } from '../../api/every-operation.ts';
import { createArns } from '../arn.ts';
import {
  ALLOW_ALL,
  evaluate,
  namedPlaces,
  type PolicyRequest,
  parsePolicy as parse,
  usesResourceTags,
} from './policy.ts';

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

describe('the places that policies name', () => {
  const of = (...Resource: string[]) => namedPlaces([policy({ Action: '*', Resource })]);
  const arn = (path: string) => `arn:aws:gamesparks:*:*:${path}`;

  it('are games and stages, each once and in order', () => {
    const named = of(arn('game/B/stage/Two'), arn('game/B/stage/One'), arn('game/B'), arn('game/A/stage/One/player/P'));
    assert.deepEqual(named, [
      { game: 'A', stages: ['One'] },
      { game: 'B', stages: ['One', 'Two'] },
    ]);
  });

  it('are none where a wildcard stands for a name or for a part of one', () => {
    assert.deepEqual(of('*', arn('*'), arn('game/*'), arn('game/A*'), arn('game/A?/stage/One'), arn('g*/A')), []);
    assert.deepEqual(of(arn('game/A/*'), arn('game/A/stage/*'), arn('game/A/stage/O?e'), arn('game/A/s*/One')), [
      { game: 'A', stages: [] },
    ]);
  });

  it('are not those that are denied, left out or of other services', () => {
    const Resource = arn('game/A');
    const others = [arn('game/B'), 'arn:aws:s3:::game/C'];
    const policies = [
      policy({ Action: '*', Effect: 'Deny', Resource }, { Action: '*', NotResource: Resource }),
      policy({ Action: '*', Resource: others }, { Action: 's3:*', Resource: 'arn:aws:s3:::game/D' }),
      ALLOW_ALL,
    ];
    assert.deepEqual(namedPlaces(policies), [{ game: 'B', stages: [] }]);
  });
});

describe('a condition on the address of a caller whose address is not known', () => {
  const all = { Action: '*', Resource: '*' };
  const range = ['0.0.0.0/0', '::/0', '10.0.0.0/8'];
  const conditions = [
    ...['IpAddress', 'NotIpAddress', 'IpAddressIfExists', 'NotIpAddressIfExists'].flatMap((operator) => [
      { [operator]: { 'aws:SourceIp': range } },
      { [operator]: { 'AWS:sourceip': '10.0.0.0/8' } },
      { [`ForAllValues:${operator}`]: { 'aws:SourceIp': range } },
    ]),
    { 'ForAnyValue:IpAddress': { 'aws:SourceIp': range } },
    { 'ForAnyValue:NotIpAddress': { 'aws:SourceIp': range } },
    { Null: { 'aws:SourceIp': 'true' } },
    { Null: { 'aws:SourceIp': 'false' } },
  ];

  for (const Condition of conditions) {
    it(`denies and never allows: ${JSON.stringify(Condition)}`, () => {
      assert.equal(allows({ ...all, Condition }), false);
      const denied = policy(all, { ...all, Effect: 'Deny', Condition });
      assert.deepEqual(evaluate([denied], request()), { isAllowed: false, reason: 'explicit_deny' });
    });
  }

  it('leaves what else a statement asks for as it is', () => {
    const Condition = { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' }, Bool: { 'aws:SecureTransport': 'true' } };
    const denied = policy(all, { ...all, Effect: 'Deny', Condition });
    assert.equal(evaluate([denied], request()).isAllowed, true);
    assert.equal(evaluate([denied], request({ context: { isSecure: true } })).isAllowed, false);
    assert.equal(evaluate([policy(all)], request()).isAllowed, true);
  });
});

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

  it('see every tag whose key differs only in case, so that none hides another one from a Deny', () => {
    const tagging = policy(
      { Action: 'gamesparks:TagResource', Resource: '*' },
      {
        ...{ Effect: 'Deny', Action: 'gamesparks:TagResource', Resource: '*' },
        Condition: { StringEquals: { 'aws:RequestTag/env': 'test' } },
      },
    );
    const mayAdd = (requestTags: Record<string, string>) =>
      evaluate([tagging], request({ action: 'gamesparks:TagResource', context: { requestTags } })).isAllowed;
    assert.equal(mayAdd({ env: 'other', ENV: 'more' }), true);
    assert.equal(mayAdd({ ENV: 'other', Env: 'test' }), false);
    assert.equal(mayAdd({ env: 'other', Env: 'test' }), false);
  });

  it('says which policies read tags of the resource', () => {
    const tagged = policy({ ...all, Condition: { StringEquals: { 'aws:ResourceTag/T': 'a' } } });
    assert.equal(usesResourceTags([ALLOW_ALL, policy(all)]), false);
    assert.equal(usesResourceTags([ALLOW_ALL, tagged]), true);
    const Condition = { Bool: { 'aws:SecureTransport': 'true' }, StringLike: { 'aws:ResourceTag/T': 'a*' } };
    assert.equal(usesResourceTags([policy(all, { ...all, Condition })]), true);
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

  it('limits a moderator to one stage, and a deny protects one player there', () => {
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
