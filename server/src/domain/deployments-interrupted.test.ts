import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashingStore } from '../../test/support/crashing-store.ts';
import { CHANGE, openDomain, ROLE } from '../../test/support/domain.ts';
import { nextTurn, openWithStage, TOKEN } from '../../test/support/stage.ts';
import { Interrupted } from '../interrupted.ts';
import { openTestStore } from '../store/test-store.ts';
import { type Examine, examineInThisThread } from './examination.ts';

for (const target of ['stage', 'game'] as const) {
  test(`a ${target} that is deleted meanwhile ends its deployment quietly`, async (t) => {
    let deletion: Promise<void> | undefined;
    const domain = await openWithStage(t, {
      async examine(asked) {
        deletion =
          target === 'stage' ? domain.stages.delete('Demo', 'Dev', CHANGE) : domain.games.delete('Demo', CHANGE);
        await deletion;
        return examineInThisThread(asked);
      },
    });
    const { stageId, id } = await domain.start();
    await domain.deployments.settled();
    assert.ok(deletion !== undefined);
    assert.equal(await domain.store.deployments.find(stageId, id), undefined);
    assert.deepEqual(
      domain.lines.filter(({ level }) => level > 30),
      [],
    );
    assert.equal(domain.clock.pending, 0);
  });
}

test('a stage whose deletion is stuck does not keep its deployment hanging', async (t) => {
  const { deployments, start, store, runtimeId } = await openWithStage(t);
  const { stageId } = await start();
  await store.stages.update(stageId, { state: 'DELETING', updatedAt: 0 });
  await deployments.settled();
  const { state, result } = await deployments.get('Demo', 'Dev');
  assert.deepEqual([state, result?.code, result?.message], ['FAILED', 'UNSPECIFIED_FAILURE', 'the stage was deleted']);
  assert.equal(await runtimeId(), undefined);
});

test('an examination that the stop interrupts leaves its deployment to the next start', async (t) => {
  const store = await openTestStore(t);
  const examine = async () => {
    throw new Interrupted();
  };
  const { deployments, start } = await openWithStage(t, { store, examine });
  const { id } = await start();
  await deployments.close();
  assert.equal((await deployments.get('Demo', 'Dev', id)).state, 'IN_PROGRESS');
  const restarted = await openDomain(t, { store });
  await restarted.deployments.resume();
  await restarted.deployments.settled();
  assert.equal((await restarted.deployments.get('Demo', 'Dev', id)).state, 'COMPLETED');
});

test('closing leaves the rest to the next start', async (t) => {
  const { deployments, start, store, clock } = await openWithStage(t);
  await deployments.close();
  const { id } = await start();
  assert.equal((await deployments.get('Demo', 'Dev', id)).state, 'PENDING');
  assert.equal(clock.pending, 0);
  const restarted = await openDomain(t, { store });
  await restarted.deployments.resume();
  await restarted.deployments.settled();
  assert.equal((await deployments.get('Demo', 'Dev', id)).state, 'COMPLETED');
});

/** A gate at which examinations wait; `release` lets through those that wait and all that come later. */
function gate() {
  let release = () => {};
  const isOpen = new Promise<void>((resolve) => {
    release = resolve;
  });
  const examine: Examine = async (asked) => {
    await isOpen;
    return examineInThisThread(asked);
  };
  return { examine, release: () => release() };
}

test('a node that ends a deployment late, after another took it over, does not put the stage back on it', async (t) => {
  const store = await openTestStore(t);
  const slow = gate();
  const first = await openWithStage(t, { store, examine: slow.examine });
  const { id: old } = await first.start();
  // The first node is taken for dead; the second one goes on with its deployment, and makes another one.
  const second = await openDomain(t, { store });
  await second.deployments.resume();
  await second.deployments.settled();
  const { id: newest } = await second.deployments.start(first.asked, CHANGE);
  await second.deployments.settled();
  assert.equal(await first.runtimeId(), newest);

  slow.release();
  await first.deployments.settled();
  assert.equal(await first.runtimeId(), newest);
  const { items } = await first.deployments.list('Demo', 'Dev', {});
  assert.deepEqual(
    items.map(({ id, state, claimedBy }) => [id, state, claimedBy]),
    [newest, old].map((id) => [id, 'COMPLETED', second.cluster.node]),
  );
});

test('work that another living node has claimed is left to it, and taken over once that node is dead', async (t) => {
  const store = await openTestStore(t);
  const slow = gate();
  const first = await openWithStage(t, { store, examine: slow.examine });
  const { id } = await first.start();
  await nextTurn();
  let examinations = 0;
  const second = await openDomain(t, {
    store,
    async examine(asked) {
      examinations += 1;
      return examineInThisThread(asked);
    },
  });
  let isFirstAlive = true;
  second.cluster.isAlive = async () => isFirstAlive;
  await second.deployments.resume();
  for (const pauseMs of [200, 400]) {
    await nextTurn();
    second.clock.advance(pauseMs);
  }
  await nextTurn();
  assert.equal(examinations, 0);
  isFirstAlive = false;
  second.clock.advance(800);
  await second.deployments.settled();
  const { state, claimedBy } = await second.deployments.get('Demo', 'Dev', id);
  assert.deepEqual([state, claimedBy, examinations], ['COMPLETED', second.cluster.node, 1]);
  slow.release();
  await first.deployments.settled();
});

