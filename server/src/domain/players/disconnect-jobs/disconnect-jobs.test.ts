import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { CHANGE, openDomain, ROLE } from '../../../../test/support/domain.ts';
import { ManualClock } from '../../../../test/support/manual-clock.ts';
import type { Audit, Change } from '../../audit/audit.ts';

const STAGE = { gameName: 'Demo', stageName: 'Dev' };
const EVERYBODY = { selection: { isEverybody: true, filter: {} } };

test('a key that is revoked while the nodes are counting neither starts a job nor confirms one', async (t) => {
  const domain = await openDomain(t, { jobConfirmAbove: 0 });
  const { games, stages, disconnectJobs, cluster, store, clock } = domain;
  await games.create({ name: 'Demo' }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  for (const id of ['ONE', 'OTHER', 'GOOD']) {
    const key = { id, description: '', sealedSecret: new Uint8Array(), policy: '', isRoot: false, createdAt: 0 };
    await store.accessKeys.insert({ ...key, revokedAt: undefined, expiresAt: undefined, subject: undefined });
  }
  let toRevoke: string | undefined;
  cluster.answer('count_connections', async () => {
    if (toRevoke !== undefined) await store.accessKeys.revoke(toRevoke, clock.now());
    return { connections: 3, players: 3 };
  });
  const as = (actor: string) => ({ ...CHANGE, actor });
  const refused = { code: 'access_denied', message: /has been revoked or has expired meanwhile/ };

  toRevoke = 'ONE';
  await assert.rejects(disconnectJobs.start(STAGE, EVERYBODY, as('ONE')), refused);
  assert.deepEqual((await disconnectJobs.list(STAGE, {})).items, []);
  const job = await disconnectJobs.start(STAGE, EVERYBODY, CHANGE);
  toRevoke = 'OTHER';
  await assert.rejects(disconnectJobs.confirm(STAGE, job.id, as('OTHER')), refused);
  assert.equal((await disconnectJobs.get(STAGE, job.id)).state, 'AWAITING_CONFIRMATION');
  assert.notEqual((await disconnectJobs.confirm(STAGE, job.id, as('GOOD'))).state, 'AWAITING_CONFIRMATION');
});

test('however many jobs of one game take their time, those of another begin at once', async (t) => {
  const { games, stages, disconnectJobs, cluster } = await openDomain(t);
  const names = Array.from({ length: 20 }, (_, index) => ({ gameName: 'Demo', stageName: `Dev${index}` }));
  const others = [{ gameName: 'Other', stageName: 'Dev' }];
  for (const name of ['Demo', 'Other']) await games.create({ name }, CHANGE);
  for (const { gameName, stageName: name } of [...names, ...others])
    await stages.create({ gameName, name, role: ROLE }, CHANGE);
  cluster.answer('count_connections', async () => ({ connections: 1, players: 1 }));
  cluster.answer('match_connections', () => new Promise(() => {}));
  const stateOf = async (stage: typeof STAGE) => (await disconnectJobs.list(stage, {})).items.map(({ state }) => state);
  const begun = async (stage: typeof STAGE) => (await stateOf(stage)).filter((state) => state === 'IN_PROGRESS').length;
  for (const stage of names) for (let job = 0; job < 3; job += 1) await disconnectJobs.start(stage, EVERYBODY, CHANGE);
  for (const stage of others) for (let job = 0; job < 5; job += 1) await disconnectJobs.start(stage, EVERYBODY, CHANGE);
  for (let turn = 0; turn < 1_000 && (await begun(others[0] ?? STAGE)) < 3; turn += 1)
    await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await begun(others[0] ?? STAGE), 3);
  let ofDemo = 0;
  for (const stage of names) ofDemo += await begun(stage);
  assert.equal(ofDemo, 20);
});

