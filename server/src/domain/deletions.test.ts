import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { crashingStore } from '../../test/support/crashing-store.ts';
import { CHANGE, openDomain, ROLE } from '../../test/support/domain.ts';
import { type ErrorCode, ServiceError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { sampleGame, sampleStage } from '../store/store-samples.ts';
import { openTestStore } from '../store/test-store.ts';
import { markerOf } from './players/bars/bars.ts';

const failsWith = (code: ErrorCode, message = /./) => ({ name: 'ServiceError', code, message });

async function openWithStages(t: TestContext, names = ['Dev']) {
  const domain = await openDomain(t);
  await domain.games.create({ name: 'Demo' }, CHANGE);
  for (const name of names) await domain.stages.create({ gameName: 'Demo', name, role: ROLE }, CHANGE);
  return domain;
}

/** Makes the closing of stages wait for `release`; `asked` resolves when it waits. */
function holdClosing(nodes: { closeStage(stageId: string): Promise<void> }) {
  let release = () => {};
  let isAsked = () => {};
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve;
  });
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  nodes.closeStage = () => {
    isAsked();
    return held;
  };
  return { asked, release };
}

test('while a stage is being deleted it can be read and deleted again, but nothing else', async (t) => {
  const { stages, nodes } = await openWithStages(t);
  const { asked, release } = holdClosing(nodes);
  const deletion = stages.delete('Demo', 'Dev', CHANGE);
  await asked;
  assert.equal((await stages.get('Demo', 'Dev')).state, 'DELETING');
  assert.equal((await stages.list('Demo', {})).items[0]?.state, 'DELETING');
  await assert.rejects(stages.update('Demo', 'Dev', { description: 'x' }, CHANGE), failsWith('not_found'));
  const again = { gameName: 'Demo', name: 'Dev', role: ROLE };
  await assert.rejects(stages.create(again, CHANGE), failsWith('conflict', /still being deleted/));
  const second = stages.delete('Demo', 'Dev', CHANGE);
  release();
  await Promise.all([deletion, second]);
  assert.equal(await stages.find('Demo', 'Dev'), undefined);
});

test('what there may be much of is removed before its stage or game, so that none goes with the row', async (t) => {
  const store = await openTestStore(t);
  const calls: string[] = [];
  const bars: Store['bars'] = {
    ...store.bars,
    async removeAll(place, leaving) {
      calls.push(place.stageId === undefined ? 'bars of the game' : 'bars of the stage');
      await store.bars.removeAll(place, leaving);
    },
  };
  const notingAll = <T extends 'deployments' | 'runtimes'>(name: T) => ({
    ...store[name],
    async removeAll(stageId: string) {
      calls.push(name);
      await store[name].removeAll(stageId);
    },
  });
  const noting = <T extends 'stages' | 'games'>(name: T) => ({
    ...store[name],
    async remove(id: string) {
      calls.push(name);
      await store[name].remove(id);
    },
  });
  const domain = await openDomain(t, {
    store: {
      ...{ ...store, bars, stages: noting('stages'), games: noting('games') },
      ...{ deployments: notingAll('deployments'), runtimes: notingAll('runtimes') },
    },
  });
  await domain.games.create({ name: 'Demo' }, CHANGE);
  await domain.stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  await domain.games.delete('Demo', CHANGE);
  assert.deepEqual(calls, ['deployments', 'runtimes', 'bars of the stage', 'stages', 'bars of the game', 'games']);
});

test('the directory forgets the bars of a stage and of a game, which may have been set for good', async (t) => {
  const { store, cluster, games } = await openDomain(t);
  const zoo = sampleGame('Zoo');
  const live = sampleStage(zoo, 'Live');
  await store.games.insert(zoo);
  await store.stages.insert(live);
  const isBarred = async (name: string) => {
    const newcomer = { barNames: [name], at: 0, signedInAt: 0 };
    return (await cluster.findBar({ stageId: live.id, playerId: name }, newcomer)) !== undefined;
  };
  const names = ['of the stage', 'of the game'];
  for (const name of names) {
    const stageId = name === 'of the stage' ? live.id : undefined;
    const record = await store.bars.set({
      ...{ name, kind: 'block', gameId: zoo.id, stageId, playerId: name, until: undefined, signedInBefore: undefined },
      ...{ endsConnections: true, reason: '', messages: {}, evidence: '', actor: 'a', requestId: name, createdAt: 1 },
    });
    const { target, bar } = markerOf(record);
    await cluster.setBar(target, bar, { era: cluster.era(), node: cluster.node });
    assert.equal(await isBarred(name), true);
  }
  await games.delete('Zoo', CHANGE);
  for (const name of names) assert.equal(await isBarred(name), false, name);
});

