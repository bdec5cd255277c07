import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHANGE, openDomain, ROLE } from '../../../test/support/domain.ts';

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
