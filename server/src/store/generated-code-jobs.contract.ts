import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeploymentState } from './store.ts';
import {
  FOREIGN_KEY_FAILURE,
  idsOf,
  isConflict,
  type OpenStore,
  OTHER,
  openZoo,
  SECOND_SNAPSHOT,
  SNAPSHOT,
  STATES,
  sampleJob,
  sampleSnapshot,
  ZOO,
} from './store-samples.ts';

/** Holds one implementation to the promises about generated code jobs and their archives. */
export function testGeneratedCodeJobs(open: OpenStore): void {
  testJobs(open);
  testArchives(open);
}

function testJobs(open: OpenStore): void {
  test('a job is found at its snapshot as it was inserted, and its id is unique', async (t) => {
    const { generatedCodeJobs } = await openZoo(open, t);
    const job = sampleJob(SNAPSHOT, 'J1', { state: 'FAILED', description: 'ünï "quoted"' });
    await generatedCodeJobs.insert(job);
    assert.deepEqual(await generatedCodeJobs.find(ZOO.id, SNAPSHOT.id, 'J1'), job);
    assert.equal(await generatedCodeJobs.find(ZOO.id, SECOND_SNAPSHOT.id, 'J1'), undefined);
    assert.equal(await generatedCodeJobs.find(OTHER.id, SNAPSHOT.id, 'J1'), undefined);
    await assert.rejects(generatedCodeJobs.insert(sampleJob(SECOND_SNAPSHOT, 'J1')), isConflict);
    assert.deepEqual(await generatedCodeJobs.find(ZOO.id, SNAPSHOT.id, 'J1'), job);
    const ofNoSnapshot = sampleJob(sampleSnapshot(OTHER, SNAPSHOT.id), 'J2');
    await assert.rejects(generatedCodeJobs.insert(ofNoSnapshot), FOREIGN_KEY_FAILURE);
  });

  test("a snapshot's jobs are listed in pages, newest first", async (t) => {
    const { generatedCodeJobs } = await openZoo(open, t);
    for (const id of ['J2', 'J4', 'J1', 'J3']) await generatedCodeJobs.insert(sampleJob(SNAPSHOT, id));
    await generatedCodeJobs.insert(sampleJob(SECOND_SNAPSHOT, 'J9'));
    await generatedCodeJobs.setArchive('J4', Buffer.from('a zip'));
    const list = (page: { after?: string; limit: number }) => generatedCodeJobs.list(ZOO.id, SNAPSHOT.id, page);
    assert.deepEqual(await list({ limit: 1 }), [sampleJob(SNAPSHOT, 'J4')]);
    assert.deepEqual(await idsOf(list({ limit: 10 })), ['J4', 'J3', 'J2', 'J1']);
    assert.deepEqual(await idsOf(list({ after: 'J4', limit: 2 })), ['J3', 'J2']);
    assert.deepEqual(await idsOf(list({ after: 'J1', limit: 2 })), []);
    assert.deepEqual(await generatedCodeJobs.list(OTHER.id, SNAPSHOT.id, { limit: 10 }), []);
  });

  test('a job is unfinished until it has completed or failed', async (t) => {
    const { generatedCodeJobs } = await openZoo(open, t);
    const unfinished = async () => (await idsOf(generatedCodeJobs.listUnfinished())).sort();
    for (const state of STATES) await generatedCodeJobs.insert(sampleJob(SNAPSHOT, state, { state }));
    await generatedCodeJobs.insert(sampleJob(SECOND_SNAPSHOT, 'of another snapshot'));
    assert.deepEqual(await unfinished(), ['IN_PROGRESS', 'PENDING', 'of another snapshot']);
    assert.equal(await generatedCodeJobs.claim('PENDING', 'node 1', 6), true);
    const claimed = await generatedCodeJobs.find(ZOO.id, SNAPSHOT.id, 'PENDING');
    const inProgress = { state: 'IN_PROGRESS', claimedBy: 'node 1', claims: 1, updatedAt: 6 } as const;
    assert.deepEqual(claimed, { ...sampleJob(SNAPSHOT, 'PENDING'), ...inProgress });
    const failed = { state: 'FAILED', description: 'a fault', updatedAt: 7 } as const;
    assert.equal(await generatedCodeJobs.end('PENDING', 'node 1', failed), true);
    const ended = await generatedCodeJobs.find(ZOO.id, SNAPSHOT.id, 'PENDING');
    assert.deepEqual(ended, { ...sampleJob(SNAPSHOT, 'PENDING'), ...inProgress, ...failed });
    assert.deepEqual(await unfinished(), ['IN_PROGRESS', 'of another snapshot']);
  });

  test('the claim of a node that stops in order does not count', async (t) => {
    const { generatedCodeJobs } = await openZoo(open, t);
    for (const id of ['J1', 'J2']) await generatedCodeJobs.insert(sampleJob(SNAPSHOT, id));
    for (const id of ['J1', 'J2']) await generatedCodeJobs.claim(id, 'node 1', 7);
    await generatedCodeJobs.leave('J1', 'another node');
    await generatedCodeJobs.leave('J2', 'node 1');
    const claims = async (id: string) => (await generatedCodeJobs.find(ZOO.id, SNAPSHOT.id, id))?.claims;
    assert.deepEqual([await claims('J1'), await claims('J2')], [1, 0]);
  });

  test('only the last claimant ends a job, once, and what has ended is not claimed again', async (t) => {
    const { generatedCodeJobs } = await openZoo(open, t);
    await generatedCodeJobs.insert(sampleJob(SNAPSHOT, 'J1'));
    const success = { state: 'COMPLETED', description: '', updatedAt: 8 } as const;
    const failure = { state: 'FAILED', description: 'late', updatedAt: 9 } as const;
    assert.equal(await generatedCodeJobs.end('J1', 'node 1', success), false, 'it was never claimed');
    for (const node of ['node 1', 'node 2', 'node 2']) assert.equal(await generatedCodeJobs.claim('J1', node, 7), true);
    assert.equal(await generatedCodeJobs.end('J1', 'node 1', failure), false, 'another node has taken it over');
    assert.equal(await generatedCodeJobs.end('J1', 'node 2', success), true);
    assert.equal(await generatedCodeJobs.end('J1', 'node 2', failure), false, 'it has ended');
    assert.equal(await generatedCodeJobs.claim('J1', 'node 1', 10), false, 'it has ended');
    const ended = { ...sampleJob(SNAPSHOT, 'J1'), ...success, claimedBy: 'node 2', claims: 2 };
    assert.deepEqual(await generatedCodeJobs.find(ZOO.id, SNAPSHOT.id, 'J1'), ended);
    assert.equal(await generatedCodeJobs.claim('unknown', 'node 1', 6), false);
    assert.equal(await generatedCodeJobs.end('unknown', 'node 1', success), false);
  });
}

