import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEV,
  FOREIGN_KEY_FAILURE,
  idsOf,
  isConflict,
  LIVE,
  type OpenStore,
  openZoo,
  SNAPSHOT,
  STATES,
  sampleDeployment,
} from './store-samples.ts';

/** Holds one implementation to the promises about deployments and the runtimes that they make. */
export function testDeployments(open: OpenStore): void {
  test('a deployment is found on its stage as it was inserted, and its id is unique', async (t) => {
    const { deployments } = await openZoo(open, t);
    const pending = sampleDeployment(DEV, 'D1');
    const failed = sampleDeployment(DEV, 'D2', {
      action: 'UNDEPLOY',
      state: 'FAILED',
      result: { code: 'INVALID_ROLE_FAILURE', message: '' },
    });
    await deployments.insert(pending);
    await deployments.insert(failed);
    assert.deepEqual(await deployments.find(DEV.id, 'D1'), pending);
    assert.deepEqual(await deployments.find(DEV.id, 'D2'), failed);
    assert.equal(await deployments.find(LIVE.id, 'D1'), undefined);
    assert.equal(await deployments.find(DEV.id, 'd1'), undefined);
    await assert.rejects(deployments.insert({ ...failed, id: 'D1' }), isConflict);
    await assert.rejects(deployments.insert({ ...failed, id: 'D1', stageId: LIVE.id }), isConflict);
    assert.deepEqual(await deployments.find(DEV.id, 'D1'), pending);
    await assert.rejects(deployments.insert({ ...pending, id: 'D3', stageId: 'unknown' }), FOREIGN_KEY_FAILURE);
  });

  test("a stage's deployments are listed in pages, newest first", async (t) => {
    const { deployments } = await openZoo(open, t);
    for (const id of ['D2', 'D4', 'D1', 'D3']) await deployments.insert(sampleDeployment(DEV, id));
    await deployments.insert(sampleDeployment(LIVE, 'D9'));
    const ids = (page: { after?: string; limit: number }) => idsOf(deployments.list(DEV.id, page));
    assert.deepEqual(await deployments.list(DEV.id, { limit: 1 }), [sampleDeployment(DEV, 'D4')]);
    assert.deepEqual(await ids({ limit: 10 }), ['D4', 'D3', 'D2', 'D1']);
    assert.deepEqual(await ids({ after: 'D4', limit: 2 }), ['D3', 'D2']);
    assert.deepEqual(await ids({ after: 'D1', limit: 2 }), []);
    assert.deepEqual(await deployments.list('unknown', { limit: 10 }), []);
  });

  test('pruning forgets the oldest deployments of one stage', async (t) => {
    const { deployments } = await openZoo(open, t);
    for (const id of ['D2', 'D4', 'D1', 'D3']) await deployments.insert(sampleDeployment(DEV, id));
    await deployments.insert(sampleDeployment(LIVE, 'D0'));
    await deployments.prune(DEV.id, 4);
    await deployments.prune(DEV.id, 2);
    assert.deepEqual(await idsOf(deployments.list(DEV.id, { limit: 10 })), ['D4', 'D3']);
    await deployments.prune(DEV.id, 0);
    assert.deepEqual(await deployments.list(DEV.id, { limit: 10 }), []);
    assert.deepEqual(await idsOf(deployments.list(LIVE.id, { limit: 10 })), ['D0']);
  });

  test('a deployment is unfinished until it has completed or failed', async (t) => {
    const { deployments } = await openZoo(open, t);
    const unfinished = async () => (await idsOf(deployments.listUnfinished())).sort();
    for (const state of STATES) await deployments.insert(sampleDeployment(DEV, state, { state }));
    await deployments.insert(sampleDeployment(LIVE, 'on another stage'));
    assert.deepEqual(await unfinished(), ['IN_PROGRESS', 'PENDING', 'on another stage']);

    assert.equal(await deployments.claim('PENDING', 'node 1', 7), true);
    const inProgress = { state: 'IN_PROGRESS', claimedBy: 'node 1', claims: 1, updatedAt: 7 } as const;
    assert.deepEqual(await deployments.find(DEV.id, 'PENDING'), { ...sampleDeployment(DEV, 'PENDING'), ...inProgress });
    const result = { code: 'UNSPECIFIED_FAILURE', message: 'ünï "quoted"' } as const;
    const failed = { state: 'FAILED', result, updatedAt: 8 } as const;
    assert.equal(await deployments.end('PENDING', 'node 1', failed), true);
    const expected = { ...sampleDeployment(DEV, 'PENDING'), ...inProgress, ...failed };
    assert.deepEqual(await deployments.find(DEV.id, 'PENDING'), expected);
    assert.deepEqual(await unfinished(), ['IN_PROGRESS', 'on another stage']);
    assert.deepEqual(await deployments.find(LIVE.id, 'on another stage'), sampleDeployment(LIVE, 'on another stage'));
  });

  test('only the last claimant ends a deployment, once, and what has ended is not claimed again', async (t) => {
    const { deployments } = await openZoo(open, t);
    await deployments.insert(sampleDeployment(DEV, 'D1'));
    const success = { state: 'COMPLETED', result: { code: 'SUCCESS', message: '' }, updatedAt: 8 } as const;
    const failure = { ...success, state: 'FAILED', updatedAt: 9 } as const;
    assert.equal(await deployments.end('D1', 'node 1', success), false, 'it was never claimed');
    assert.equal(await deployments.claim('D1', 'node 1', 6), true);
    for (let again = 0; again < 2; again += 1) assert.equal(await deployments.claim('D1', 'node 2', 7), true);
    assert.equal(await deployments.end('D1', 'node 1', failure), false, 'another node has taken it over');
    assert.equal((await deployments.find(DEV.id, 'D1'))?.state, 'IN_PROGRESS');
    assert.equal(await deployments.end('D1', 'node 2', success), true);
    assert.equal(await deployments.end('D1', 'node 2', failure), false, 'it has ended');
    assert.equal(await deployments.claim('D1', 'node 1', 10), false, 'it has ended');
    const ended = { ...sampleDeployment(DEV, 'D1'), ...success, claimedBy: 'node 2', claims: 2 };
    assert.deepEqual(await deployments.find(DEV.id, 'D1'), ended);
    assert.equal(await deployments.claim('unknown', 'node 1', 6), false);
    assert.equal(await deployments.end('unknown', 'node 1', success), false);
  });

  test('the claim of a node that stops in order does not count, and nobody else takes one out of the count', async (t) => {
    const { deployments } = await openZoo(open, t);
    await deployments.insert(sampleDeployment(DEV, 'D1'));
    await deployments.insert(sampleDeployment(DEV, 'D2'));
    const claims = async () => (await deployments.find(DEV.id, 'D1'))?.claims;
    for (const node of ['node 1', 'node 2']) await deployments.claim('D1', node, 7);
    await deployments.claim('D2', 'node 2', 7);
    for (const node of ['node 1', 'node 3']) await deployments.leave('D1', node);
    assert.equal(await claims(), 2);
    await deployments.leave('D1', 'node 2');
    assert.deepEqual([await claims(), (await deployments.find(DEV.id, 'D2'))?.claims], [1, 1]);
    await deployments.claim('D1', 'node 3', 8);
    assert.equal(await claims(), 2);
    const failure = { state: 'FAILED', result: { code: 'SUCCESS', message: '' }, updatedAt: 9 } as const;
    await deployments.end('D1', 'node 3', failure);
    await deployments.leave('D1', 'node 3');
    assert.equal(await claims(), 2);
    await deployments.leave('unknown', 'node 1');
  });

  test("a stage's runtimes are listed oldest first, outlive their deployments, and go with their stage", async (t) => {
    const { deployments, runtimes, stages } = await openZoo(open, t);
    const runtime = (id: string, stage = DEV) => ({ id, stageId: stage.id, snapshotId: SNAPSHOT.id, createdAt: 7 });
    assert.deepEqual(await runtimes.list(DEV.id), []);
    assert.equal(await runtimes.areThere(), false);
    for (const id of ['R2', 'R1', 'R3']) {
      await deployments.insert(sampleDeployment(DEV, id));
      await runtimes.insert(runtime(id));
    }
    await runtimes.insert(runtime('R4', LIVE));
    assert.equal(await runtimes.areThere(), true);
    await assert.rejects(runtimes.insert(runtime('R4')), isConflict);
    await assert.rejects(runtimes.insert({ ...runtime('R5'), stageId: 'unknown' }), FOREIGN_KEY_FAILURE);
    await deployments.prune(DEV.id, 0);
    assert.deepEqual(
      await runtimes.list(DEV.id),
      ['R1', 'R2', 'R3'].map((id) => runtime(id)),
    );
    await runtimes.remove(['R2', 'unknown']);
    await runtimes.remove(['R2']);
    await runtimes.remove([]);
    assert.deepEqual(await idsOf(runtimes.list(DEV.id)), ['R1', 'R3']);
    assert.equal(await runtimes.find('R2'), undefined);
    assert.deepEqual(await runtimes.find('R3'), runtime('R3'));
    await stages.remove(DEV.id);
    assert.equal(await runtimes.find('R3'), undefined);
    assert.deepEqual(await idsOf(runtimes.list(LIVE.id)), ['R4']);
  });

  test('all deployments and runtimes of a stage are removed, and other calls get their turn in between', async (t) => {
    const { deployments, runtimes } = await openZoo(open, t);
    for (let index = 0; index < 401; index += 1) {
      await deployments.insert(sampleDeployment(DEV, `D${index}`));
      await runtimes.insert({ id: `R${index}`, stageId: DEV.id, snapshotId: SNAPSHOT.id, createdAt: index });
    }
    await deployments.insert(sampleDeployment(LIVE, 'D'));
    await runtimes.insert({ id: 'R', stageId: LIVE.id, snapshotId: SNAPSHOT.id, createdAt: 1 });
    for (const table of [deployments, runtimes]) {
      let turns = 0;
      let isDone = false;
      const removal = table.removeAll(DEV.id).finally(() => {
        isDone = true;
      });
      for (; !isDone; turns += 1) await new Promise((resolve) => setImmediate(resolve));
      await removal;
      assert.ok(turns >= 3, `${turns} turns`);
      await table.removeAll(DEV.id);
    }
    assert.deepEqual(await deployments.list(DEV.id, { limit: 9 }), []);
    assert.deepEqual(await runtimes.list(DEV.id), []);
    assert.deepEqual(await idsOf(deployments.list(LIVE.id, { limit: 9 })), ['D']);
    assert.deepEqual(await idsOf(runtimes.list(LIVE.id)), ['R']);
  });

  test("of a stage's runtimes those are listed that were replaced before a time", async (t) => {
    const { runtimes } = await openZoo(open, t);
    for (const [id, createdAt, stage] of [
      ...[1, 2, 3, 4].map((number) => [`R${number}`, 10 * number, DEV] as const),
      ['R9', 10, LIVE] as const,
    ]) {
      await runtimes.insert({ id, stageId: stage.id, snapshotId: SNAPSHOT.id, createdAt });
    }
    assert.deepEqual(await runtimes.listReplaced(DEV.id, 20, 9), []);
    assert.deepEqual(await runtimes.listReplaced(DEV.id, 21, 9), ['R1']);
    assert.deepEqual(await runtimes.listReplaced(DEV.id, 99, 9), ['R1', 'R2', 'R3']);
    assert.deepEqual(await runtimes.listReplaced(DEV.id, 99, 2), ['R1', 'R2']);
    assert.deepEqual(await runtimes.listReplaced(LIVE.id, 99, 9), []);
  });

  test('a deployment completes together with its stage getting the runtime, or neither happens', async (t) => {
    const store = await openZoo(open, t);
    await store.deployments.insert(sampleDeployment(DEV, 'D1', { state: 'IN_PROGRESS', claimedBy: 'node' }));
    const complete = (isDying: boolean) =>
      store.transaction(async ({ deployments, stages }) => {
        const result = { code: 'SUCCESS', message: '' } as const;
        await deployments.end('D1', 'node', { state: 'COMPLETED', result, updatedAt: 7 });
        await stages.update(DEV.id, { runtimeId: 'D1', updatedAt: 7 });
        if (isDying) throw new Error('on purpose');
      });
    const outcome = async () => [
      (await store.deployments.find(DEV.id, 'D1'))?.state,
      (await store.stages.find('Zoo', 'Dev'))?.runtimeId,
    ];
    await assert.rejects(complete(true), /on purpose/);
    assert.deepEqual(await outcome(), ['IN_PROGRESS', undefined]);
    await complete(false);
    assert.deepEqual(await outcome(), ['COMPLETED', 'D1']);
  });
}
