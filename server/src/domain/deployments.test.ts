import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHANGE, openDomain, ROLE } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { nextTurn, openWithStage, TOKEN } from '../../test/support/stage.ts';
import type { ErrorCode } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { openTestStore } from '../store/test-store.ts';
import type { ConfigurationFault } from './configuration/fault.ts';
import { examineInThisThread } from './examination.ts';

const failsWith = (code: ErrorCode, message = /./) => ({ name: 'ServiceError', code, message });

const fault = (message: string): ConfigurationFault => ({ section: '', pointer: '', message });

/** A store whose transactions fail while `isAway` says so. */
function failingStore(store: Store, isAway: () => boolean): Store {
  return {
    ...store,
    async transaction(work) {
      if (isAway()) throw new Error('the disk is full');
      return await store.transaction(work);
    },
  };
}

test('a deployment is pending, and then completed with a runtime of its own', async (t) => {
  const { deployments, start, runtimeId, clock, lines, snapshotId, cluster } = await openWithStage(t);
  const started = await start();
  const now = clock.now();
  const { id, stageId, gameId, ...rest } = started;
  assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const expected = {
    snapshotId,
    action: 'DEPLOY',
    state: 'PENDING',
    result: undefined,
    createdAt: now,
    updatedAt: now,
    claimedBy: undefined,
    claims: 0,
  };
  assert.deepEqual(rest, expected);
  assert.equal(await runtimeId(), undefined);
  clock.advance(1_000);
  await deployments.settled();
  assert.deepEqual(await deployments.get('Demo', 'Dev', id), {
    ...started,
    state: 'COMPLETED',
    result: { code: 'SUCCESS', message: '' },
    updatedAt: now + 1_000,
    claimedBy: cluster.node,
    claims: 1,
  });
  assert.equal(await runtimeId(), id);
  assert.deepEqual(
    lines.map(({ msg, deploymentId, resultCode }) => [msg, deploymentId, resultCode]),
    [['deployment ended', id, 'SUCCESS']],
  );
  assert.ok(stageId && gameId);
});

test('while it is examined it is in progress', async (t) => {
  const unfinished: ReturnType<Store['deployments']['listUnfinished']>[] = [];
  const domain = await openWithStage(t, {
    async examine(asked) {
      unfinished.push(domain.store.deployments.listUnfinished());
      return examineInThisThread(asked);
    },
  });
  await domain.deploy();
  assert.deepEqual(
    (await unfinished[0])?.map(({ state }) => state),
    ['IN_PROGRESS'],
  );
});

test('a completed deployment makes the runtimes before it old', async (t) => {
  const { deploy, runtimes, lines } = await openWithStage(t);
  const first = await deploy();
  const enter = ({ id, stageId }: { id: string; stageId: string }) =>
    runtimes.enter({ id, stage: { stageId, gameName: 'Zoo', stageName: 'Dev' } });
  const old = enter(first);
  const second = await deploy();
  const newest = enter(second);
  old.leave();
  newest.leave();
  const ended = lines.filter(({ msg }) => msg.startsWith('old runtime ended'));
  assert.deepEqual(
    ended.map(({ runtimeId }) => runtimeId),
    [first.id],
  );
  assert.equal(runtimes.size, 0);
});

test('every fault of the snapshot is in the result, and the runtime stays', async (t) => {
  let faults: ConfigurationFault[] = [];
  const { deploy, runtimeId } = await openWithStage(t, { examine: async () => ({ faults, archive: undefined }) });
  const good = await deploy();
  faults = [fault('no shape "X"'), { section: 'A', pointer: '/b', message: 'is unknown' }];
  const { state, result } = await deploy();
  assert.equal(state, 'FAILED');
  const message = 'the snapshot cannot be deployed:\nno shape "X"\nA at "/b" is unknown';
  assert.deepEqual(result, { code: 'UNSPECIFIED_FAILURE', message });
  assert.equal(await runtimeId(), good.id);
});

test('a message has room for a hundred faults, but no more', async (t) => {
  const faults = Array.from({ length: 5_000 }, (_, index) => fault(`fault ${index} ${'x'.repeat(100)}`));
  const { deploy } = await openWithStage(t, { examine: async () => ({ faults, archive: undefined }) });
  const lines = (await deploy()).result?.message.split('\n') ?? [];
  assert.ok(lines.length > 100 && lines.join('\n').length < 21_000, `${lines.length} lines`);
  assert.equal(lines.at(-1), 'and more; fix these first');
});

test('a role that is not allowed fails the deployment', async (t) => {
  const allowedRoles = ['arn:aws:iam::*:role/GameDeployment-*', 'arn:aws:iam::123456789012:role/Live'];
  const { deploy, stages, runtimeId } = await openWithStage(t, { allowedRoles });
  const { state, result } = await deploy();
  assert.deepEqual([state, result?.code], ['FAILED', 'INVALID_ROLE_FAILURE']);
  for (const text of [ROLE, ...allowedRoles]) assert.ok(result?.message.includes(text), result?.message);
  assert.equal(await runtimeId(), undefined);
  for (const role of ['arn:aws:iam::1:role/GameDeployment-Demo', 'arn:aws:iam::123456789012:role/Live']) {
    await stages.update('Demo', 'Dev', { role }, CHANGE);
    assert.equal((await deploy()).state, 'COMPLETED', role);
  }
});