function testArchives(open: OpenStore): void {
  test('an archive is kept byte for byte, beside the rest of its job', async (t) => {
    const { generatedCodeJobs } = await openZoo(open, t);
    const bytes = Uint8Array.from({ length: 1_000_003 }, (_, index) => index * 7);
    for (const id of ['J1', 'J2', 'J3']) await generatedCodeJobs.insert(sampleJob(SNAPSHOT, id));
    assert.equal(await generatedCodeJobs.archive('J1'), undefined);
    await generatedCodeJobs.setArchive('J1', bytes);
    // The archive may be a view of a part of a larger buffer.
    await generatedCodeJobs.setArchive('J2', bytes.subarray(1, 3));
    await generatedCodeJobs.setArchive('unknown', bytes);
    assert.deepEqual(await generatedCodeJobs.find(ZOO.id, SNAPSHOT.id, 'J1'), sampleJob(SNAPSHOT, 'J1'));
    await generatedCodeJobs.claim('J1', 'node', 6);
    await generatedCodeJobs.end('J1', 'node', { state: 'COMPLETED', description: '', updatedAt: 7 });
    assert.ok(Buffer.from(bytes).equals((await generatedCodeJobs.archive('J1')) ?? Buffer.of()));
    assert.deepEqual(await generatedCodeJobs.archive('J2'), Buffer.of(7, 14));
    await generatedCodeJobs.setArchive('J2', Buffer.of());
    assert.deepEqual(await generatedCodeJobs.archive('J2'), Buffer.of());
    assert.equal(await generatedCodeJobs.archive('J3'), undefined);
    assert.equal(await generatedCodeJobs.archive('unknown'), undefined);
  });

  test("pruning forgets a snapshot's oldest jobs that have ended, and nothing under way", async (t) => {
    const { generatedCodeJobs } = await openZoo(open, t);
    const insert = (id: string, state: DeploymentState, snapshot = SNAPSHOT) =>
      generatedCodeJobs.insert(sampleJob(snapshot, id, { state }));
    await insert('J1', 'PENDING');
    await insert('J2', 'COMPLETED');
    await insert('J3', 'FAILED');
    await insert('J4', 'COMPLETED');
    await insert('J5', 'IN_PROGRESS');
    await insert('J6', 'FAILED');
    await insert('J0', 'COMPLETED', SECOND_SNAPSHOT);
    await generatedCodeJobs.setArchive('J2', Buffer.from('a zip'));
    const left = () => idsOf(generatedCodeJobs.list(ZOO.id, SNAPSHOT.id, { limit: 10 }));
    await generatedCodeJobs.prune(ZOO.id, SNAPSHOT.id, 4);
    assert.deepEqual(await left(), ['J6', 'J5', 'J4', 'J3', 'J2', 'J1']);
    await generatedCodeJobs.prune(ZOO.id, SNAPSHOT.id, 2);
    assert.deepEqual(await left(), ['J6', 'J5', 'J4', 'J1']);
    assert.equal(await generatedCodeJobs.archive('J2'), undefined);
    await generatedCodeJobs.prune(OTHER.id, SNAPSHOT.id, 0);
    await generatedCodeJobs.prune(ZOO.id, SNAPSHOT.id, 0);
    assert.deepEqual(await left(), ['J5', 'J1']);
    assert.deepEqual(await idsOf(generatedCodeJobs.list(ZOO.id, SECOND_SNAPSHOT.id, { limit: 10 })), ['J0']);
  });
}
