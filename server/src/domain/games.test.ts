import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHANGE, openDomain } from '../../test/support/domain.ts';
import type { ErrorCode } from '../errors.ts';

const TOKEN = 'a'.repeat(33);

const failsWith = (code: ErrorCode, message = /./) => ({ name: 'ServiceError', code, message });

test('a created game is active, without a description or tags unless given', async (t) => {
  const { games, clock } = await openDomain(t);
  const made = await games.create({ name: 'Demo' }, CHANGE);
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
  const tagged = await games.create({ name: 'Other', description: 'd', tags: { team: 'a' } }, CHANGE);
  assert.deepEqual([tagged.description, tagged.tags], ['d', { team: 'a' }]);
});

test('names of games are unique', async (t) => {
  const { games } = await openDomain(t);
  await games.create({ name: 'Demo' }, CHANGE);
  await assert.rejects(games.create({ name: 'Demo' }, CHANGE), failsWith('conflict', /"Demo" already exists/));
});

test('one game more than maxGames exceeds the quota', async (t) => {
  const { games } = await openDomain(t, { maxGames: 1 });
  await games.create({ name: 'A' }, CHANGE);
  await assert.rejects(games.create({ name: 'B' }, CHANGE), failsWith('quota_exceeded', /RESPARK_MAX_GAMES/));
  await games.delete('A', CHANGE);
  await games.create({ name: 'B' }, CHANGE);
});

test('an update changes the description and the time of the last update', async (t) => {
  const { games, clock } = await openDomain(t);
  const made = await games.create({ name: 'Demo', description: 'old' }, CHANGE);
  clock.advance(1_000);
  const updated = await games.update('Demo', { description: '' }, CHANGE);
  assert.deepEqual(updated, { ...made, description: '', updatedAt: made.updatedAt + 1_000 });
  assert.deepEqual(await games.get('Demo'), updated);
  clock.advance(1_000);
  assert.deepEqual(await games.update('Demo', {}, CHANGE), updated);
});

test('an unknown game is not found, and deleting it is no error', async (t) => {
  const { games } = await openDomain(t);
  await assert.rejects(games.get('Demo'), failsWith('not_found', /"Demo"/));
  await assert.rejects(games.update('Demo', { description: 'x' }, CHANGE), failsWith('not_found'));
  await games.delete('Demo', CHANGE);
  assert.equal(await games.find('Demo'), undefined);
});

test('a deleted game is gone with its stages, whose connections were closed first', async (t) => {
  const { games, stages, closedStages, store } = await openDomain(t);
  await games.create({ name: 'Demo' }, CHANGE);
  const role = 'arn:aws:iam::123456789012:role/Example';
  const made = await Promise.all(
    ['Dev', 'Live'].map((name) => stages.create({ gameName: 'Demo', name, role }, CHANGE)),
  );
  await games.delete('Demo', CHANGE);
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
  await assert.rejects(games.delete('Demo', CHANGE), failsWith('conflict', /protect/));
  assert.equal((await games.get('Demo')).state, 'ACTIVE');
});

test('a call repeated with its token finds the game as it is now', async (t) => {
  const { games, store, clock } = await openDomain(t);
  const made = await games.create({ name: 'Demo', tags: { a: '1', b: '2' }, clientToken: TOKEN }, CHANGE);
  const updated = await games.update('Demo', { description: 'new' }, CHANGE);
  clock.advance(23 * 3_600_000);
  assert.deepEqual(await games.create({ name: 'Demo', tags: { b: '2', a: '1' }, clientToken: TOKEN }, CHANGE), updated);
  assert.equal(updated.id, made.id);
  assert.equal(await store.games.count(), 1);
});

test('a token with other parameters is a conflict', async (t) => {
  const { games } = await openDomain(t);
  await games.create({ name: 'Demo', clientToken: TOKEN }, CHANGE);
  for (const other of [{ name: 'Other' }, { name: 'Demo', description: 'x' }, { name: 'Demo', tags: { a: '' } }]) {
    await assert.rejects(
      games.create({ ...other, clientToken: TOKEN }, CHANGE),
      failsWith('conflict', /ClientToken "a+"/),
    );
  }
  assert.equal(await games.find('Other'), undefined);
});

