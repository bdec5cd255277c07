import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testAccessKeys } from './access-keys.contract.ts';
import { testBars } from './bars.contract.ts';
import { testDeployments } from './deployments.contract.ts';
import { testDisconnectJobs } from './disconnect-jobs.contract.ts';
import { testGeneratedCodeJobs } from './generated-code-jobs.contract.ts';
import { testSnapshots } from './snapshots.contract.ts';
import { isConflict, type OpenStore, sampleGame, sampleStage } from './store-samples.ts';
import { testWebhooks } from './webhooks.contract.ts';

/** Holds one implementation to every promise of `Store`; `open` gives an empty one that the test's end closes. */
export function testStore(open: OpenStore): void {
  testGames(open);
  testStages(open);
  testSnapshots(open);
  testDeployments(open);
  testGeneratedCodeJobs(open);
  testBars(open);
  testDisconnectJobs(open);
  testWebhooks(open);
  testAccessKeys(open);
  testClientTokensAndMeta(open);
  testTransactions(open);
}

function testGames(open: OpenStore): void {
  test('a game is found by its name as it was inserted', async (t) => {
    const { games } = await open(t);
    const game = sampleGame('Zoo', {
      description: 'ünï "quoted"',
      isTerminationProtected: true,
      tags: { a: 'b', c: '' },
    });
    await games.insert(game);
    assert.deepEqual(await games.find('Zoo'), game);
    assert.equal(await games.find('zoo'), undefined);
    assert.equal(await games.find(game.id), undefined);
  });

  test('games are listed in pages in order of name', async (t) => {
    const { games } = await open(t);
    for (const name of ['b', 'B', 'a_', 'a', 'a-']) await games.insert(sampleGame(name));
    const names = async (page: { after?: string; limit: number }) => (await games.list(page)).map(({ name }) => name);
    assert.deepEqual(await names({ limit: 10 }), ['B', 'a', 'a-', 'a_', 'b']);
    assert.deepEqual(await names({ limit: 2 }), ['B', 'a']);
    assert.deepEqual(await names({ after: 'a', limit: 2 }), ['a-', 'a_']);
    assert.deepEqual(await names({ after: 'a+', limit: 1 }), ['a-']);
    assert.deepEqual(await names({ after: 'b', limit: 2 }), []);
    assert.equal(await games.count(), 5);
  });

  test('a second game of the same name or id is a conflict and changes nothing', async (t) => {
    const { games } = await open(t);
    const game = sampleGame('Zoo', { state: 'DELETING' });
    await games.insert(game);
    await assert.rejects(games.insert(sampleGame('Zoo', { id: 'other' })), isConflict);
    await assert.rejects(games.insert(sampleGame('Other', { id: game.id })), isConflict);
    assert.deepEqual(await games.list({ limit: 10 }), [game]);
  });

  test('an update changes what it names and nothing else', async (t) => {
    const { games } = await open(t);
    const game = sampleGame('Zoo', { tags: { a: 'b' } });
    const other = sampleGame('Other');
    await games.insert(game);
    await games.insert(other);
    await games.update(game.id, { description: '', updatedAt: 7 });
    assert.deepEqual(await games.find('Zoo'), { ...game, description: '', updatedAt: 7 });
    await games.update(game.id, { state: 'DELETING', updatedAt: 8 });
    assert.deepEqual(await games.find('Zoo'), { ...game, description: '', state: 'DELETING', updatedAt: 8 });
    await games.update(game.id, { tags: { c: '"d"' }, updatedAt: 9 });
    const changed = { ...game, description: '', state: 'DELETING', tags: { c: '"d"' }, updatedAt: 9 };
    assert.deepEqual(await games.find('Zoo'), changed);
    await games.update(game.id, { tags: {}, updatedAt: 10 });
    assert.deepEqual(await games.find('Zoo'), { ...changed, tags: {}, updatedAt: 10 });
    await games.update('unknown', { description: 'x', updatedAt: 11 });
    assert.deepEqual(await games.find('Other'), other);
  });

  test('a removed game takes its stages with it and frees its name', async (t) => {
    const { games, stages } = await open(t);
    const game = sampleGame('Zoo');
    const other = sampleGame('Other');
    await games.insert(game);
    await games.insert(other);
    await stages.insert(sampleStage(game, 'Dev'));
    await stages.insert(sampleStage(other, 'Dev'));
    await games.remove(game.id);
    await games.remove(game.id);
    assert.equal(await games.find('Zoo'), undefined);
    assert.equal(await stages.findById(sampleStage(game, 'Dev').id), undefined);
    assert.equal(await stages.count(other.id), 1);
    await games.insert(sampleGame('Zoo', { id: 'another' }));
    assert.equal(await stages.find('Zoo', 'Dev'), undefined);
  });
}

