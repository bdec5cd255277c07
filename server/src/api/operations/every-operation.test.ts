import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../../../test/support/api.ts';
import { ROLE } from '../../../test/support/domain.ts';
import type { Operation } from '../operation.ts';
import type { Shape } from '../shape.ts';
import { OPERATIONS } from './index.ts';

/** A valid value of each member that an operation may take. */
const VALID: Record<string, unknown> = {
  GameName: 'Demo',
  StageName: 'Dev',
  PlayerId: 'p1',
  Description: 'words',
  ClientToken: 'c'.repeat(40),
  Role: ROLE,
  Tags: { team: 'a' },
  MaxResults: '10',
  NextToken: 'token',
};

interface Violation {
  readonly value: unknown;
  readonly at: string;
  readonly constraint: string;
}

test('every constraint of every member of every operation is a 400 that names the member', async (t) => {
  const { call } = await openApi(t, { settings: { authFailuresPerMinutePerAddress: 1_000 } });
  let checked = 0;
  for (const operation of OPERATIONS) {
    for (const { member, value, at, constraint } of violationsOf(operation)) {
      const what = `${operation.name} ${at}: ${constraint}`;
      const { method, path, body } = requestOf(operation, member, value);
      const answer = await call(method, path, { body });
      if (path.includes('//')) {
        // Signers take such segments out before they sign, so the signature is already refused.
        assert.deepEqual([answer.status, answer.error], [403, 'InvalidSignatureException'], what);
      } else {
        assert.deepEqual([answer.status, answer.error], [400, 'ValidationException'], what);
        assert.ok(answer.message?.includes(`at '${at}' failed to satisfy constraint: `), `${what}: ${answer.message}`);
        assert.ok(answer.message?.includes(constraint), `${what}: ${answer.message}`);
      }
      checked += 1;
    }
  }
  assert.ok(checked > 100, `${checked} constraints`);
});

test('the values beside each limit are accepted', async (t) => {
  const { call } = await openApi(t);
  const create = async (body: object) => (await call('POST', '/game', { body })).message ?? '';
  for (const Description of ['', 'x', 'x'.repeat(250), '🎮'.repeat(250)]) {
    assert.doesNotMatch(await create({ GameName: 'A', Description }), /description/);
  }
  for (const length of [33, 126]) {
    assert.doesNotMatch(await create({ GameName: 'A', ClientToken: 'c'.repeat(length) }), /clientToken/);
  }
  const Tags = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`key${index}`, 'v'.repeat(256)]));
  assert.doesNotMatch(await create({ GameName: 'A', Tags }), /tags/);
  assert.equal((await call('GET', `/game/${'G'.repeat(36)}`)).status, 404);
  for (const size of [1, 100]) assert.equal((await call('GET', `/game?MaxResults=${size}`)).status, 200);
});

test('no pattern takes long, whatever it is given', async (t) => {
  const { call } = await openApi(t);
  const startedAt = process.cpuUsage().user;
  for (const character of [' ', 'a', '\n', ':', 'x ']) {
    const long = character.repeat(6_000 / character.length);
    const body = { GameName: long, Description: `x${long}`, Role: `arn:aws${long}`, Tags: { [long]: `${long}!` } };
    assert.equal((await call('POST', '/game', { body })).status, 400);
    assert.equal((await call('POST', '/game/Demo/stage', { body })).status, 400);
  }
  assert.ok(process.cpuUsage().user - startedAt < 2_000_000, 'less than two seconds of work');
});

test('a fault below any operation is a 500 with a fixed message', async (t) => {
  const broken = new Proxy({} as never, {
    get: () => () => {
      throw new Error('out of disk');
    },
  });
  const { call, lines } = await openApi(t, { services: { games: broken, stages: broken, players: broken } });
  for (const operation of OPERATIONS) {
    const { method, path, body } = requestOf(operation);
    const { status, error, json } = await call(method, path, { body });
    assert.deepEqual([status, error], [500, 'InternalServerException'], operation.name);
    assert.deepEqual(json, { Message: 'The service encountered an internal error.' });
  }
  assert.equal(lines.filter(({ level }) => level === 50).length, OPERATIONS.length);
});

