import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isConflict, type OpenStore, sampleKey } from './store-samples.ts';

/** Holds one implementation to the promises about access keys. */
export function testAccessKeys(open: OpenStore): void {
  test('an access key is found as it was inserted, and listed in order of id', async (t) => {
    const { accessKeys } = await open(t);
    const [a, b] = [sampleKey('A'), sampleKey('B', { revokedAt: 5, expiresAt: 7, subject: 'ada' })];
    await accessKeys.insert(b);
    await accessKeys.insert(a);
    assert.deepEqual(await accessKeys.find('A'), a);
    assert.equal(await accessKeys.find('a'), undefined);
    assert.deepEqual(await accessKeys.list(), [a, b]);
    await assert.rejects(accessKeys.insert(a), isConflict);
  });

  test('a key is revoked once, and the time of the first revocation stays', async (t) => {
    const { accessKeys } = await open(t);
    await accessKeys.insert(sampleKey('A'));
    assert.equal(await accessKeys.revoke('A', 10), true);
    assert.equal(await accessKeys.revoke('A', 20), false);
    assert.equal(await accessKeys.revoke('unknown', 20), false);
    assert.equal((await accessKeys.find('A'))?.revokedAt, 10);
  });

  test('the sealed secret of a key is replaced, and nothing else of it', async (t) => {
    const { accessKeys } = await open(t);
    for (const id of ['A', 'B']) await accessKeys.insert(sampleKey(id));
    await accessKeys.setSealedSecret('A', Buffer.of(1, 2, 3));
    await accessKeys.setSealedSecret('unknown', Buffer.of(1, 2, 3));
    assert.deepEqual(await accessKeys.list(), [
      { ...sampleKey('A'), sealedSecret: Buffer.of(1, 2, 3) },
      sampleKey('B'),
    ]);
  });

  test('there is at most one live root key', async (t) => {
    const { accessKeys } = await open(t);
    await accessKeys.insert(sampleKey('A', { isRoot: true }));
    await assert.rejects(accessKeys.insert(sampleKey('B', { isRoot: true })), isConflict);
    await accessKeys.revoke('A', 10);
    await accessKeys.insert(sampleKey('B', { isRoot: true }));
    assert.equal((await accessKeys.list()).length, 2);
  });

  test('keys revoked or expired long ago are forgotten, live ones never', async (t) => {
    const { accessKeys } = await open(t);
    await accessKeys.insert(sampleKey('live'));
    for (const [id, at] of Object.entries({ old: 10, recent: 11 })) {
      await accessKeys.insert(sampleKey(id, { revokedAt: at }));
      await accessKeys.insert(sampleKey(`expired ${id}`, { expiresAt: at }));
    }
    await accessKeys.insert(sampleKey('signed in', { revokedAt: 10, subject: 'ada' }));
    const left = async () => (await accessKeys.list()).map(({ id }) => id);
    await accessKeys.removeEndedBefore(11, { ofSignIns: false });
    assert.deepEqual(await left(), ['expired recent', 'live', 'recent', 'signed in']);
    await accessKeys.removeEndedBefore(11, { ofSignIns: true });
    assert.deepEqual(await left(), ['expired recent', 'live', 'recent']);
  });

  test('keys are listed by pages, in order of id', async (t) => {
    const { accessKeys } = await open(t);
    for (const id of ['C', 'A', 'b', 'B']) await accessKeys.insert(sampleKey(id));
    assert.deepEqual(await accessKeys.listPage({ limit: 2 }), [sampleKey('A'), sampleKey('B')]);
    assert.deepEqual(await accessKeys.listPage({ after: 'B', limit: 9 }), [sampleKey('C'), sampleKey('b')]);
    assert.deepEqual(await accessKeys.listPage({ after: 'b', limit: 9 }), []);
  });

  test('keys that may sign are counted and found without those that have ended, and the root key by itself', async (t) => {
    const { accessKeys } = await open(t);
    assert.equal(await accessKeys.findRoot(), undefined);
    assert.equal(await accessKeys.countLive(10), 0);
    await accessKeys.insert(sampleKey('old root', { isRoot: true, revokedAt: 5 }));
    await accessKeys.insert(sampleKey('root', { isRoot: true }));
    const first = sampleKey('first', { subject: 'ada', expiresAt: 11, createdAt: 1 });
    const second = sampleKey('second', { subject: 'ada', createdAt: 2 });
    for (const key of [first, second, sampleKey('made')]) await accessKeys.insert(key);
    await accessKeys.insert(sampleKey('revoked', { subject: 'ada', revokedAt: 20 }));
    await accessKeys.insert(sampleKey('of another', { subject: 'bob' }));
    assert.deepEqual(await accessKeys.findRoot(), sampleKey('root', { isRoot: true }));
    assert.deepEqual(await accessKeys.listLiveOf('ada', 10), [second, first]);
    assert.equal(await accessKeys.countLive(10), 4);
    assert.deepEqual(await accessKeys.listLiveOf('ada', 11), [second]);
    assert.equal(await accessKeys.countLive(11), 3);
  });

  test('the time is found at which the key ended that is at a place among the ended ones', async (t) => {
    const { accessKeys } = await open(t);
    await accessKeys.insert(sampleKey('live'));
    await accessKeys.insert(sampleKey('revoked', { revokedAt: 10 }));
    await accessKeys.insert(sampleKey('revoked before it expired', { revokedAt: 30, expiresAt: 40 }));
    await accessKeys.insert(sampleKey('revoked after it expired', { revokedAt: 40, expiresAt: 20 }));
    await accessKeys.insert(sampleKey('will expire', { expiresAt: 50 }));
    await accessKeys.insert(sampleKey('of a sign-in', { expiresAt: 15, subject: 'ada' }));
    const ends = (by: number, ofSignIns: boolean) =>
      Promise.all([1, 2, 3, 4].map((place) => accessKeys.findEnd(place, { by, ofSignIns })));
    assert.deepEqual(await ends(40, false), [30, 20, 10, undefined]);
    assert.deepEqual(await ends(29, false), [20, 10, undefined, undefined]);
    assert.deepEqual(await ends(40, true), [15, undefined, undefined, undefined]);
  });
}
