import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { createScriptNotify } from './script-notify.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('notifications of a stage’s scripts are written at a rate, by their length, their values and the connections of the player', async () => {
  const clock = new ManualClock();
  const sent: string[] = [];
  const notify = createScriptNotify({
    async notify({ stageId, playerId }) {
      sent.push(stageId);
      if (playerId === 'absent') return [];
      // A node that does not say counts as one connection.
      return [
        { node: 'a', connections: 10 },
        { node: 'b', connections: undefined },
      ];
    },
    ...{ clock, settings: { scriptNotificationBytesPerSecond: 1_000_000 } },
  });
  const text = { Text: 'x'.repeat(100_000) };
  const send = (stageId: string, playerId: string, payload: object = text) =>
    notify({ stageId, playerId }, 'Custom.Game.Hit', { ...payload });
  /** Sends notifications one after the other for ten seconds, and returns how many were sent. */
  const sentIn = async (stageId: string, playerId: string, payload?: object) => {
    const before = sent.length;
    let isOver = false;
    const sending = (async () => {
      while (!isOver) await send(stageId, playerId, payload);
    })();
    for (let passed = 0; passed < 10_000; passed += 10) {
      for (let turn = 0; turn < 3; turn += 1) await settle();
      clock.advance(10);
    }
    isOver = true;
    clock.advance(10_000);
    await sending;
    return sent.length - before;
  };
  const toMany = await sentIn('Dev', 'p');
  assert.ok(toMany >= 7 && toMany <= 9, `${toMany} of 1.5 million bytes`);
  const toNobody = await sentIn('Dev2', 'absent');
  assert.ok(toNobody >= 26 && toNobody <= 29, `${toNobody} of 0.4 million bytes`);
  const ofValues = await sentIn('Dev4', 'absent', { List: Array.from({ length: 4_000 }, () => 1) });
  assert.ok(ofValues >= 5 && ofValues <= 7, `${ofValues} of 4,000 values`);
  await Promise.all([send('Dev3', 'p'), send('Live', 'p')]);
  const waiting = send('Dev3', 'p');
  await settle();
  assert.equal(sent.at(-1), 'Live', 'the next of the same stage waits');
  clock.advance(10_000);
  await waiting;
});