test('of the jobs of one game, one at a time has the store write down how far it is', async (t) => {
  const { games, stages, disconnectJobs, cluster, store } = await openDomain(t);
  await games.create({ name: 'Demo' }, CHANGE);
  const names = Array.from({ length: 5 }, (_, index) => `Dev${index}`);
  for (const name of names) await stages.create({ gameName: 'Demo', name, role: ROLE }, CHANGE);
  cluster.answer('count_connections', async () => ({ connections: 1, players: 1 }));
  cluster.answer('match_connections', () => new Promise(() => {}));
  const { advance } = store.disconnectJobs;
  const written = { now: 0, most: 0, inAll: 0 };
  t.mock.method(store.disconnectJobs, 'advance', async (...step: Parameters<typeof advance>) => {
    written.now += 1;
    written.most = Math.max(written.most, written.now);
    try {
      return await advance(...step);
    } finally {
      written.now -= 1;
      written.inAll += 1;
    }
  });
  await Promise.all(names.map((stageName) => disconnectJobs.start({ gameName: 'Demo', stageName }, EVERYBODY, CHANGE)));
  for (let turn = 0; turn < 2_000 && written.inAll < 5; turn += 1) await wait(1);
  assert.deepEqual([written.inAll, written.most], [5, 1]);
});

