import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { CHANGE, openDomain, ROLE, UNRECORDED } from '../../test/support/domain.ts';
import { createArns } from './arn.ts';
import type { Audit } from './audit/audit.ts';
import { createResourceTags } from './tags.ts';

async function openTags(t: TestContext) {
  const domain = await openDomain(t);
  const { store, games, stages, clock } = domain;
  await games.create({ name: 'Demo', tags: { team: 'a' } }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  const arns = createArns({ region: 'us-east-1', accountId: '123456789012' });
  const tags = createResourceTags({ store, audit: UNRECORDED, arns, clock });
  return { ...domain, arns, tags, game: arns.game('Demo'), stage: arns.stage('Demo', 'Dev') };
}

test('tags of a game and of its stage are their own', async (t) => {
  const { tags, game, stage, games, stages } = await openTags(t);
  await tags.add(stage, { team: 'b', cost: '1' }, CHANGE);
  assert.deepEqual([await tags.get(game), await tags.get(stage)], [{ team: 'a' }, { team: 'b', cost: '1' }]);
  assert.deepEqual([await tags.find(game), await tags.find(stage)], [{ team: 'a' }, { team: 'b', cost: '1' }]);
  assert.deepEqual((await games.get('Demo')).tags, { team: 'a' });
  assert.deepEqual((await stages.get('Demo', 'Dev')).tags, { team: 'b', cost: '1' });
});

test('adding merges, removing forgets, and each moves the time of the last update', async (t) => {
  const { tags, game, stage, games, stages, clock } = await openTags(t);
  clock.advance(1_000);
  await tags.add(game, { team: 'c', env: '' }, CHANGE);
  assert.deepEqual(await tags.get(game), { team: 'c', env: '' });
  assert.equal((await games.get('Demo')).updatedAt, clock.now());
  clock.advance(1_000);
  await tags.remove(game, ['team', 'never'], CHANGE);
  assert.deepEqual(await tags.get(game), { env: '' });
  assert.equal((await games.get('Demo')).updatedAt, clock.now());
  await tags.add(stage, { a: 'b' }, CHANGE);
  assert.equal((await stages.get('Demo', 'Dev')).updatedAt, clock.now());
  await tags.remove(stage, ['a'], CHANGE);
  assert.deepEqual(await tags.get(stage), {});
});

test('the fiftieth tag is the last, and one too many changes nothing', async (t) => {
  const { tags, stage } = await openTags(t);
  const many = (from: number, to: number) =>
    Object.fromEntries(Array.from({ length: to - from }, (_, index) => [`k${from + index}`, '']));
  await tags.add(stage, many(0, 49), CHANGE);
  await tags.add(stage, many(40, 50), CHANGE);
  const tooMany = {
    code: 'validation',
    message: /would have 51 tags, but may have only 50: remove some with UntagResource/,
  };
  await assert.rejects(tags.add(stage, { k0: 'changed', more: '' }, CHANGE), tooMany);
  assert.deepEqual(await tags.get(stage), many(0, 50));
});

test('a key such as __proto__ is a tag like any other', async (t) => {
  const { tags, game } = await openTags(t);
  await tags.add(game, JSON.parse('{"__proto__":"x","constructor":"y"}'), CHANGE);
  assert.equal(JSON.stringify(await tags.get(game)), '{"team":"a","__proto__":"x","constructor":"y"}');
  await tags.remove(game, ['__proto__', 'toString'], CHANGE);
  assert.equal(JSON.stringify(await tags.get(game)), '{"team":"a","constructor":"y"}');
});

test('what does not exist or is being deleted is not found; other ARNs do not name a game or a stage', async (t) => {
  const { tags, arns, game, stage, store } = await openTags(t);
  const calls = (arn: string) => [
    () => tags.get(arn),
    () => tags.add(arn, { a: 'b' }, CHANGE),
    () => tags.remove(arn, ['a'], CHANGE),
  ];
  for (const arn of [arns.game('Other'), arns.stage('Demo', 'Live'), arns.stage('Other', 'Dev')]) {
    for (const call of calls(arn)) await assert.rejects(call(), { code: 'not_found', message: new RegExp(`"${arn}"`) });
    assert.equal(await tags.find(arn), undefined);
  }
  const foreign = [arns.player('Demo', 'Dev', 'p'), game.replace('us-east-1', 'eu-west-1'), `${game}\n`];
  for (const arn of foreign) {
    for (const call of calls(arn)) await assert.rejects(call(), { code: 'validation', message: /must be the ARN of/ });
    assert.equal(await tags.find(arn), undefined);
  }
  const [gameRecord, stageRecord] = [await store.games.find('Demo'), await store.stages.find('Demo', 'Dev')];
  await store.games.update(gameRecord?.id ?? '', { state: 'DELETING', updatedAt: 0 });
  await store.stages.update(stageRecord?.id ?? '', { state: 'DELETING', updatedAt: 0 });
  for (const arn of [game, stage]) for (const call of calls(arn)) await assert.rejects(call(), { code: 'not_found' });
});

test('a record says which tags were changed, and whether two calls have set the same', async (t) => {
  const { store, game, clock } = await openTags(t);
  const recorded: unknown[] = [];
  const audit: Audit = {
    around(change, rule) {
      recorded.push(change.details);
      return rule();
    },
  };
  const arns = createArns({ region: 'us-east-1', accountId: '123456789012' });
  const tags = createResourceTags({ store, audit, arns, clock });
  await tags.add(game, { team: 'a', env: 'live' }, CHANGE);
  await tags.add(game, { env: 'live', team: 'a' }, CHANGE);
  await tags.add(game, { env: 'live', team: 'b' }, CHANGE);
  await tags.remove(game, ['team', 'env'], CHANGE);
  const [one, other, third, removed] = recorded as Readonly<Record<string, string>>[];
  assert.deepEqual(one, other);
  assert.deepEqual([one?.tagKeys, third?.tagKeys, removed], ['env team', 'env team', { tagKeys: 'env team' }]);
  assert.notEqual(one?.tagsDigest, third?.tagsDigest);
});
