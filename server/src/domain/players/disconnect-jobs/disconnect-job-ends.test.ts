import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { CHANGE, openDomain, ROLE } from '../../../../test/support/domain.ts';
import type { Audit, Change } from '../../audit/audit.ts';
import type { BackgroundWork } from '../../background.ts';

const STAGE = { gameName: 'Demo', stageName: 'Dev' };
const EVERYBODY = { selection: { isEverybody: true, filter: {} } };
const PROGRESS = { closed: 3, gone: 0, unproven: 0, inFlight: [], failures: [], silentNodes: [] };

test('the end of a job is on record when the node that has written it has died before it could tell', async (t) => {
  const { ends, store, work, newJob } = await open(t);
  const [left, other] = [await newJob(), await newJob()];
  for (const id of [left, other]) {
    await store.disconnectJobs.claim(id, 'a node that is dead', 1);
    const end = { state: 'COMPLETED', wish: 'RUN', progress: PROGRESS, at: 2 } as const;
    assert.equal(await store.disconnectJobs.end(id, 'a node that is dead', end), true);
  }
  await store.disconnectJobs.markTold(other, 'a node that is dead');
  await work.resume();
  await work.settled();
  await work.resume();
  await work.settled();
  assert.deepEqual(ends(), [[left, 'COMPLETED', '3']]);
});

test('the end of a job that another node has to tell of is left to that node while it lives', async (t) => {
  const { cluster, ends, store, work, newJob } = await open(t);
  t.mock.method(cluster, 'isAlive', async () => true);
  const id = await newJob();
  await store.disconnectJobs.update(id, { state: 'CANCELLED', claimedBy: 'another node', updatedAt: 1 });
  await work.resume();
  await work.settled();
  assert.deepEqual(ends(), []);
});

test('a job that somebody cancels before it is confirmed is not said to have waited for too long', async (t) => {
  const { disconnectJobs, reasons, store, work, newJob } = await open(t);
  const id = await newJob();
  await store.disconnectJobs.update(id, { state: 'AWAITING_CONFIRMATION', updatedAt: 0 });
  await disconnectJobs.cancel(STAGE, id, CHANGE);
  await work.settled();
  assert.deepEqual(reasons(), [[id, undefined]]);
});

test('the end of a job is told of once, however often that fails before', async (t) => {
  const { clock, ends, faults, store, work, newJob } = await open(t);
  const { markTold } = store.disconnectJobs;
  t.mock.method(store.disconnectJobs, 'markTold', async (id: string, owner: string) => {
    if (faults.marks-- > 0) throw new Error('the database is away');
    await markTold(id, owner);
  });
  const id = await newJob();
  Object.assign(faults, { records: 2, marks: 2 });
  await store.disconnectJobs.update(id, { state: 'CANCELLED', claimedBy: 'a node that is dead', updatedAt: 1 });
  await work.resume();
  for (let second = 0; second < 10; second += 1) {
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    clock.advance(1_000);
  }
  await work.settled();
  assert.deepEqual(
    ends().map(([of]) => of),
    [id],
  );
  assert.deepEqual(await store.disconnectJobs.listUntold(9), []);
});

/** A stage, what is on record of the ends of its jobs, and how often that fails from now on. */
async function open(t: TestContext) {
  const recorded: Change[] = [];
  const faults = { records: 0, marks: 0 };
  const audit: Audit = {
    around(change, rule) {
      if (change.operation === 'DisconnectJob' && faults.records-- > 0) throw new Error('the disk is full');
      recorded.push(change);
      return rule();
    },
  };
  const domain = await openDomain(t, { audit, jobConfirmAbove: 0 });
  const { games, stages, disconnectJobs, cluster, background } = domain;
  cluster.answer('count_connections', async () => ({ connections: 1, players: 1 }));
  await games.create({ name: 'Demo' }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  const work = background.find(({ name }) => name === 'disconnect jobs') as BackgroundWork;
  t.after(() => work.close());
  const told = () => recorded.filter(({ operation }) => operation === 'DisconnectJob');
  return {
    ...{ ...domain, faults, work },
    ends: () => told().map(({ requestId, details }) => [requestId, details?.state, details?.closed]),
    reasons: () => told().map(({ requestId, details }) => [requestId, details?.why]),
    async newJob(): Promise<string> {
      const { id } = await disconnectJobs.start(STAGE, EVERYBODY, CHANGE);
      await domain.store.disconnectJobs.update(id, { state: 'PENDING', updatedAt: 0 });
      return id;
    },
  };
}
