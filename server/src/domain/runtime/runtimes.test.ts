import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_ANSWERS } from '../../../test/support/cloud-code.ts';
import { recordedLog } from '../../../test/support/domain.ts';
import { EMPTY_RUNTIME_ID } from '../../runtime-id.ts';
import { createRuntimes } from './runtimes.ts';

const [FIRST, SECOND, THIRD] = ['01', '02', '03'].map((start) => `${start}9b7d9a-0000-7000-8000-000000000000`) as [
  string,
  string,
  string,
];

function open() {
  const { log, lines } = recordedLog();
  const runtimes = createRuntimes({
    renewToken: async ({ stageId, playerId }) => ({
      isHandled: true,
      payloadJson: JSON.stringify({ AuthenticationToken: `token of ${stageId}/${playerId}` }),
    }),
    answers: NO_ANSWERS,
    log,
  });
  return {
    runtimes,
    enter: (stageId: string, id: string) =>
      runtimes.enter({ id, stage: { stageId, gameName: 'Demo', stageName: stageId } }),
    ended: () => lines.map(({ stageId, runtimeId }) => `${stageId} ${runtimeId}`),
  };
}

test('connections on one runtime hold one object, which is there while it has connections', () => {
  const { runtimes, enter } = open();
  const [first, second] = [enter('s1', EMPTY_RUNTIME_ID), enter('s1', EMPTY_RUNTIME_ID)];
  const elsewhere = enter('s2', EMPTY_RUNTIME_ID);
  assert.equal(first, second);
  assert.notEqual(first, elsewhere);
  assert.equal(runtimes.size, 2);
  assert.equal(runtimes.inUse('s1').includes(EMPTY_RUNTIME_ID), true);
  first.leave();
  assert.equal(runtimes.size, 2);
  assert.equal(runtimes.inUse('s1').includes(EMPTY_RUNTIME_ID), true);
  second.leave();
  assert.equal(runtimes.inUse('s1').includes(EMPTY_RUNTIME_ID), false);
  elsewhere.leave();
  assert.equal(runtimes.size, 0);
});

test('an old runtime ends with its last connection, while the newest one is merely empty', () => {
  const { runtimes, enter, ended } = open();
  const old = enter('s1', EMPTY_RUNTIME_ID);
  enter('s1', EMPTY_RUNTIME_ID);
  runtimes.deployed('s1', FIRST);
  const newest = enter('s1', FIRST);
  assert.equal(runtimes.size, 2);
  old.leave();
  assert.deepEqual(ended(), []);
  old.leave();
  assert.deepEqual(ended(), [`s1 ${EMPTY_RUNTIME_ID}`]);
  newest.leave();
  assert.equal(ended().length, 1);
  assert.equal(runtimes.size, 0);
});

test('a runtime is old as soon as a newer one is deployed, before any connection opens on that', () => {
  const { runtimes, enter, ended } = open();
  const old = enter('s1', FIRST);
  assert.equal(old.isOutdated(), false);
  runtimes.deployed('s1', SECOND);
  assert.equal(old.isOutdated(), true);
  old.leave();
  assert.deepEqual(ended(), [`s1 ${FIRST}`]);
});

test('a connection that was admitted before a deployment does not make the old runtime the newest again', () => {
  const { enter, ended } = open();
  const newest = enter('s1', THIRD);
  for (const id of [SECOND, EMPTY_RUNTIME_ID]) enter('s1', id).leave();
  assert.deepEqual(ended(), [`s1 ${SECOND}`, `s1 ${EMPTY_RUNTIME_ID}`]);
  newest.leave();
  assert.equal(ended().length, 2);
});

test('leaving more often than entering is a bug that shows', () => {
  const { runtimes, enter } = open();
  const runtime = enter('s1', FIRST);
  runtime.leave();
  assert.throws(() => runtime.leave(), /no connection/);
  assert.equal(runtimes.size, 0);
});

test('every runtime answers the request for a player token, and says of other messages that nothing handles them', async () => {
  const runtime = open().enter('s1', EMPTY_RUNTIME_ID);
  const message = { player: { stageId: 's1', playerId: 'p1', gameId: 'g1', signedInAt: 0 }, payload: {} };
  assert.deepEqual(await runtime.request({ ...message, type: 'GameSparks.Identity.GetPlayerToken' }), {
    isHandled: true,
    payloadJson: '{"AuthenticationToken":"token of s1/p1"}',
  });
  for (const kind of ['request', 'event'] as const) {
    const outcome = await runtime[kind]({ ...message, type: 'Custom.Game.Nothing' });
    assert.equal(outcome.isHandled === false && outcome.code, 'no_handler');
  }
});