test('a token belongs to its principal and its operation', async (t) => {
  const { games, stages } = await openDomain(t);
  await games.create({ name: 'Demo', clientToken: TOKEN }, CHANGE);
  await games.create({ name: 'Other', clientToken: TOKEN }, { ...CHANGE, actor: 'AKIDOTHER' });
  const role = 'arn:aws:iam::123456789012:role/Example';
  await stages.create({ gameName: 'Demo', name: 'Dev', role, clientToken: TOKEN }, CHANGE);
});

test('a token ends with what it made', async (t) => {
  const { games } = await openDomain(t);
  const first = await games.create({ name: 'Demo', clientToken: TOKEN }, CHANGE);
  await games.delete('Demo', CHANGE);
  const second = await games.create({ name: 'Demo', description: 'another', clientToken: TOKEN }, CHANGE);
  assert.notEqual(second.id, first.id);
  assert.deepEqual(await games.create({ name: 'Demo', description: 'another', clientToken: TOKEN }, CHANGE), second);
});

test('a token ends with what it made, even when another of the same name was made since', async (t) => {
  const { games } = await openDomain(t);
  await games.create({ name: 'Demo', clientToken: TOKEN }, CHANGE);
  await games.delete('Demo', CHANGE);
  await games.create({ name: 'Demo' }, CHANGE);
  await assert.rejects(
    games.create({ name: 'Demo', clientToken: TOKEN }, CHANGE),
    failsWith('conflict', /already exists/),
  );
});

test('a token ends after a day and is then forgotten', async (t) => {
  const { games, store, clock } = await openDomain(t);
  await games.create({ name: 'Demo', clientToken: TOKEN }, CHANGE);
  clock.advance(24 * 3_600_000 + 1);
  await assert.rejects(
    games.create({ name: 'Demo', clientToken: TOKEN }, CHANGE),
    failsWith('conflict', /already exists/),
  );
  await games.create({ name: 'Other', clientToken: 'b'.repeat(33) }, CHANGE);
  assert.equal(await store.clientTokens.find(CHANGE.actor, 'CreateGame', TOKEN), undefined);
});

test('old tokens are forgotten a few at a time, and none of them counts', async (t) => {
  const { games, store, clock } = await openDomain(t);
  const days = 24 * 3_600_000;
  await games.create({ name: 'Demo', clientToken: TOKEN }, CHANGE);
  const made = await store.clientTokens.find(CHANGE.actor, 'CreateGame', TOKEN);
  assert.ok(made !== undefined);
  const tokens = Array.from({ length: 150 }, (_, number) => `${number}`.padStart(33, '0'));
  await store.transaction(async ({ clientTokens }) => {
    for (const token of tokens) await clientTokens.insert({ ...made, token, createdAt: made.createdAt - 2 * days });
  });
  const left = async () => {
    const found = await Promise.all(tokens.map((token) => store.clientTokens.find(CHANGE.actor, 'CreateGame', token)));
    return found.filter((token) => token !== undefined).length;
  };
  clock.advance(days + 1);
  // This one is as old as the others by now, and not forgotten yet.
  await assert.rejects(
    games.create({ name: 'Demo', clientToken: TOKEN }, CHANGE),
    failsWith('conflict', /already exists/),
  );
  assert.equal(await left(), 150, 'what a failed call has forgotten is undone');
  await games.create({ name: 'Other', clientToken: 'b'.repeat(33) }, CHANGE);
  assert.equal(await left(), 50);
  await games.create({ name: 'Another', clientToken: TOKEN }, CHANGE);
  assert.equal(await left(), 0);
});

test('a call that fails uses no token', async (t) => {
  const { games } = await openDomain(t, { maxGames: 1 });
  await games.create({ name: 'A' }, CHANGE);
  await assert.rejects(games.create({ name: 'B', clientToken: TOKEN }, CHANGE), failsWith('quota_exceeded'));
  await games.delete('A', CHANGE);
  assert.equal((await games.create({ name: 'C', clientToken: TOKEN }, CHANGE)).name, 'C');
});

test('when two equal calls come at once, one makes the game', async (t) => {
  const { games, store } = await openDomain(t);
  const [a, b] = await Promise.all([
    games.create({ name: 'Demo', clientToken: TOKEN }, CHANGE),
    games.create({ name: 'Demo', clientToken: TOKEN }, CHANGE),
  ]);
  assert.deepEqual(a, b);
  assert.equal(await store.games.count(), 1);
});
