import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { CHANGE, openDomain, ROLE } from '../../test/support/domain.ts';
import type { ErrorCode } from '../errors.ts';
import type { PageRequest } from './pagination.ts';

const TOKEN = 'a'.repeat(33);
const DEV = { gameName: 'Demo', name: 'Dev', role: ROLE };

const failsWith = (code: ErrorCode, message = /./) => ({ name: 'ServiceError', code, message });

async function openWithGame(t: TestContext, options: { maxStages?: number } = {}) {
  const domain = await openDomain(t, options);
  const game = await domain.games.create({ name: 'Demo' }, CHANGE);
  return { ...domain, game };
}

test('a created stage has a game key and a log group of its own', async (t) => {
  const { stages, game, clock } = await openWithGame(t);
  const made = await stages.create({ ...DEV, tags: { a: '1' } }, CHANGE);
  const { id, gameKey, ...rest } = made;
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.match(gameKey, /^[0-9A-Za-z]{32}$/);
  assert.deepEqual(rest, {
    gameId: game.id,
    gameName: 'Demo',
    name: 'Dev',
    description: '',
    role: ROLE,
    logGroup: '/aws/gamesparks/Demo/Dev',
    state: 'ACTIVE',
    gameState: 'ACTIVE',
    runtimeId: undefined,
    identity: undefined,
    tags: { a: '1' },
    createdAt: clock.now(),
    updatedAt: clock.now(),
  });
  assert.deepEqual(await stages.get('Demo', 'Dev'), made);
  assert.notEqual((await stages.create({ ...DEV, name: 'Live' }, CHANGE)).gameKey, gameKey);
});

test('names of stages are unique in their game only', async (t) => {
  const { games, stages } = await openWithGame(t);
  await games.create({ name: 'Other' }, CHANGE);
  await stages.create(DEV, CHANGE);
  await stages.create({ ...DEV, gameName: 'Other' }, CHANGE);
  await assert.rejects(stages.create(DEV, CHANGE), failsWith('conflict', /"Dev" already exists/));
});

test('one stage more than maxStages is a conflict that says so', async (t) => {
  const { stages } = await openWithGame(t, { maxStages: 1 });
  await stages.create(DEV, CHANGE);
  await assert.rejects(stages.create({ ...DEV, name: 'Live' }, CHANGE), failsWith('conflict', /RESPARK_MAX_STAGES/));
});

test('a stage needs its game', async (t) => {
  const { stages } = await openDomain(t);
  await assert.rejects(stages.create(DEV, CHANGE), failsWith('not_found', /game "Demo"/));
  await assert.rejects(stages.list('Demo', {}), failsWith('not_found', /game "Demo"/));
});

test('it is said which is missing, the stage or its game', async (t) => {
  const { stages } = await openWithGame(t);
  for (const [gameName, message] of [
    ['Demo', /^there is no stage "Dev" in game "Demo": ListStages/],
    ['Nope', /^there is no game "Nope": ListGames/],
  ] as const)
    for (const call of [
      () => stages.get(gameName, 'Dev'),
      () => stages.update(gameName, 'Dev', { description: 'x' }, CHANGE),
      () => stages.delete(gameName, 'Dev', CHANGE),
    ])
      await assert.rejects(call(), failsWith('not_found', message));
});

test('an update changes what it names', async (t) => {
  const { stages, clock } = await openWithGame(t);
  const made = await stages.create(DEV, CHANGE);
  clock.advance(1_000);
  const described = await stages.update('Demo', 'Dev', { description: 'new' }, CHANGE);
  assert.deepEqual(described, { ...made, description: 'new', updatedAt: made.updatedAt + 1_000 });
  const moved = await stages.update('Demo', 'Dev', { role: `${ROLE}2` }, CHANGE);
  assert.deepEqual([moved.role, moved.description], [`${ROLE}2`, 'new']);
  assert.deepEqual(await stages.get('Demo', 'Dev'), moved);
  clock.advance(1_000);
  assert.deepEqual(await stages.update('Demo', 'Dev', {}, CHANGE), moved);
});

test('a deleted stage is gone, and its name is free', async (t) => {
  const { stages, closedStages } = await openWithGame(t);
  const first = await stages.create(DEV, CHANGE);
  await stages.delete('Demo', 'Dev', CHANGE);
  assert.deepEqual(closedStages, [first.id]);
  await assert.rejects(stages.get('Demo', 'Dev'), failsWith('not_found'));
  const second = await stages.create(DEV, CHANGE);
  assert.notEqual(second.id, first.id);
});

test('a call repeated with its token finds the stage, but is a conflict with other parameters', async (t) => {
  const { stages } = await openWithGame(t);
  const made = await stages.create({ ...DEV, clientToken: TOKEN }, CHANGE);
  assert.deepEqual(await stages.create({ ...DEV, clientToken: TOKEN }, CHANGE), made);
  for (const other of [
    { ...DEV, role: `${ROLE}2` },
    { ...DEV, name: 'Live' },
  ]) {
    await assert.rejects(stages.create({ ...other, clientToken: TOKEN }, CHANGE), failsWith('conflict', /ClientToken/));
  }
  await stages.delete('Demo', 'Dev', CHANGE);
  assert.equal((await stages.create({ ...DEV, name: 'Live', clientToken: TOKEN }, CHANGE)).name, 'Live');
});

test('stages are listed page by page, each once', async (t) => {
  const { stages } = await openWithGame(t);
  const names = ['E', 'B', 'D', 'A', 'C'];
  for (const name of names) await stages.create({ ...DEV, name }, CHANGE);
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await stages.list('Demo', { maxResults: 2, nextToken });
    assert.ok(page.items.length <= 2);
    seen.push(...page.items.map(({ name }) => name));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  assert.deepEqual(seen, [...names].sort());
});

test('a token of one list opens no other', async (t) => {
  const { games, stages } = await openWithGame(t);
  for (const name of ['A', 'B']) await stages.create({ ...DEV, name }, CHANGE);
  await games.create({ name: 'Other' }, CHANGE);
  const { nextToken } = await stages.list('Demo', { maxResults: 1 });
  await assert.rejects(stages.list('Other', { nextToken }), failsWith('validation', /NextToken/));
  await assert.rejects(games.list({ nextToken }), failsWith('validation', /NextToken/));
  await games.delete('Demo', CHANGE);
  await games.create({ name: 'Demo' }, CHANGE);
  await assert.rejects(stages.list('Demo', { nextToken }), failsWith('validation', /NextToken/));
});

test('pages of games and stages with many tags end early, and leave none out', async (t) => {
  const { games, stages } = await openDomain(t);
  const tags = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`key${index}`, 'v'.repeat(256)]));
  const names = Array.from({ length: 12 }, (_, index) => `Name${index + 10}`);
  for (const name of names) await games.create({ name, tags }, CHANGE);
  for (const name of names) await stages.create({ gameName: 'Name10', name, role: ROLE, tags }, CHANGE);
  const lists = { games: games.list, stages: (request: PageRequest) => stages.list('Name10', request) };
  for (const [what, list] of Object.entries(lists)) {
    const seen: string[] = [];
    const sizes: number[] = [];
    let nextToken: string | undefined;
    do {
      const page = await list({ nextToken });
      seen.push(...page.items.map(({ name }) => name));
      sizes.push(page.items.length);
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    assert.deepEqual([seen, sizes], [names, [5, 5, 2]], what);
  }
});
