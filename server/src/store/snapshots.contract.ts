import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { DeploymentState } from './store.ts';
import {
  isConflict,
  type OpenStore,
  sampleDeployment,
  sampleGame,
  sampleJob,
  sampleSnapshot,
  sampleStage,
} from './store-samples.ts';

/** Holds one implementation to what is promised of configurations, snapshots and what hangs on them. */
export function testSnapshots(open: OpenStore): void {
  testConfigurations(open);
  testSnapshotRecords(open);
  testDeployments(open);
  testGeneratedCodeJobs(open);
  testArchives(open);
  testCascades(open);
}

const ZOO = sampleGame('Zoo');
const OTHER = sampleGame('Other');
const DEV = sampleStage(ZOO, 'Dev');
const LIVE = sampleStage(ZOO, 'Live');
const SNAPSHOT = sampleSnapshot(ZOO, 'a snapshot');
const SECOND_SNAPSHOT = sampleSnapshot(ZOO, 'another snapshot');

const STATES: readonly DeploymentState[] = ['PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED'];

/** Two games, of which one has two stages and two snapshots. */
async function openZoo(open: OpenStore, t: TestContext) {
  const store = await open(t);
  await store.transaction(async ({ games, stages, snapshots }) => {
    for (const game of [ZOO, OTHER]) await games.insert(game);
    for (const stage of [DEV, LIVE]) await stages.insert(stage);
    for (const snapshot of [SNAPSHOT, SECOND_SNAPSHOT]) await snapshots.insert(snapshot);
  });
  return store;
}

const idsOf = async (records: Promise<readonly { readonly id: string }[]>) => (await records).map(({ id }) => id);

const FOREIGN_KEY_FAILURE = /foreign key/i;

/** As large as a configuration may be, with what JSON escapes and what it does not. */
const LARGE_SECTIONS = JSON.stringify({ 'Example.Section': { ['__proto__']: '\0\ud800é💥'.repeat(50_000) } });

function testConfigurations(open: OpenStore): void {
  test('a configuration is absent until it is set, and set again', async (t) => {
    const { configurations } = await openZoo(open, t);
    assert.equal(await configurations.find(ZOO.id), undefined);
    const first = { gameId: ZOO.id, sections: LARGE_SECTIONS, updatedAt: 1_700_000_000_000 };
    const others = { gameId: OTHER.id, sections: '{}', updatedAt: 1 };
    await configurations.set(first);
    await configurations.set(others);
    assert.deepEqual(await configurations.find(ZOO.id), first);
    await configurations.set({ ...first, sections: '{"A":1}', updatedAt: 2 });
    assert.deepEqual(await configurations.find(ZOO.id), { ...first, sections: '{"A":1}', updatedAt: 2 });
    assert.deepEqual(await configurations.find(OTHER.id), others);
  });

  test('a configuration or a snapshot of an unknown game is refused', async (t) => {
    const { configurations, snapshots } = await openZoo(open, t);
    const unknown = sampleGame('Gone');
    const configuration = { gameId: unknown.id, sections: '{}', updatedAt: 1 };
    await assert.rejects(configurations.set(configuration), FOREIGN_KEY_FAILURE);
    assert.equal(await configurations.find(unknown.id), undefined);
    await assert.rejects(snapshots.insert(sampleSnapshot(unknown, 'a')), FOREIGN_KEY_FAILURE);
    assert.equal(await snapshots.count(unknown.id), 0);
  });
}