test('while a game is being deleted it can be read and deleted again, but nothing else', async (t) => {
  const { games, stages, nodes } = await openWithStages(t);
  const { asked, release } = holdClosing(nodes);
  const deletion = games.delete('Demo', CHANGE);
  await asked;
  assert.equal((await games.get('Demo')).state, 'DELETING');
  assert.equal((await games.list({})).items[0]?.state, 'DELETING');
  assert.equal((await stages.get('Demo', 'Dev')).state, 'DELETING');
  await assert.rejects(games.update('Demo', { description: 'x' }, CHANGE), failsWith('not_found'));
  await assert.rejects(games.create({ name: 'Demo' }, CHANGE), failsWith('conflict', /still being deleted/));
  const live = { gameName: 'Demo', name: 'Live', role: ROLE };
  await assert.rejects(stages.create(live, CHANGE), failsWith('conflict', /game "Demo" is still being deleted/));
  const second = games.delete('Demo', CHANGE);
  const ofStage = stages.delete('Demo', 'Dev', CHANGE);
  release();
  await Promise.all([deletion, second, ofStage]);
  assert.equal(await games.find('Demo'), undefined);
});

test('a deletion that takes too long is answered at the deadline and goes on', async (t) => {
  const { stages, nodes, clock, deletions, lines } = await openWithStages(t);
  const { asked } = holdClosing(nodes);
  const deletion = stages.delete('Demo', 'Dev', CHANGE);
  await asked;
  clock.advance(5_000);
  await deletion;
  assert.equal((await stages.get('Demo', 'Dev')).state, 'DELETING');
  nodes.closeStage = async () => {};
  await nextTurn();
  clock.advance(200);
  await deletions.settled();
  assert.equal(await stages.find('Demo', 'Dev'), undefined);
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['deletion failed and will be tried again'],
  );
  assert.equal(clock.pending, 0);
});

test('failures are tried again after pauses that grow to half a minute', async (t) => {
  const { stages, nodes, clock, deletions } = await openWithStages(t);
  let attempts = 0;
  nodes.closeStage = async () => {
    attempts += 1;
    if (attempts < 12) throw new Error('the link is down');
  };
  const deletion = stages.delete('Demo', 'Dev', CHANGE);
  const pauses: number[] = [];
  while (attempts < 12) {
    const before = attempts;
    let pausedMs = 0;
    for (; attempts === before && pausedMs <= 60_000; pausedMs += 200) {
      await nextTurn();
      if (attempts === before) clock.advance(200);
      await nextTurn();
    }
    pauses.push(pausedMs);
  }
  await deletion;
  await deletions.settled();
  assert.equal(await stages.find('Demo', 'Dev'), undefined);
  assert.equal(Math.max(...pauses), 30_000);
});

test('closing ends the pauses, starts nothing and leaves the rest to the next start', async (t) => {
  const { stages, nodes, clock, deletions, store } = await openWithStages(t);
  nodes.closeStage = async () => {
    throw new Error('the link is down');
  };
  const deletion = stages.delete('Demo', 'Dev', CHANGE);
  await nextTurn();
  await deletions.close();
  await deletion;
  assert.equal(clock.pending, 0);
  assert.equal((await stages.get('Demo', 'Dev')).state, 'DELETING');

  const restarted = await openDomain(t, { store });
  await restarted.deletions.resume();
  await restarted.deletions.settled();
  assert.equal(await restarted.stages.find('Demo', 'Dev'), undefined);
});

/** Data that notes the stages that lose it, after the failures that it is told to have. */
function countedData({ failures = 0 } = {}) {
  const removed: string[] = [];
  let left = failures;
  async function remove(stageId: string): Promise<void> {
    left -= 1;
    if (left >= 0) throw new ServiceError('internal', 'out of reach');
    removed.push(stageId);
  }
  return { removed, remove, removeStage: remove };
}

test("what cloud code has kept for a stage goes after the stage's players and before its row, and no other stage's", async (t) => {
  const [playerData, stageLogs] = [countedData(), countedData()];
  const { games, stages, nodes, store } = await openDomain(t, { playerData, stageLogs });
  await games.create({ name: 'Demo' }, CHANGE);
  for (const name of ['Dev', 'Live']) await stages.create({ gameName: 'Demo', name, role: ROLE }, CHANGE);
  const [dev, live] = [await stages.get('Demo', 'Dev'), await stages.get('Demo', 'Live')];
  const { asked, release } = holdClosing(nodes);
  const deletion = stages.delete('Demo', 'Dev', CHANGE);
  await asked;
  await nextTurn();
  assert.deepEqual([playerData.removed, stageLogs.removed], [[], []], 'players may still be there');
  release();
  await deletion;
  assert.deepEqual(
    [playerData.removed, stageLogs.removed],
    [
      [dev.id, dev.id],
      [dev.id, dev.id],
    ],
  );
  await games.delete('Demo', CHANGE);
  assert.deepEqual(
    [playerData.removed, stageLogs.removed],
    [
      [dev.id, dev.id, live.id, live.id],
      [dev.id, dev.id, live.id, live.id],
    ],
  );
  assert.equal(await store.games.count(), 0);
});

