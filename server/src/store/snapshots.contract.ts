import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEV,
  FOREIGN_KEY_FAILURE,
  idsOf,
  isConflict,
  LIVE,
  type OpenStore,
  OTHER,
  openZoo,
  SECOND_SNAPSHOT,
  SNAPSHOT,
  sampleDeployment,
  sampleGame,
  sampleJob,
  sampleSnapshot,
  ZOO,
} from './store-samples.ts';

/** Holds one implementation to the promises about configurations, snapshots and everything that belongs to them. */
export function testSnapshots(open: OpenStore): void {
  testConfigurations(open);
  testSnapshotRecords(open);
  testCascades(open);
  testUsage(open);
}

/** As large as a configuration may be, with characters that JSON escapes and others. */
const LARGE_SECTIONS = JSON.stringify({ 'Example.Section': { ['__proto__']: '\0\ud800é💥'.repeat(50_000) } });

function testConfigurations(open: OpenStore): void {
  test('a configuration is absent until it is set, and can be set again', async (t) => {
    const { configurations } = await openZoo(open, t);
    assert.equal(await configurations.find(ZOO.id), undefined);
    assert.equal(await configurations.bytes(ZOO.id), undefined);
    const first = { gameId: ZOO.id, sections: LARGE_SECTIONS, updatedAt: 1_700_000_000_000 };
    const others = { gameId: OTHER.id, sections: '{}', updatedAt: 1 };
    await configurations.set(first);
    await configurations.set(others);
    assert.deepEqual(await configurations.find(ZOO.id), first);
    assert.equal(await configurations.bytes(ZOO.id), Buffer.byteLength(LARGE_SECTIONS));
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
    const { sections: _, ...summary } = snapshot;
    assert.deepEqual(await snapshots.findSummary(ZOO.id, 'large'), summary);
    assert.equal(await snapshots.findSummary(OTHER.id, 'large'), undefined);
    assert.equal(await snapshots.bytes(ZOO.id, 'large'), Buffer.byteLength(LARGE_SECTIONS));
    assert.equal(await snapshots.bytes(OTHER.id, 'large'), undefined);
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

  test('what needs a snapshot is found, the most important first, and in its game only', async (t) => {
    const { snapshots, stages, runtimes, deployments, generatedCodeJobs } = await openZoo(open, t);
    const use = () => snapshots.findUse(ZOO.id, SNAPSHOT.id);
    assert.equal(await use(), undefined);
    const deployed = { stageId: DEV.id, snapshotId: SNAPSHOT.id };
    await runtimes.insert({ id: 'R', createdAt: 1, ...deployed });
    assert.deepEqual(await use(), { kind: 'runtime', stageName: DEV.name });
    await generatedCodeJobs.insert(sampleJob(SNAPSHOT, 'J'));
    assert.deepEqual(await use(), { kind: 'job' });
    await deployments.insert({ ...sampleDeployment(LIVE, 'D'), snapshotId: SNAPSHOT.id });
    assert.deepEqual(await use(), { kind: 'deployment', stageName: LIVE.name });
    await stages.update(DEV.id, { runtimeId: 'R', updatedAt: 2 });
    assert.deepEqual(await use(), { kind: 'stage', stageName: DEV.name });
    assert.equal(await snapshots.findUse(ZOO.id, SECOND_SNAPSHOT.id), undefined);
    assert.equal(await snapshots.findUse(OTHER.id, SNAPSHOT.id), undefined);

    await stages.update(DEV.id, { runtimeId: undefined, updatedAt: 3 });
    await runtimes.remove(['R']);
    const ended = { state: 'COMPLETED', updatedAt: 4 } as const;
    await deployments.claim('D', 'node', 3);
    await deployments.end('D', 'node', { ...ended, result: { code: 'SUCCESS', message: '' } });
    await generatedCodeJobs.claim('J', 'node', 3);
    await generatedCodeJobs.end('J', 'node', { ...ended, description: '' });
    assert.equal(await use(), undefined);
  });

  test('a removed snapshot takes its jobs with it, and no other snapshot', async (t) => {
    const { snapshots, generatedCodeJobs, deployments } = await openZoo(open, t);
    await snapshots.insert({ ...SNAPSHOT, gameId: OTHER.id });
    await generatedCodeJobs.insert(sampleJob(SNAPSHOT, 'J'));
    const deployment = { ...sampleDeployment(DEV, 'D'), snapshotId: SNAPSHOT.id };
    await deployments.insert(deployment);
    await snapshots.remove(ZOO.id, SNAPSHOT.id);
    await snapshots.remove(ZOO.id, 'unknown');
    assert.equal(await snapshots.find(ZOO.id, SNAPSHOT.id), undefined);
    assert.equal(await generatedCodeJobs.find(ZOO.id, SNAPSHOT.id, 'J'), undefined);
    assert.deepEqual(await deployments.find(DEV.id, 'D'), deployment);
    assert.deepEqual(await snapshots.find(ZOO.id, SECOND_SNAPSHOT.id), SECOND_SNAPSHOT);
    assert.equal(await snapshots.count(OTHER.id), 1);
  });

  test('all snapshots of a game are removed, with their jobs, and other calls get their turn in between', async (t) => {
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

  test('the jobs of a snapshot alone are removed, and other calls get their turn in between', async (t) => {
    const { snapshots, generatedCodeJobs } = await openZoo(open, t);
    for (let index = 0; index < 21; index += 1) await generatedCodeJobs.insert(sampleJob(SNAPSHOT, `J${index}`));
    await generatedCodeJobs.insert(sampleJob(SECOND_SNAPSHOT, 'other'));
    let turns = 0;
    let isDone = false;
    const removal = snapshots.removeCode(ZOO.id, SNAPSHOT.id).finally(() => {
      isDone = true;
    });
    for (; !isDone; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    await removal;
    assert.ok(turns >= 3, `${turns} turns`);
    assert.deepEqual(await generatedCodeJobs.list(ZOO.id, SNAPSHOT.id, { limit: 1 }), []);
    assert.equal((await generatedCodeJobs.find(ZOO.id, SECOND_SNAPSHOT.id, 'other'))?.id, 'other');
    assert.equal(await snapshots.count(ZOO.id), 2);
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

    // Nothing of the game comes back, even under the same id.
    await games.insert(ZOO);
    await stages.insert(DEV);
    assert.equal(await configurations.find(ZOO.id), undefined);
    assert.equal(await snapshots.count(ZOO.id), 0);
    assert.equal(await deployments.find(DEV.id, 'D1'), undefined);
  });
}

function testUsage(open: OpenStore): void {
  test('the bytes of a game are those of its snapshots and zips, and those of all grow and shrink with them', async (t) => {
    const store = await openZoo(open, t);
    const before = await store.usage.ofGame(ZOO.id);
    const inAll = await store.usage.inAll();
    assert(inAll > 0);
    const sections = JSON.stringify({ 'Example.Section': { text: 'é'.repeat(500_000) } });
    await store.snapshots.insert(sampleSnapshot(ZOO, 'large', { sections }));
    assert.equal(await store.usage.ofGame(ZOO.id), before + Buffer.byteLength(sections));
    assert((await store.usage.inAll()) >= inAll + 950_000);
    await store.transaction(async ({ snapshots, usage }) => {
      await snapshots.insert(sampleSnapshot(ZOO, 'small', { sections: '{}' }));
      assert.equal(await usage.ofGame(ZOO.id), before + Buffer.byteLength(sections) + 2);
    });
    const job = sampleJob({ ...sampleSnapshot(ZOO, 'large') }, 'J');
    await store.generatedCodeJobs.insert(job);
    await store.generatedCodeJobs.setArchive(job.id, Buffer.alloc(3_000));
    assert((await store.usage.ofGame(ZOO.id)) >= before + Buffer.byteLength(sections) + 2 + 3_000);
    await store.snapshots.removeAll(ZOO.id);
    assert.equal(await store.usage.ofGame(ZOO.id), 0);
    assert((await store.usage.inAll()) < inAll + 50_000);
  });
}