test('a bug ends as a failure that points to the log', async (t) => {
  const { deploy, runtimeId, lines } = await openWithStage(t, {
    async examine() {
      throw new TypeError('undefined is not a function');
    },
  });
  const { id, state, result } = await deploy();
  assert.deepEqual([state, result?.code], ['FAILED', 'UNSPECIFIED_FAILURE']);
  assert.match(result?.message ?? '', /its log says why/);
  assert.equal(await runtimeId(), undefined);
  const [error] = lines.filter(({ level }) => level === 50);
  assert.deepEqual([error?.deploymentId, error?.msg], [id, 'a snapshot could not be checked']);
});

test('a store that fails for a while delays a deployment and does not end it', async (t) => {
  const real = await openTestStore(t);
  let isAway = false;
  const domain = await openWithStage(t, { store: failingStore(real, () => isAway) });
  const { deployments, start, clock, lines } = domain;
  const { id } = await start();
  isAway = true;
  for (let turn = 0; turn < 100 && lines.length === 0; turn += 1) await nextTurn();
  assert.equal(lines[0]?.msg, 'deployment was interrupted and will be tried again');
  for (let pause = 0; pause < 3; pause += 1) {
    clock.advance(30_000);
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  }
  assert.notEqual((await deployments.get('Demo', 'Dev', id)).state, 'FAILED');
  isAway = false;
  clock.advance(30_000);
  await deployments.settled();
  assert.equal((await deployments.get('Demo', 'Dev', id)).state, 'COMPLETED');
  assert.equal(clock.pending, 0);
});

test('when fifty calls come at once, one starts a deployment, and the others are told which', async (t) => {
  const { deployments, start } = await openWithStage(t);
  const calls = await Promise.allSettled(Array.from({ length: 50 }, () => start()));
  const [started, ...more] = calls.flatMap((call) => (call.status === 'fulfilled' ? [call.value] : []));
  const refusals = calls.flatMap((call) => (call.status === 'rejected' ? [call.reason] : []));
  assert.deepEqual([more.length, refusals.length], [0, 49]);
  for (const { code, message } of refusals) {
    assert.equal(code, 'conflict');
    assert.ok(message.includes(`deployment ${started?.id} of stage "Dev" is still under way`), message);
  }
  await deployments.settled();
  assert.equal((await start()).state, 'PENDING');
  await deployments.settled();
  assert.equal((await deployments.list('Demo', 'Dev', {})).items.length, 2);
});

test('stages deploy at the same time', async (t) => {
  const { deployments, stages, asked, start } = await openWithStage(t);
  await stages.create({ gameName: 'Demo', name: 'Live', role: ROLE }, CHANGE);
  const made = await Promise.all([start(), deployments.start({ ...asked, stageName: 'Live' }, CHANGE)]);
  await deployments.settled();
  assert.equal((await stages.get('Demo', 'Dev')).runtimeId, made[0].id);
  assert.equal((await stages.get('Demo', 'Live')).runtimeId, made[1].id);
});

test('games take turns, however many stages of one of them are to be deployed', async (t) => {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { games, stages, snapshots, deployments, asked, lines } = await openWithStage(t, {
    async examine() {
      await released;
      return { faults: [], archive: undefined };
    },
  });
  await games.create({ name: 'Other' }, CHANGE);
  const { id: snapshotId } = await snapshots.create('Other', undefined, CHANGE);
  const names = Array.from({ length: 9 }, (_, index) => ({ ...asked, stageName: `Live${index}` }));
  const all = [...names, { gameName: 'Other', stageName: 'Dev', snapshotId }];
  for (const { gameName, stageName: name } of all) await stages.create({ gameName, name, role: ROLE }, CHANGE);
  for (const each of all) await deployments.start(each, CHANGE);
  release();
  await deployments.settled();
  const ended = lines.filter(({ msg }) => msg === 'deployment ended').map(({ gameName }) => gameName);
  assert.equal(ended.length, all.length);
  assert.ok(ended.indexOf('Other') < 5, ended.join());
});