function testStages(open: OpenStore): void {
  test('a stage is found by name, id and game key, together with its game', async (t) => {
    const { games, stages } = await open(t);
    const game = sampleGame('Zoo');
    const stage = sampleStage(game, 'Dev', { tags: { x: 'y' } });
    await games.insert(game);
    await stages.insert(stage);
    const expected = { ...stage, gameName: 'Zoo', gameState: 'ACTIVE', runtimeId: undefined, identity: undefined };
    assert.deepEqual(await stages.find('Zoo', 'Dev'), expected);
    assert.deepEqual(await stages.findById(stage.id), expected);
    assert.deepEqual(await stages.findByGameKey(stage.gameKey), expected);
    assert.equal(await stages.find('Zoo', 'dev'), undefined);
    assert.equal(await stages.find('zoo', 'Dev'), undefined);
    assert.equal(await stages.findById('Dev'), undefined);
    assert.equal(await stages.findByGameKey(''), undefined);
    await games.update(game.id, { state: 'DELETING', updatedAt: 9 });
    assert.equal((await stages.findByGameKey(stage.gameKey))?.gameState, 'DELETING');
  });

  test("a game's stages are listed in pages in order of name", async (t) => {
    const { games, stages } = await open(t);
    const game = sampleGame('Zoo');
    const other = sampleGame('Other');
    await games.insert(game);
    await games.insert(other);
    for (const name of ['Test', 'Dev', 'Live']) await stages.insert(sampleStage(game, name));
    await stages.insert(sampleStage(other, 'Mine'));
    const names = async (page: { after?: string; limit: number }) =>
      (await stages.list(game.id, page)).map(({ name }) => name);
    assert.deepEqual(await names({ limit: 10 }), ['Dev', 'Live', 'Test']);
    assert.deepEqual(await names({ after: 'Dev', limit: 1 }), ['Live']);
    assert.equal(await stages.count(game.id), 3);
    assert.equal(await stages.count('unknown'), 0);
  });

  test('a stage name is unique in its game, and a game key everywhere', async (t) => {
    const { games, stages } = await open(t);
    const game = sampleGame('Zoo');
    const other = sampleGame('Other');
    await games.insert(game);
    await games.insert(other);
    const stage = sampleStage(game, 'Dev');
    await stages.insert(stage);
    await assert.rejects(stages.insert(sampleStage(game, 'Dev', { id: '2', gameKey: '2' })), isConflict);
    await assert.rejects(stages.insert(sampleStage(other, 'Dev', { gameKey: stage.gameKey })), isConflict);
    await stages.insert(sampleStage(other, 'Dev'));
    assert.equal(await stages.count(game.id), 1);
  });

  test('a stage of an unknown game is refused', async (t) => {
    const { stages } = await open(t);
    await assert.rejects(stages.insert(sampleStage(sampleGame('Gone'), 'Dev')), /FOREIGN KEY|foreign key/);
  });

  test('a stage can be updated and removed', async (t) => {
    const { games, stages } = await open(t);
    const game = sampleGame('Zoo');
    await games.insert(game);
    const stage = sampleStage(game, 'Dev');
    await stages.insert(stage);
    const original = await stages.findById(stage.id);
    await stages.update(stage.id, { role: 'another role', updatedAt: 7 });
    assert.deepEqual(await stages.findById(stage.id), { ...original, role: 'another role', updatedAt: 7 });
    await stages.remove(stage.id);
    await stages.remove(stage.id);
    assert.equal(await stages.findById(stage.id), undefined);
  });

  test("a stage's tags, runtime and identity are seen by every look-up as soon as they are changed", async (t) => {
    const { games, stages, transaction } = await open(t);
    const game = sampleGame('Zoo');
    await games.insert(game);
    const stage = sampleStage(game, 'Dev', { tags: { a: 'b' } });
    await stages.insert(stage);
    const expected = { ...stage, gameName: 'Zoo', gameState: 'ACTIVE', runtimeId: undefined, identity: undefined };
    const assertFound = async (change: object) => {
      assert.deepEqual(await stages.find('Zoo', 'Dev'), { ...expected, ...change });
      assert.deepEqual(await stages.findByGameKey(stage.gameKey), { ...expected, ...change });
      assert.deepEqual(await stages.findById(stage.id), { ...expected, ...change });
      assert.deepEqual(await stages.list(game.id, { limit: 10 }), [{ ...expected, ...change }]);
    };
    await assertFound({});
    await stages.update(stage.id, { runtimeId: 'first', updatedAt: 7 });
    await assertFound({ runtimeId: 'first', updatedAt: 7 });
    await transaction((within) => within.stages.update(stage.id, { runtimeId: 'second', updatedAt: 8 }));
    await assertFound({ runtimeId: 'second', updatedAt: 8 });
    const rejected = transaction(async (within) => {
      await within.stages.update(stage.id, { runtimeId: 'third', updatedAt: 9 });
      assert.equal((await within.stages.find('Zoo', 'Dev'))?.runtimeId, 'third');
      throw new Error('on purpose');
    });
    await assert.rejects(rejected, /on purpose/);
    await assertFound({ runtimeId: 'second', updatedAt: 8 });
    await stages.update(stage.id, { tags: { c: 'd' }, updatedAt: 10 });
    await assertFound({ runtimeId: 'second', tags: { c: 'd' }, updatedAt: 10 });
    await stages.update(stage.id, { runtimeId: undefined, updatedAt: 11 });
    await assertFound({ tags: { c: 'd' }, updatedAt: 11 });
    const identity = '{"allowGuests":false,"issuer":"ünï"}';
    await stages.update(stage.id, { identity, updatedAt: 12 });
    await assertFound({ tags: { c: 'd' }, identity, updatedAt: 12 });
    await stages.update(stage.id, { description: 'no other', updatedAt: 13 });
    await assertFound({ tags: { c: 'd' }, identity, description: 'no other', updatedAt: 13 });
    await stages.remove(stage.id);
    await stages.insert(stage);
    await assertFound({});
  });

  test('the stages being deleted are listed, by themselves or with their game', async (t) => {
    const { games, stages } = await open(t);
    const live = sampleGame('Live');
    const dying = sampleGame('Dying', { state: 'DELETING' });
    await games.insert(live);
    await games.insert(dying);
    await stages.insert(sampleStage(live, 'Kept'));
    await stages.insert(sampleStage(live, 'Old', { state: 'DELETING' }));
    await stages.insert(sampleStage(dying, 'Dev'));
    assert.deepEqual(
      (await stages.listDeleting()).map(({ gameName, name }) => `${gameName}/${name}`),
      ['Dying/Dev', 'Live/Old'],
    );
  });
}