function testSnapshotRecords(open: OpenStore): void {
  test('a snapshot is found in its game as it was inserted', async (t) => {
    const { snapshots } = await openZoo(open, t);
    const snapshot = sampleSnapshot(ZOO, 'large', { description: 'ünï "quoted"', sections: LARGE_SECTIONS });
    await snapshots.insert(snapshot);
    assert.deepEqual(await snapshots.find(ZOO.id, 'large'), snapshot);
    assert.equal(await snapshots.find(ZOO.id, 'Large'), undefined);
    assert.equal(await snapshots.find(OTHER.id, 'large'), undefined);
  });

  test('a snapshot id is unique in its game, and a second one changes nothing', async (t) => {
    const { snapshots } = await openZoo(open, t);
    const second = { ...SNAPSHOT, description: 'second', sections: '{}' };
    await assert.rejects(snapshots.insert(second), isConflict);
    assert.deepEqual(await snapshots.find(ZOO.id, SNAPSHOT.id), SNAPSHOT);
    await snapshots.insert({ ...second, gameId: OTHER.id });
    assert.deepEqual(await snapshots.find(ZOO.id, SNAPSHOT.id), SNAPSHOT);
    assert.equal(await snapshots.count(OTHER.id), 1);
  });

  test('all snapshots of a game are removed, with their jobs and with turns for others in between', async (t) => {
    const { snapshots, generatedCodeJobs } = await openZoo(open, t);
    for (let index = 0; index < 41; index += 1) await snapshots.insert(sampleSnapshot(OTHER, `S${index}`));
    const job = sampleJob(sampleSnapshot(OTHER, 'S1'), 'job');
    await generatedCodeJobs.insert(job);
    let turns = 0;
    let isDone = false;
    const removal = snapshots.removeAll(OTHER.id).finally(() => {
      isDone = true;
    });
    for (; !isDone; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    await removal;
    assert.ok(turns >= 3, `${turns} turns`);
    assert.equal(await snapshots.count(OTHER.id), 0);
    assert.equal(await generatedCodeJobs.find(OTHER.id, 'S1', job.id), undefined);
    assert.equal(await snapshots.count(ZOO.id), 2);
    await snapshots.removeAll(OTHER.id);
  });

  test("a game's snapshots are listed in pages, newest first, without their sections", async (t) => {
    const { snapshots } = await openZoo(open, t);
    assert.deepEqual(await snapshots.list(OTHER.id, { limit: 10 }), []);
    for (const id of ['S2', 'S4', 'S1', 'S3']) await snapshots.insert(sampleSnapshot(OTHER, id));
    const { sections, ...summary } = sampleSnapshot(OTHER, 'S4');
    assert.deepEqual(await snapshots.list(OTHER.id, { limit: 1 }), [summary]);
    const ids = (page: { after?: string; limit: number }) => idsOf(snapshots.list(OTHER.id, page));
    assert.deepEqual(await ids({ limit: 10 }), ['S4', 'S3', 'S2', 'S1']);
    assert.deepEqual(await ids({ after: 'S4', limit: 2 }), ['S3', 'S2']);
    await snapshots.insert(sampleSnapshot(OTHER, 'S5'));
    assert.deepEqual(await ids({ after: 'S2+', limit: 2 }), ['S2', 'S1']);
    assert.deepEqual(await ids({ after: 'S1', limit: 2 }), []);
    assert.equal(await snapshots.count(OTHER.id), 5);
    assert.equal(await snapshots.count('unknown'), 0);
  });

  test("an update of a snapshot changes its description, and no other game's", async (t) => {
    const { snapshots } = await openZoo(open, t);
    const twin = { ...SNAPSHOT, gameId: OTHER.id };
    await snapshots.insert(twin);
    const change = { description: '', updatedAt: 7 };
    await snapshots.update(ZOO.id, SNAPSHOT.id, change);
    await snapshots.update(ZOO.id, 'unknown', change);
    assert.deepEqual(await snapshots.find(ZOO.id, SNAPSHOT.id), { ...SNAPSHOT, ...change });
    assert.deepEqual(await snapshots.find(OTHER.id, SNAPSHOT.id), twin);
    assert.deepEqual(await snapshots.find(ZOO.id, SECOND_SNAPSHOT.id), SECOND_SNAPSHOT);
  });
}

function testDeployments(open: OpenStore): void {
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
    const inProgress = { state: 'IN_PROGRESS', claimedBy: 'node 1', updatedAt: 7 } as const;
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
    assert.equal(await deployments.claim('D1', 'node 2', 7), true);
    assert.equal(await deployments.end('D1', 'node 1', failure), false, 'another node has taken it over');
    assert.equal((await deployments.find(DEV.id, 'D1'))?.state, 'IN_PROGRESS');
    assert.equal(await deployments.end('D1', 'node 2', success), true);
    assert.equal(await deployments.end('D1', 'node 2', failure), false, 'it has ended');
    assert.equal(await deployments.claim('D1', 'node 1', 10), false, 'it has ended');
    const ended = { ...sampleDeployment(DEV, 'D1'), ...success, claimedBy: 'node 2' };
    assert.deepEqual(await deployments.find(DEV.id, 'D1'), ended);
    assert.equal(await deployments.claim('unknown', 'node 1', 6), false);
    assert.equal(await deployments.end('unknown', 'node 1', success), false);
  });

  test("a stage's runtimes are listed oldest first, outlive their deployments, and go with their stage", async (t) => {
    const { deployments, runtimes, stages } = await openZoo(open, t);
    const runtime = (id: string, stage = DEV) => ({ id, stageId: stage.id, snapshotId: SNAPSHOT.id, createdAt: 7 });
    assert.deepEqual(await runtimes.list(DEV.id), []);
    for (const id of ['R2', 'R1', 'R3']) {
      await deployments.insert(sampleDeployment(DEV, id));
      await runtimes.insert(runtime(id));
    }
    await runtimes.insert(runtime('R4', LIVE));
    await assert.rejects(runtimes.insert(runtime('R4')), isConflict);
    await assert.rejects(runtimes.insert({ ...runtime('R5'), stageId: 'unknown' }), FOREIGN_KEY_FAILURE);
    await deployments.prune(DEV.id, 0);
    assert.deepEqual(
      await runtimes.list(DEV.id),
      ['R1', 'R2', 'R3'].map((id) => runtime(id)),
    );
    await runtimes.remove('R2');
    await runtimes.remove('R2');
    assert.deepEqual(await idsOf(runtimes.list(DEV.id)), ['R1', 'R3']);
    assert.equal(await runtimes.find('R2'), undefined);
    assert.deepEqual(await runtimes.find('R3'), runtime('R3'));
    await stages.remove(DEV.id);
    assert.equal(await runtimes.find('R3'), undefined);
    assert.deepEqual(await idsOf(runtimes.list(LIVE.id)), ['R4']);
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

function testGeneratedCodeJobs(open: OpenStore): void {
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
    const inProgress = { state: 'IN_PROGRESS', claimedBy: 'node 1', updatedAt: 6 } as const;
    assert.deepEqual(claimed, { ...sampleJob(SNAPSHOT, 'PENDING'), ...inProgress });
    const failed = { state: 'FAILED', description: 'a fault', updatedAt: 7 } as const;
    assert.equal(await generatedCodeJobs.end('PENDING', 'node 1', failed), true);
    const ended = await generatedCodeJobs.find(ZOO.id, SNAPSHOT.id, 'PENDING');
    assert.deepEqual(ended, { ...sampleJob(SNAPSHOT, 'PENDING'), ...inProgress, ...failed });
    assert.deepEqual(await unfinished(), ['IN_PROGRESS', 'of another snapshot']);
  });

  test('only the last claimant ends a job, once, and what has ended is not claimed again', async (t) => {
    const { generatedCodeJobs } = await openZoo(open, t);
    await generatedCodeJobs.insert(sampleJob(SNAPSHOT, 'J1'));
    const success = { state: 'COMPLETED', description: '', updatedAt: 8 } as const;
    const failure = { state: 'FAILED', description: 'late', updatedAt: 9 } as const;
    assert.equal(await generatedCodeJobs.end('J1', 'node 1', success), false, 'it was never claimed');
    for (const node of ['node 1', 'node 2']) assert.equal(await generatedCodeJobs.claim('J1', node, 7), true);
    assert.equal(await generatedCodeJobs.end('J1', 'node 1', failure), false, 'another node has taken it over');
    assert.equal(await generatedCodeJobs.end('J1', 'node 2', success), true);
    assert.equal(await generatedCodeJobs.end('J1', 'node 2', failure), false, 'it has ended');
    assert.equal(await generatedCodeJobs.claim('J1', 'node 1', 10), false, 'it has ended');
    const ended = { ...sampleJob(SNAPSHOT, 'J1'), ...success, claimedBy: 'node 2' };
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
    // A view of a part of a larger buffer.
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

function testCascades(open: OpenStore): void {
  test('a removed stage takes its deployments with it, and no others', async (t) => {
    const { stages, deployments, snapshots } = await openZoo(open, t);
    await deployments.insert(sampleDeployment(DEV, 'D1'));
    await deployments.insert(sampleDeployment(LIVE, 'D2'));
    await stages.remove(DEV.id);
    assert.deepEqual(await idsOf(deployments.listUnfinished()), ['D2']);
    assert.equal(await snapshots.count(ZOO.id), 2);
    await stages.insert(DEV);
    assert.deepEqual(await deployments.list(DEV.id, { limit: 10 }), []);
  });

  test('a removed game takes its configuration, snapshots, jobs and deployments with it', async (t) => {
    const { games, stages, configurations, snapshots, deployments, generatedCodeJobs } = await openZoo(open, t);
    const kept = sampleSnapshot(OTHER, SNAPSHOT.id);
    await snapshots.insert(kept);
    for (const game of [ZOO, OTHER]) await configurations.set({ gameId: game.id, sections: '{}', updatedAt: 1 });
    await deployments.insert(sampleDeployment(DEV, 'D1'));
    await generatedCodeJobs.insert(sampleJob(SNAPSHOT, 'J1'));
    await generatedCodeJobs.insert(sampleJob(kept, 'J2'));
    for (const id of ['J1', 'J2']) await generatedCodeJobs.setArchive(id, Buffer.from('a zip'));

    await games.remove(ZOO.id);
    assert.deepEqual(await deployments.listUnfinished(), []);
    assert.deepEqual(await idsOf(generatedCodeJobs.listUnfinished()), ['J2']);
    assert.equal(await generatedCodeJobs.archive('J1'), undefined);
    assert.deepEqual(await generatedCodeJobs.archive('J2'), Buffer.from('a zip'));
    assert.deepEqual(await snapshots.find(OTHER.id, kept.id), kept);
    assert.notEqual(await configurations.find(OTHER.id), undefined);

    // Even under the same id nothing of it comes back.
    await games.insert(ZOO);
    await stages.insert(DEV);
    assert.equal(await configurations.find(ZOO.id), undefined);
    assert.equal(await snapshots.count(ZOO.id), 0);
    assert.equal(await deployments.find(DEV.id, 'D1'), undefined);
  });
}
