import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../../../test/support/api.ts';
import { assertConstraintsAreKept, requestOf, violationsOf } from '../../../test/support/violations.ts';
import { OPERATIONS } from './index.ts';

test('every constraint of every member of every operation is a 400 that names the member', async (t) => {
  const { call } = await openApi(t);
  await assertConstraintsAreKept(OPERATIONS, call);
  const checked = OPERATIONS.flatMap((operation) => [...violationsOf(operation)]).length;
  assert.ok(checked > 500, `${checked} constraints`);
});

test('every operation says in sentences what was decided about it', () => {
  for (const { name, decisions = [] } of OPERATIONS) {
    assert.ok(decisions.length > 0, name);
    for (const decision of decisions) assert.match(decision, /^[A-Z`].*\.$/, name);
  }
});

test('values just inside each limit are accepted', async (t) => {
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

test('no pattern takes long to match, whatever the input', async (t) => {
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
  const services = { games: broken, stages: broken, players: broken, resourceTags: broken };
  const { call, lines } = await openApi(t, { services });
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