function testClientTokensAndMeta(open: OpenStore): void {
  const record = {
    principal: 'KEY',
    operation: 'CreateGame',
    token: 'token',
    parametersDigest: 'digest',
    resourceId: 'id',
    createdAt: 1_700_000_000_000,
  };

  test('a client token belongs to one principal and one operation', async (t) => {
    const { clientTokens } = await open(t);
    await clientTokens.insert(record);
    assert.deepEqual(await clientTokens.find('KEY', 'CreateGame', 'token'), record);
    assert.equal(await clientTokens.find('OTHER', 'CreateGame', 'token'), undefined);
    assert.equal(await clientTokens.find('KEY', 'CreateStage', 'token'), undefined);
    assert.equal(await clientTokens.find('KEY', 'CreateGame', 'other'), undefined);
    await assert.rejects(clientTokens.insert({ ...record, resourceId: 'another' }), isConflict);
    await clientTokens.insert({ ...record, principal: 'OTHER' });
    await clientTokens.remove('KEY', 'CreateGame', 'token');
    assert.equal(await clientTokens.find('KEY', 'CreateGame', 'token'), undefined);
    assert.notEqual(await clientTokens.find('OTHER', 'CreateGame', 'token'), undefined);
  });

  test('client tokens made before a time are forgotten', async (t) => {
    const { clientTokens } = await open(t);
    await clientTokens.insert({ ...record, token: 'old', createdAt: 9 });
    await clientTokens.insert({ ...record, token: 'older', createdAt: 8 });
    await clientTokens.insert({ ...record, token: 'young', createdAt: 10 });
    const left = async () => {
      const found = ['older', 'old', 'young'].map((token) => clientTokens.find('KEY', 'CreateGame', token));
      return (await Promise.all(found)).flatMap((each) => each?.token ?? []);
    };
    await clientTokens.removeOlderThan(10, 1);
    assert.deepEqual(await left(), ['old', 'young']);
    await clientTokens.removeOlderThan(10, 9);
    assert.deepEqual(await left(), ['young']);
  });

  test('a fact is absent until it is set, and can be set again', async (t) => {
    const { meta } = await open(t);
    assert.equal(await meta.get('fact'), undefined);
    await meta.set('fact', 'one');
    await meta.set('other', '');
    await meta.set('fact', 'two');
    assert.equal(await meta.get('fact'), 'two');
    assert.equal(await meta.get('other'), '');
  });
}