test('what scripts leave while their stage is being removed goes as well', async (t) => {
  const stored = new Set<string>();
  const store = await openTestStore(t);
  const { games, stages } = await openDomain(t, {
    store: {
      ...store,
      stages: {
        ...store.stages,
        async remove(id) {
          // By scripts that found the stage there before it was marked.
          for (const kind of ['data', 'lines']) stored.add(`${kind} ${id}`);
          await store.stages.remove(id);
        },
      },
    },
    playerData: { removeStage: async (id) => void stored.delete(`data ${id}`) },
    stageLogs: { remove: async (id) => void stored.delete(`lines ${id}`) },
  });
  await games.create({ name: 'Demo' }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  await stages.delete('Demo', 'Dev', CHANGE);
  assert.equal(await stages.find('Demo', 'Dev'), undefined);
  assert.deepEqual([...stored], []);
});

for (const name of ['playerData', 'stageLogs'] as const) {
  test(`a stage whose ${name} cannot be reached stays marked, and is deleted once they can`, async (t) => {
    const data = countedData({ failures: 2 });
    const { games, stages, clock, deletions, lines } = await openDomain(t, { [name]: data });
    await games.create({ name: 'Demo' }, CHANGE);
    await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
    const deletion = stages.delete('Demo', 'Dev', CHANGE);
    while (lines.length < 1) await nextTurn();
    assert.equal((await stages.get('Demo', 'Dev')).state, 'DELETING');
    clock.advance(200);
    while (lines.length < 2) await nextTurn();
    assert.deepEqual(data.removed, []);
    clock.advance(400);
    await deletion;
    await deletions.settled();
    assert.equal(new Set(data.removed).size, 1);
    assert.equal(await stages.find('Demo', 'Dev'), undefined);
  });
}

test('a game with more stages than one page has is deleted as a whole', async (t) => {
  const { games, store } = await openWithStages(t, []);
  const game = await games.get('Demo');
  for (let index = 0; index < 250; index += 1) {
    await store.stages.insert({
      id: `stage-${index}`,
      gameId: game.id,
      name: `S${index}`,
      description: '',
      role: ROLE,
      gameKey: `key-${index}`,
      logGroup: 'g',
      state: 'ACTIVE',
      tags: {},
      createdAt: 0,
      updatedAt: 0,
    });
  }
  await games.delete('Demo', CHANGE);
  assert.equal(await store.games.count(), 0);
  assert.equal(await store.stages.count(game.id), 0);
});

for (const phase of ['before', 'after'] as const) {
  for (const target of ['stage', 'game'] as const) {
    test(`when the process dies ${phase} any step of deleting a ${target}, a restart ends the deletion`, async (t) => {
      for (let step = 1; ; step += 1) {
        const store = await openTestStore(t);
        const healthy = await openDomain(t, { store });
        await healthy.games.create({ name: 'Demo' }, CHANGE);
        for (const name of ['Dev', 'Live']) {
          await healthy.stages.create({ gameName: 'Demo', name, role: ROLE }, CHANGE);
        }

        const crash = { phase, stepsLeft: step };
        const crashing = await openDomain(t, { store: crashingStore(store, crash) });
        const call =
          target === 'stage' ? crashing.stages.delete('Demo', 'Dev', CHANGE) : crashing.games.delete('Demo', CHANGE);
        const isAcknowledged = call.then(
          () => true,
          () => false,
        );
        for (let turn = 0; turn < 5; turn += 1) await nextTurn();
        const isMarked = (await rowsOf(store)).some((row) => row.endsWith('DELETING'));
        await crashing.deletions.close();
        crashing.clock.advance(60_000);
        await isAcknowledged;

        const restarted = await openDomain(t, { store });
        await restarted.deletions.resume();
        await restarted.deletions.settled();
        const rows = await rowsOf(store);
        const isGone = target === 'stage' ? ['Demo ACTIVE', 'Live ACTIVE'] : [];
        const isUntouched = ['Demo ACTIVE', 'Dev ACTIVE', 'Live ACTIVE'];
        assert.deepEqual(rows, isMarked || rows.length < 3 ? isGone : isUntouched, `step ${step}`);
        if (crash.stepsLeft > 0) {
          assert.ok(step > 3, 'the deletion is made of several steps');
          return;
        }
      }
    });
  }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function rowsOf(store: Store): Promise<string[]> {
  const rows: string[] = [];
  for (const game of await store.games.list({ limit: 10 })) {
    rows.push(`${game.name} ${game.state}`);
    for (const stage of await store.stages.list(game.id, { limit: 10 })) rows.push(`${stage.name} ${stage.state}`);
  }
  return rows;
}