test('a job for which no node has a place yet is paused and cancelled at once, which is on record', async (t) => {
  const recorded: Change[] = [];
  const audit: Audit = {
    around(change, rule) {
      recorded.push(change);
      return rule();
    },
  };
  const { games, stages, disconnectJobs, cluster } = await openDomain(t, { audit });
  await games.create({ name: 'Demo' }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  cluster.answer('count_connections', async () => ({ connections: 1, players: 1 }));
  cluster.answer('match_connections', () => new Promise(() => {}));
  const jobs = [];
  for (let job = 0; job < 5; job += 1) jobs.push(await disconnectJobs.start(STAGE, EVERYBODY, CHANGE));
  const [waiting, other] = jobs.slice(3).map(({ id }) => id) as [string, string];
  assert.equal((await disconnectJobs.pause(STAGE, waiting, CHANGE)).state, 'PAUSED');
  assert.equal((await disconnectJobs.resume(STAGE, waiting, CHANGE)).state, 'PENDING');
  for (const id of [waiting, other]) {
    recorded.length = 0;
    assert.equal((await disconnectJobs.cancel(STAGE, id, CHANGE)).state, 'CANCELLED');
    assert.deepEqual(
      recorded.map(({ operation, requestId, details }) => [operation, requestId, details?.state]),
      [
        [CHANGE.operation, CHANGE.requestId, undefined],
        ['DisconnectJob', id, 'CANCELLED'],
      ],
    );
    assert.equal((await disconnectJobs.cancel(STAGE, id, CHANGE)).state, 'CANCELLED');
    assert.equal(recorded.length, 3, 'its end is on record once');
  }
  assert.equal((await disconnectJobs.start(STAGE, EVERYBODY, CHANGE)).state, 'PENDING', 'their places are free');
});

test('a call with a client token starts one job, however often it is repeated', async (t) => {
  const { games, stages, disconnectJobs, cluster, store } = await openDomain(t, { jobConfirmAbove: 0 });
  await games.create({ name: 'Demo' }, CHANGE);
  for (const name of ['Dev', 'Live']) await stages.create({ gameName: 'Demo', name, role: ROLE }, CHANGE);
  cluster.answer('count_connections', async () => ({ connections: 1, players: 1 }));
  const call = { ...EVERYBODY, clientToken: 'a'.repeat(33) };
  const [job, atOnce] = await Promise.all([
    disconnectJobs.start(STAGE, call, CHANGE),
    disconnectJobs.start(STAGE, call, CHANGE),
  ]);
  assert.equal(atOnce.id, job.id);
  await disconnectJobs.cancel(STAGE, job.id, CHANGE);
  const again = await disconnectJobs.start(STAGE, call, CHANGE);
  assert.deepEqual([again.id, again.state], [job.id, 'CANCELLED'], 'it is shown as it is now');
  assert.equal((await disconnectJobs.list(STAGE, {})).items.length, 1);

  const other = { code: 'conflict', message: /was used for .* with other parameters/ };
  await assert.rejects(disconnectJobs.start(STAGE, { ...call, ratePerSecond: 1 }, CHANGE), other);
  await assert.rejects(disconnectJobs.start({ ...STAGE, stageName: 'Live' }, call, CHANGE), other);
  const ofAnother = await disconnectJobs.start(STAGE, call, { ...CHANGE, actor: 'OTHER' });
  assert.notEqual(ofAnother.id, job.id, 'a token belongs to one access key');

  const { id: stageId } = await stages.get('Demo', 'Dev');
  await store.disconnectJobs.prune(stageId, 0);
  const forgotten = { code: 'conflict', message: /which is not kept any more/ };
  await assert.rejects(disconnectJobs.start(STAGE, call, CHANGE), forgotten);
});

test('whoever goes on with a job tells by the database when it began, whatever the clock of the node before said', async (t) => {
  const clock = new ManualClock();
  const start = clock.now();
  const databaseTime = async () => start + clock.monotonic();
  const { games, stages, disconnectJobs, cluster } = await openDomain(t, { clock, databaseTime });
  await games.create({ name: 'Demo' }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  cluster.answer('count_connections', async () => ({ connections: 1, players: 1 }));
  const asked: (number | undefined)[] = [];
  cluster.answer('match_connections', async ({ beganAgoMs }) => {
    asked.push(beganAgoMs);
    const [job] = (await disconnectJobs.list(STAGE, {})).items;
    if (job !== undefined && asked.length === 1) await disconnectJobs.pause(STAGE, job.id, CHANGE);
    return { connections: [] };
  });
  const reached = async (id: string, wanted: string) => {
    for (let turn = 0; turn < 1_000; turn += 1) {
      if ((await disconnectJobs.get(STAGE, id)).state === wanted) return;
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(10);
    }
    assert.fail(`the job is not ${wanted}`);
  };
  // The first node is an hour behind.
  clock.setForward(-3_600_000);
  const { id } = await disconnectJobs.start(STAGE, EVERYBODY, CHANGE);
  await reached(id, 'PAUSED');
  clock.setForward(3_600_000);
  clock.advance(5_000);
  await disconnectJobs.resume(STAGE, id, CHANGE);
  await reached(id, 'COMPLETED');
  const [first = Number.NaN, second = Number.NaN] = asked;
  assert.ok(first <= 10, String(asked));
  assert.ok(second >= 5_000 && second <= clock.monotonic(), String(asked));
});

test('a job means those who are there when it begins, however long it waits for a connection to the database', async (t) => {
  const clock = new ManualClock();
  const start = clock.now();
  const answers: (() => void)[] = [];
  const databaseTime = async () => {
    await new Promise<void>((resolve) => answers.push(resolve));
    return start + clock.monotonic();
  };
  const { games, stages, disconnectJobs, cluster } = await openDomain(t, { clock, databaseTime });
  await games.create({ name: 'Demo' }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  cluster.answer('count_connections', async () => ({ connections: 1, players: 1 }));
  const asked: (number | undefined)[] = [];
  cluster.answer('match_connections', async ({ beganAgoMs }) => {
    asked.push(beganAgoMs);
    return { connections: [] };
  });
  const { id } = await disconnectJobs.start(STAGE, EVERYBODY, CHANGE);
  while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(5_000);
  const begunAt = start + clock.monotonic();
  answers.shift()?.();
  for (let turn = 0; turn < 1_000 && asked.length === 0; turn += 1)
    await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([(await disconnectJobs.get(STAGE, id)).begunAt, asked], [begunAt, [0]]);
});

test('a list of jobs with much text is read a few at a time, and gives every job once', async (t) => {
  const { games, stages, disconnectJobs, cluster, store } = await openDomain(t);
  await games.create({ name: 'Demo' }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  cluster.answer('count_connections', async () => ({ connections: 1, players: 1 }));
  const ids: string[] = [];
  for (let job = 0; job < 25; job += 1) {
    const { id } = await disconnectJobs.start(STAGE, EVERYBODY, CHANGE);
    await store.transaction((store) => store.disconnectJobs.update(id, { state: 'CANCELLED', updatedAt: 0 }));
    ids.unshift(id);
  }
  const limits: number[] = [];
  const { list } = store.disconnectJobs;
  t.mock.method(store.disconnectJobs, 'list', async (...parameters: Parameters<typeof list>) => {
    limits.push(parameters[1].limit);
    return await list(...parameters);
  });
  const idsOf = (items: readonly { readonly id: string }[]) => items.map(({ id }) => id);

  const whole = await disconnectJobs.list(STAGE, {});
  assert.deepEqual([idsOf(whole.items), whole.nextToken], [ids, undefined]);
  assert.deepEqual(limits, [10, 10, 10]);

  const first = await disconnectJobs.list(STAGE, { maxResults: 12 });
  const second = await disconnectJobs.list(STAGE, { maxResults: 13, nextToken: first.nextToken });
  assert.deepEqual([...idsOf(first.items), ...idsOf(second.items)], ids);
  assert.equal(second.nextToken, undefined);
});
