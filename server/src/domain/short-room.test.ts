import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHANGE, UNRECORDED } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createAuditWithinRoom } from './short-room.ts';

test('while the disk is full only what ends something is changed', async () => {
  let isShort = true;
  const clock = new ManualClock();
  const audit = createAuditWithinRoom({ audit: UNRECORDED, room: { isShort: () => isShort }, clock });
  const change = (operation: string) => audit.around({ ...CHANGE, operation }, async () => 'done');
  for (const operation of ['DisconnectPlayer', 'DeleteGame', 'DeleteStage', 'BlockPlayer', 'RevokePlayerTokens']) {
    assert.equal(await change(operation), 'done');
  }
  for (const operation of ['CreateGame', 'ImportGameConfiguration', 'StartStageDeployment', 'TagResource']) {
    await assert.rejects(change(operation), {
      code: 'internal',
      message: /^The disk of the server is full, so nothing/,
    });
  }
  isShort = false;
  assert.equal(await change('CreateGame'), 'done');
});

test('while the disk is full no key can use up what is held back, and there is always some for deletions', async () => {
  let isShort = true;
  const clock = new ManualClock();
  const audit = createAuditWithinRoom({ audit: UNRECORDED, room: { isShort: () => isShort }, clock });
  const change = (actor: string, operation = 'DisconnectPlayer') =>
    audit.around({ ...CHANGE, actor, operation }, async () => 'done');
  for (let call = 0; call < 20; call += 1) await change('one');
  await assert.rejects(change('one'), { code: 'throttled', retryAfterMs: 500 });
  for (let call = 0; call < 20; call += 1) await change('another');
  for (let call = 0; call < 10; call += 1) await change('a third');
  await assert.rejects(change('a third'), { code: 'throttled', retryAfterMs: 200 });
  for (let call = 0; call < 100; call += 1) await change('one', 'DeleteStage');
  clock.advance(1_000);
  await change('one');
  isShort = false;
  for (let call = 0; call < 100; call += 1) await change('one');
});

test('while the disk is full no key can use up what is held back by deleting what is not there', async () => {
  const clock = new ManualClock();
  const audit = createAuditWithinRoom({ audit: UNRECORDED, room: { isShort: () => true }, clock });
  const remove = async (actor: string) => {
    let recorded = 0;
    for (let call = 0; call < 1_000; call += 1) {
      const called = audit.around({ ...CHANGE, actor, operation: 'DeleteSnapshot' }, () => {
        recorded += 1;
      });
      await Promise.resolve(called).catch((error: unknown) => assert.match(String(error), /held back/));
    }
    return recorded;
  };
  assert.equal(await remove('one'), 100);
  assert.equal(await remove('one'), 0);
  assert.equal(await remove('another'), 100);
  assert.equal(await remove('a third'), 0);
  for (let call = 0; call < 20; call += 1)
    await audit.around({ ...CHANGE, operation: 'DisconnectPlayer' }, async () => 'done');
  clock.advance(1_000);
  assert.equal(await remove('one'), 2);
  assert.equal(await remove('a third'), 2);
});

test('while the disk is full scripts, whatever their handlers are called, leave operators their share', async () => {
  const clock = new ManualClock();
  const audit = createAuditWithinRoom({ audit: UNRECORDED, room: { isShort: () => true }, clock });
  const disconnect = (cause: 'operator' | 'script', actor: string) =>
    audit.around({ ...CHANGE, cause, actor, operation: 'DisconnectPlayer' }, async () => 'done');
  let done = 0;
  for (let call = 0; call < 100; call += 1) {
    const called = disconnect('script', `Handler${call % 50}`);
    if ((await Promise.resolve(called).catch(() => 'refused')) === 'done') done += 1;
  }
  assert.equal(done, 20);
  for (let call = 0; call < 20; call += 1) await disconnect('operator', 'a key');
});