test('a key without policies may call no operation', async (t) => {
  const { call, credentials } = await openApi(t);
  credentials.set('none', { accessKeyId: 'none', secretAccessKey: 'secret', policies: [] });
  for (const operation of OPERATIONS) {
    const { method, path, body } = requestOf(operation);
    const { status, message } = await call(method, path, { body, accessKeyId: 'none' });
    assert.equal(status, 403);
    assert.match(message ?? '', new RegExp(`perform: gamesparks:${operation.name} on resource: `));
  }
});

function* violationsOf({ input }: Operation): Generator<Violation & { member: string }> {
  for (const [member, shape] of Object.entries(input.members)) {
    const at = member.charAt(0).toLowerCase() + member.slice(1);
    if (input.required.includes(member) && shape.location !== 'uri') {
      yield { member, value: undefined, at, constraint: 'Member must not be null' };
      yield { member, value: null, at, constraint: 'Member must not be null' };
    }
    if (shape.location === 'querystring') {
      yield { member, value: ['1', '2'], at, constraint: 'Member must be given only once' };
    }
    for (const violation of violationsOfShape(shape, at)) yield { member, ...violation };
  }
}

function* violationsOfShape(shape: Shape, at: string): Generator<Violation> {
  const inBody = shape.location === undefined;
  switch (shape.type) {
    case 'string':
      if (inBody) yield { value: 5, at, constraint: 'Member must be a string' };
      for (const [value, constraint] of wrongTexts(shape)) yield { value, at, constraint };
      return;
    case 'integer':
      yield { value: 'many', at, constraint: 'Member must be an integer' };
      yield { value: (shape.max ?? 0) + 1, at, constraint: `value less than or equal to ${shape.max}` };
      yield { value: (shape.min ?? 0) - 1, at, constraint: `value greater than or equal to ${shape.min}` };
      return;
    case 'map': {
      yield { value: [], at, constraint: 'Member must be a map' };
      const tooMany = Object.fromEntries(Array.from({ length: (shape.max ?? 0) + 1 }, (_, index) => [`k${index}`, '']));
      yield { value: tooMany, at, constraint: `length less than or equal to ${shape.max}` };
      yield { value: {}, at, constraint: `length greater than or equal to ${shape.min}` };
      for (const [key, constraint] of wrongTexts(shape.key)) yield { value: { [key]: 'v' }, at, constraint };
      for (const { value, constraint } of violationsOfShape(shape.value, at)) {
        yield { value: { key: value }, at: `${at}.key.member`, constraint };
      }
      yield { value: { key: null }, at: `${at}.key.member`, constraint: 'Member must not be null' };
      return;
    }
    default:
      throw new Error(`violations of a ${shape.type} are not written yet`);
  }
}

function* wrongTexts({ min = 0, max, pattern, enum: values }: Shape & { type: 'string' }): Generator<[string, string]> {
  if (max !== undefined) yield ['a'.repeat(max + 1), `length less than or equal to ${max}`];
  if (min > 0) yield ['a'.repeat(min - 1), `length greater than or equal to ${min}`];
  if (values !== undefined) yield ['UNKNOWN', 'Member must satisfy enum value set'];
  if (pattern === undefined) return;
  const filler = 'a'.repeat(Math.max(0, min - 2));
  for (const wrong of [`${filler}a\u0001`, `${filler} a `, `aws:${filler}`, `${filler}💥💥`, `a\n${filler}b`]) {
    if (!new RegExp(pattern, 'u').test(wrong)) {
      yield [wrong, `Member must satisfy regular expression pattern: ${pattern}`];
    }
  }
}

/** A request that is right, but for one member if it is named. */
function requestOf({ http, input }: Operation, wrongMember?: string, wrongValue?: unknown) {
  const given = (name: string) => (name === wrongMember ? wrongValue : VALID[name]);
  const path = http.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(given(name))));
  const query: string[] = [];
  const body: Record<string, unknown> = {};
  for (const [name, { location }] of Object.entries(input.members)) {
    const value = given(name);
    if (location === 'querystring') {
      for (const item of [value].flat()) query.push(`${name}=${encodeURIComponent(String(item))}`);
    }
    if (location === undefined) body[name] = value;
  }
  const suffix = query.length > 0 ? `?${query.join('&')}` : '';
  return { method: http.method, path: `${path}${suffix}`, body: Object.keys(body).length > 0 ? body : undefined };
}