function testTransactions(open: OpenStore): void {
  const failure = new Error('on purpose');

  test('a transaction keeps everything, and its reads see its writes', async (t) => {
    const store = await open(t);
    const game = sampleGame('Zoo');
    const result = await store.transaction(async ({ games, stages }) => {
      await games.insert(game);
      await stages.insert(sampleStage(game, 'Dev'));
      return await stages.find('Zoo', 'Dev');
    });
    assert.deepEqual(await store.stages.find('Zoo', 'Dev'), result);
    assert.notEqual(result, undefined);
  });

  test('a transaction that rejects keeps nothing and passes its rejection on', async (t) => {
    const store = await open(t);
    await store.meta.set('fact', 'before');
    const rejected = store.transaction(async ({ games, meta }) => {
      await games.insert(sampleGame('Zoo'));
      await meta.set('fact', 'after');
      throw failure;
    });
    await assert.rejects(rejected, (error) => error === failure);
    assert.equal(await store.games.find('Zoo'), undefined);
    assert.equal(await store.meta.get('fact'), 'before');
  });

  test('a conflict inside a transaction does not end it', async (t) => {
    const store = await open(t);
    await store.games.insert(sampleGame('Zoo'));
    await store.transaction(async ({ games, meta }) => {
      await assert.rejects(games.insert(sampleGame('Zoo', { id: 'other' })), isConflict);
      await meta.set('fact', 'kept');
    });
    assert.equal(await store.meta.get('fact'), 'kept');
  });

  test('transactions asked for at once run one after the other, reads between them', async (t) => {
    const store = await open(t);
    await store.meta.set('count', '0');
    const increments = Array.from({ length: 20 }, () =>
      store.transaction(async ({ meta }) => {
        const count = Number(await meta.get('count'));
        await meta.set('half', String(count + 1));
        await meta.set('count', String(count + 1));
      }),
    );
    const reads = Array.from({ length: 20 }, () => store.meta.get('count'));
    await Promise.all(increments);
    assert.ok((await Promise.all(reads)).every((read) => read !== undefined));
    assert.equal(await store.meta.get('count'), '20');
  });

  test('a transaction within another is undone by itself, or with the outer one', async (t) => {
    const store = await open(t);
    await store.transaction(async (outer) => {
      await outer.meta.set('outer', 'kept');
      const inner = outer.transaction(async ({ meta }) => {
        await meta.set('outer', 'lost');
        await meta.set('inner', 'lost');
        throw failure;
      });
      await assert.rejects(inner, (error) => error === failure);
      await outer.transaction(({ meta }) => meta.set('second', 'kept'));
    });
    assert.equal(await store.meta.get('outer'), 'kept');
    assert.equal(await store.meta.get('inner'), undefined);
    assert.equal(await store.meta.get('second'), 'kept');

    const rejected = store.transaction(async (outer) => {
      await outer.transaction(({ meta }) => meta.set('third', 'lost'));
      throw failure;
    });
    await assert.rejects(rejected, (error) => error === failure);
    assert.equal(await store.meta.get('third'), undefined);
  });
}