test('a call repeated with its token finds the deployment, whatever its state', async (t) => {
  const { deployments, asked, start, snapshots, stages } = await openWithStage(t);
  const calls = await Promise.all(Array.from({ length: 50 }, () => start(TOKEN)));
  assert.equal(new Set(calls.map(({ id }) => id)).size, 1);
  await deployments.settled();
  const repeated = await start(TOKEN);
  assert.deepEqual([repeated.id, repeated.state], [calls[0]?.id, 'COMPLETED']);
  const { id: snapshotId } = await snapshots.create('Demo', undefined, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Live', role: ROLE }, CHANGE);
  for (const other of [{ snapshotId }, { stageName: 'Live' }]) {
    await assert.rejects(
      deployments.start({ ...asked, ...other, ...TOKEN }, CHANGE),
      failsWith('conflict', /ClientToken/),
    );
  }
  assert.equal((await deployments.list('Demo', 'Dev', {})).items.length, 1);
  await stages.delete('Demo', 'Dev', CHANGE);
  await assert.rejects(start(TOKEN), failsWith('not_found'));
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  assert.notEqual((await start(TOKEN)).id, calls[0]?.id);
  await deployments.settled();
});

test('a call repeated after its deployment has left the history does not deploy again', async (t) => {
  const { deployments, start, runtimeId } = await openWithStage(t, { maxDeployments: 1 });
  const first = await start(TOKEN);
  await deployments.settled();
  const second = await start();
  await deployments.settled();
  await assert.rejects(
    start(TOKEN),
    failsWith('conflict', new RegExp(`${first.id}", which has since left the history`)),
  );
  assert.equal(await runtimeId(), second.id);
});

test('the history is newest first, even when the clock stands still or was set back', async (t) => {
  const { deployments, deploy, store } = await openWithStage(t);
  const ids = [(await deploy()).id, (await deploy()).id, (await deploy()).id];
  const earlier = await openWithStage(t, { store, clock: new ManualClock(Date.UTC(2025, 0, 1)) });
  ids.push((await earlier.deploy()).id);
  assert.equal((await deployments.get('Demo', 'Dev')).id, ids[3]);
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await deployments.list('Demo', 'Dev', { maxResults: 1, nextToken });
    seen.push(...page.items.map(({ id }) => id));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  assert.deepEqual(seen, ids.toReversed());
});

test('the history keeps the newest, as many as the settings say', async (t) => {
  const { deployments, deploy, runtimeId } = await openWithStage(t, { maxDeployments: 2 });
  const [oldest, older, newest] = [await deploy(), await deploy(), await deploy()];
  assert.deepEqual((await deployments.list('Demo', 'Dev', {})).items, [newest, older]);
  await assert.rejects(deployments.get('Demo', 'Dev', oldest.id), { code: 'not_found' });
  assert.equal(await runtimeId(), newest.id);
});

test('unknown deployments, stages, games and snapshots are not found', async (t) => {
  const { deployments, stages, asked, deploy, store } = await openWithStage(t);
  await assert.rejects(deployments.get('Demo', 'Dev'), failsWith('not_found', /there is no deployment of stage "Dev"/));
  assert.deepEqual((await deployments.list('Demo', 'Dev', {})).items, []);
  const { id, stageId } = await deploy();
  await stages.create({ gameName: 'Demo', name: 'Live', role: ROLE }, CHANGE);
  await assert.rejects(deployments.get('Demo', 'Live', id), failsWith('not_found', /no deployment/));
  for (const [gameName, stageName, message] of [
    ['Other', 'Dev', /no game "Other"/],
    ['Demo', 'Other', /no stage "Other"/],
  ] as const) {
    await assert.rejects(deployments.start({ ...asked, gameName, stageName }, CHANGE), failsWith('not_found', message));
    await assert.rejects(deployments.get(gameName, stageName), failsWith('not_found', message));
    await assert.rejects(deployments.list(gameName, stageName, {}), failsWith('not_found', message));
  }
  const snapshotId = asked.snapshotId.replace('000Z', '009Z');
  await assert.rejects(deployments.start({ ...asked, snapshotId }, CHANGE), failsWith('not_found', /snapshot/));
  await store.stages.update(stageId, { state: 'DELETING', updatedAt: 0 });
  await assert.rejects(deployments.start(asked, CHANGE), failsWith('not_found', /stage/));
  assert.equal((await deployments.get('Demo', 'Dev')).id, id);
});

test('a page of a history of failures with long messages ends early, and no deployment is left out', async (t) => {
  const { games, stages, deployments, store } = await openDomain(t);
  await games.create({ name: 'Demo' }, CHANGE);
  const { id: stageId, gameId } = await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  const ids = Array.from({ length: 60 }, (_, index) => `0000-${String(99 - index)}`);
  await store.transaction(async (store) => {
    for (const id of ids) {
      const result = { code: 'UNSPECIFIED_FAILURE', message: 'ü'.repeat(10_000) } as const;
      const facts = { action: 'DEPLOY', state: 'FAILED', result, claimedBy: undefined, claims: 0 } as const;
      await store.deployments.insert({ id, stageId, gameId, snapshotId: 'S', createdAt: 0, updatedAt: 0, ...facts });
    }
  });
  const seen: string[] = [];
  const sizes: number[] = [];
  let nextToken: string | undefined;
  do {
    const page = await deployments.list('Demo', 'Dev', { nextToken });
    seen.push(...page.items.map(({ id }) => id));
    sizes.push(page.items.length);
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  assert.deepEqual([seen, sizes], [ids, [26, 26, 8]]);
});
