import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createTurns } from '../turns.ts';
import { createRequestLines } from './request-lines.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** A socket that sends requests with numbers. Each is served until `answer` is called with its number. */
function openLine(maxWaiting: number) {
  const served: number[] = [];
  const answers = new Map<number, () => void>();
  let dropped = 0;
  const { enqueue, isBusy } = createRequestLines({
    turns: createTurns({ clock: new ManualClock() }),
    maxWaiting,
    dropped: () => {
      dropped += 1;
    },
  });
  const socket = new Socket();
  return {
    socket,
    served,
    isBusy: () => isBusy(socket),
    get dropped() {
      return dropped;
    },
    request: (number: number) =>
      enqueue(socket, 'lane', () => {
        served.push(number);
        return new Promise((resolve) => answers.set(number, resolve));
      }),
    async answer(number: number) {
      answers.get(number)?.();
      // The next request waits for the next turn of the event loop, which `turns` begins by itself.
      for (let turn = 0; turn < 4; turn += 1) await nextTurn();
    },
  };
}

test('a request is served when the one before it has been answered', async () => {
  const line = openLine(2);
  assert.equal(line.isBusy(), false);
  for (const number of [1, 2, 3]) line.request(number);
  assert.deepEqual(line.served, [1]);
  assert.equal(line.isBusy(), true);
  await line.answer(1);
  assert.deepEqual(line.served, [1, 2]);
  await line.answer(2);
  await line.answer(3);
  assert.equal(line.isBusy(), false);
  line.request(4);
  assert.deepEqual([line.served, line.dropped, line.socket.destroyed], [[1, 2, 3, 4], 0, false]);
});

test('a client that sends more requests than may wait loses its connection, and they are never served', async () => {
  const line = openLine(2);
  for (const number of [1, 2, 3, 4, 5]) line.request(number);
  assert(line.socket.destroyed);
  await line.answer(1);
  assert.deepEqual([line.served, line.dropped], [[1], 4]);
});

test('requests that wait for a client that has gone away are never served', async () => {
  const line = openLine(2);
  for (const number of [1, 2, 3]) line.request(number);
  line.socket.destroy();
  await line.answer(1);
  assert.deepEqual([line.served, line.dropped], [[1], 2]);
});
