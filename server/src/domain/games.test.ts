import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDomain } from '../../test/support/domain.ts';
import type { ErrorCode } from '../errors.ts';

const CALLER = { principal: 'AKIDEXAMPLE' };
const TOKEN = { ...CALLER, clientToken: 'a'.repeat(33) };

const failsWith = (code: ErrorCode, message = /./) => ({ name: 'ServiceError', code, message });

test('a created game is active, without a description or tags unless given', async (t) => {
  const { games, clock } = await openDomain(t);
  const made = await games.create({ name: 'Demo' }, CALLER);
  const { id, ...rest } = made;
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, {
    name: 'Demo',
    description: '',
    state: 'ACTIVE',
    isTerminationProtected: false,
    tags: {},
    createdAt: clock.now(),
    updatedAt: clock.now(),
  });
  assert.deepEqual(await games.get('Demo'), made);
  const tagged = await games.create({ name: 'Other', description: 'd', tags: { team: 'a' } }, CALLER);
  assert.deepEqual([tagged.description, tagged.tags], ['d', { team: 'a' }]);
});

test('names of games are unique', async (t) => {
  const { games } = await openDomain(t);
  await games.create({ name: 'Demo' }, CALLER);
  await assert.rejects(games.create({ name: 'Demo' }, CALLER), failsWith('conflict', /"Demo" exists already/));
});

test('one game more than maxGames is over the quota', async (t) => {
  const { games } = await openDomain(t, { maxGames: 1 });
  await games.create({ name: 'A' }, CALLER);
  await assert.rejects(games.create({ name: 'B' }, CALLER), failsWith('quota_exceeded', /maxGames/));
  await games.delete('A');
  await games.create({ name: 'B' }, CALLER);
});

test('an update changes the description and the time of the last update', async (t) => {
  const { games, clock } = await openDomain(t);
  const made = await games.create({ name: 'Demo', description: 'old' }, CALLER);
  clock.advance(1_000);
  const updated = await games.update('Demo', { description: '' });
  assert.deepEqual(updated, { ...made, description: '', updatedAt: made.updatedAt + 1_000 });
  assert.deepEqual(await games.get('Demo'), updated);
  clock.advance(1_000);
  assert.deepEqual(await games.update('Demo', {}), updated);
});

test('an unknown game is not found, and deleting it is no error', async (t) => {
  const { games } = await openDomain(t);
  await assert.rejects(games.get('Demo'), failsWith('not_found', /"Demo"/));
  await assert.rejects(games.update('Demo', { description: 'x' }), failsWith('not_found'));
  await games.delete('Demo');
  assert.equal(await games.find('Demo'), undefined);
});

test('a deleted game is gone with its stages, whose connections were closed first', async (t) => {
  const { games, stages, closedStages, store } = await openDomain(t);
  await games.create({ name: 'Demo' }, CALLER);
  const role = 'arn:aws:iam::123456789012:role/Example';
  const made = await Promise.all(
    ['Dev', 'Live'].map((name) => stages.create({ gameName: 'Demo', name, role }, CALLER)),
  );
  await games.delete('Demo');
  assert.deepEqual(closedStages.sort(), made.map(({ id }) => id).sort());
  assert.equal(await store.games.count(), 0);
  assert.equal(await store.stages.findById(made[0]?.id ?? ''), undefined);
});

test('a protected game is not deleted', async (t) => {
  const { games, store, clock } = await openDomain(t);
  await store.games.insert({
    id: 'id',
    name: 'Demo',
    description: '',
    state: 'ACTIVE',
    isTerminationProtected: true,
    tags: {},
    createdAt: clock.now(),
    updatedAt: clock.now(),
  });
  await assert.rejects(games.delete('Demo'), failsWith('conflict', /protect/));
  assert.equal((await games.get('Demo')).state, 'ACTIVE');
});

test('a call repeated with its token finds the game as it is now', async (t) => {
  const { games, store, clock } = await openDomain(t);
  const made = await games.create({ name: 'Demo', tags: { a: '1', b: '2' } }, TOKEN);
  const updated = await games.update('Demo', { description: 'new' });
  clock.advance(23 * 3_600_000);
  assert.deepEqual(await games.create({ name: 'Demo', tags: { b: '2', a: '1' } }, TOKEN), updated);
  assert.equal(updated.id, made.id);
  assert.equal(await store.games.count(), 1);
});

test('a token with other parameters is a conflict', async (t) => {
  const { games } = await openDomain(t);
  await games.create({ name: 'Demo' }, TOKEN);
  for (const other of [{ name: 'Other' }, { name: 'Demo', description: 'x' }, { name: 'Demo', tags: { a: '' } }]) {
    await assert.rejects(games.create(other, TOKEN), failsWith('conflict', /ClientToken "a+"/));
  }
  assert.equal(await games.find('Other'), undefined);
});

test('a token belongs to its principal and its operation', async (t) => {
  const { games, stages } = await openDomain(t);
  await games.create({ name: 'Demo' }, TOKEN);
  await games.create({ name: 'Other' }, { ...TOKEN, principal: 'AKIDOTHER' });
  const role = 'arn:aws:iam::123456789012:role/Example';
  await stages.create({ gameName: 'Demo', name: 'Dev', role }, TOKEN);
});

test('a token ends with what it made', async (t) => {
  const { games } = await openDomain(t);
  const first = await games.create({ name: 'Demo' }, TOKEN);
  await games.delete('Demo');
  const second = await games.create({ name: 'Demo', description: 'another' }, TOKEN);
  assert.notEqual(second.id, first.id);
  assert.deepEqual(await games.create({ name: 'Demo', description: 'another' }, TOKEN), second);
});

test('a token ends with what it made, also when another of the same name was made since', async (t) => {
  const { games } = await openDomain(t);
  await games.create({ name: 'Demo' }, TOKEN);
  await games.delete('Demo');
  await games.create({ name: 'Demo' }, CALLER);
  await assert.rejects(games.create({ name: 'Demo' }, TOKEN), failsWith('conflict', /exists already/));
});

test('a token ends after a day, and is forgotten then', async (t) => {
  const { games, store, clock } = await openDomain(t);
  await games.create({ name: 'Demo' }, TOKEN);
  clock.advance(24 * 3_600_000 + 1);
  await assert.rejects(games.create({ name: 'Demo' }, TOKEN), failsWith('conflict', /exists already/));
  await games.create({ name: 'Other' }, { ...TOKEN, clientToken: 'b'.repeat(33) });
  assert.equal(await store.clientTokens.find(TOKEN.principal, 'CreateGame', TOKEN.clientToken), undefined);
});

test('a call that fails uses no token', async (t) => {
  const { games } = await openDomain(t, { maxGames: 1 });
  await games.create({ name: 'A' }, CALLER);
  await assert.rejects(games.create({ name: 'B' }, TOKEN), failsWith('quota_exceeded'));
  await games.delete('A');
  assert.equal((await games.create({ name: 'C' }, TOKEN)).name, 'C');
});

test('of two equal calls at once one makes the game', async (t) => {
  const { games, store } = await openDomain(t);
  const [a, b] = await Promise.all([games.create({ name: 'Demo' }, TOKEN), games.create({ name: 'Demo' }, TOKEN)]);
  assert.deepEqual(a, b);
  assert.equal(await store.games.count(), 1);
});
