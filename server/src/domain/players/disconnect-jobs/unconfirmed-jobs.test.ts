import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { CHANGE, openDomain, ROLE } from '../../../../test/support/domain.ts';
import type { Audit, Change } from '../../audit/audit.ts';
import type { BackgroundWork } from '../../background.ts';

const HOUR_MS = 3_600_000;
const STAGE = { gameName: 'Demo', stageName: 'Dev' };
const EVERYBODY = { selection: { isEverybody: true, filter: {} } };
const OTHER: Change = { ...CHANGE, actor: 'AKIDOTHER' };

test('a job that is not confirmed within an hour ends, which is on record, and gives its place to another', async (t) => {
  const recorded: Change[] = [];
  const audit: Audit = {
    around(change, rule) {
      recorded.push(change);
      return rule();
    },
  };
  const domain = await openDomain(t, { audit, jobConfirmAbove: 2 });
  const { games, stages, disconnectJobs, cluster, clock, background } = domain;
  cluster.answer('count_connections', async () => ({ connections: 3, players: 3 }));
  await games.create({ name: 'Demo' }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  const work = background.find(({ name }) => name === 'disconnect jobs') as BackgroundWork;
  await work.resume();
  t.after(() => work.close());
  const pass = async (ms: number) => {
    await work.settled();
    clock.advance(ms);
    await setImmediate();
    await work.settled();
  };

  const first = await disconnectJobs.start(STAGE, EVERYBODY, CHANGE);
  assert.equal(first.state, 'AWAITING_CONFIRMATION');
  await pass(60_000);
  const later = [];
  for (let count = 0; count < 4; count += 1) later.push(await disconnectJobs.start(STAGE, EVERYBODY, CHANGE));
  await assert.rejects(disconnectJobs.start(STAGE, EVERYBODY, CHANGE), { code: 'quota_exceeded' });

  recorded.length = 0;
  await pass(HOUR_MS - 60_000);
  assert.equal((await disconnectJobs.get(STAGE, first.id)).state, 'AWAITING_CONFIRMATION', 'an hour is not over');
  await pass(60_000);
  assert.equal((await disconnectJobs.get(STAGE, first.id)).state, 'CANCELLED');
  assert.equal((await disconnectJobs.get(STAGE, later[0]?.id ?? '')).state, 'AWAITING_CONFIRMATION');
  const [end, ...more] = recorded;
  assert.deepEqual(more, []);
  assert.deepEqual([end?.operation, end?.requestId, end?.cause], ['DisconnectJob', first.id, 'server']);
  assert.deepEqual(end?.details, {
    ...{ state: 'CANCELLED', closed: '0', gone: '0', unproven: '0', silentNodes: '0' },
    ...{ startedBy: CHANGE.requestId, why: 'it was not confirmed within an hour' },
  });
  await assert.rejects(disconnectJobs.confirm(STAGE, first.id, OTHER), { code: 'conflict' });
  assert.equal((await disconnectJobs.start(STAGE, EVERYBODY, CHANGE)).state, 'AWAITING_CONFIRMATION');
});