test('the history may forget the deployment that the stage runs, but its runtime still knows the snapshot', async (t) => {
  let isFaulty = false;
  const { deployments, store, deploy, start, runtimeId, snapshotId } = await openWithStage(t, {
    maxDeployments: 2,
    examine: async () => ({
      faults: isFaulty ? [{ section: '', pointer: '', message: 'a fault' }] : [],
      archive: undefined,
    }),
  });
  const { id, stageId } = await deploy();
  isFaulty = true;
  for (let count = 0; count < 2; count += 1) {
    await start();
    await deployments.settled();
  }
  assert.equal(await store.deployments.find(stageId, id), undefined, 'the history was not too long');
  assert.equal(await runtimeId(), id);
  assert.equal((await store.runtimes.find(id))?.snapshotId, snapshotId);
});

test('a runtime keeps its record while a connection may be on it, and no longer than the next deployment', async (t) => {
  const { store, deploy, runtimes, clock } = await openWithStage(t, { authTimeoutMs: 5_000 });
  const recorded = async (stageId: string) => (await store.runtimes.list(stageId)).map(({ id }) => id);
  const first = await deploy();
  const { stageId } = first;
  const connected = runtimes.enter({ id: first.id, stage: { stageId, gameName: 'Demo', stageName: 'Dev' } });
  const [second, third] = [await deploy(), await deploy()];
  // A hello that was looked up before the third deployment may still open on the second.
  assert.deepEqual(await recorded(stageId), [first.id, second.id, third.id]);
  clock.advance(3_700_000);
  const fourth = await deploy();
  assert.deepEqual(await recorded(stageId), [first.id, third.id, fourth.id]);
  connected.leave();
  clock.advance(3_700_000);
  const fifth = await deploy();
  assert.deepEqual(await recorded(stageId), [fourth.id, fifth.id]);
});

for (const phase of ['before', 'after'] as const) {
  test(`when the process dies ${phase} any step of a deployment, a restart ends it`, async (t) => {
    for (let step = 1; ; step += 1) {
      const store = await openTestStore(t);
      const { asked, stages } = await openWithStage(t, { store });
      const crash = { phase, stepsLeft: step };
      const crashing = await openDomain(t, { store: crashingStore(store, crash) });
      const acknowledged = await crashing.deployments.start({ ...asked, ...TOKEN }, CHANGE).catch(() => undefined);
      for (let turn = 0; turn < 10; turn += 1) await nextTurn();
      await crashing.deployments.close();

      const { id: stageId, runtimeId } = await stages.get('Demo', 'Dev');
      const [left, ...more] = await store.deployments.list(stageId, { limit: 10 });
      assert.deepEqual(more, []);
      assert.equal(runtimeId, left?.state === 'COMPLETED' ? left.id : undefined, `step ${step}: half completed`);
      if (acknowledged !== undefined) assert.equal(left?.id, acknowledged.id, `step ${step}: acknowledged and lost`);

      const { deployments } = await openDomain(t, { store });
      await deployments.resume();
      // The client that got no answer asks again.
      const { id } = await deployments.start({ ...asked, ...TOKEN }, CHANGE);
      await deployments.settled();
      assert.equal(id, left?.id ?? id);
      assert.equal((await deployments.get('Demo', 'Dev')).state, 'COMPLETED', `step ${step}`);
      assert.equal((await stages.get('Demo', 'Dev')).runtimeId, id);
      assert.equal((await deployments.start(asked, CHANGE)).state, 'PENDING');
      await deployments.settled();
      if (crash.stepsLeft > 0) {
        assert.ok(step > 8, 'a deployment is made of several steps');
        return;
      }
    }
  });
}

test('a game whose snapshots take long to examine does not have other games wait', async (t) => {
  const slow = gate();
  let isFirst = true;
  const examine: Examine = async (asked) => {
    if (!isFirst) return examineInThisThread(asked);
    isFirst = false;
    return await slow.examine(asked);
  };
  const { games, stages, snapshots, deployments, asked, start } = await openWithStage(t, { examine });
  await stages.create({ gameName: 'Demo', name: 'Live', role: ROLE }, CHANGE);
  await start();
  await deployments.start({ ...asked, stageName: 'Live' }, CHANGE);
  await games.create({ name: 'Other' }, CHANGE);
  await stages.create({ gameName: 'Other', name: 'Dev', role: ROLE }, CHANGE);
  const { id: snapshotId } = await snapshots.create('Other', undefined, CHANGE);
  const { id } = await deployments.start({ gameName: 'Other', stageName: 'Dev', snapshotId }, CHANGE);
  const deadline = Date.now() + 5_000;
  const stateOf = async (stageName: string) => (await deployments.list('Demo', stageName, {})).items[0]?.state;
  while ((await deployments.get('Other', 'Dev', id)).state !== 'COMPLETED') {
    assert.ok(Date.now() < deadline, 'the deployment of the other game waits');
    await nextTurn();
  }
  assert.deepEqual([await stateOf('Dev'), await stateOf('Live')], ['IN_PROGRESS', 'PENDING']);
  slow.release();
  await deployments.settled();
  assert.deepEqual([await stateOf('Dev'), await stateOf('Live')], ['COMPLETED', 'COMPLETED']);
});

test('stops in order do not count among those that a deployment may have caused, however many they are', async (t) => {
  const store = await openTestStore(t);
  const examine = async () => {
    throw new Interrupted();
  };
  const { deployments, start } = await openWithStage(t, { store, examine });
  const { id } = await start();
  await deployments.close();
  for (let stops = 1; stops <= 6; stops += 1) {
    const stopped = await openDomain(t, { store, examine });
    await stopped.deployments.resume();
    await stopped.deployments.close();
  }
  const restarted = await openDomain(t, { store });
  await restarted.deployments.resume();
  await restarted.deployments.settled();
  const { state, result } = await restarted.deployments.get('Demo', 'Dev', id);
  assert.deepEqual([state, result?.message], ['COMPLETED', '']);
});
