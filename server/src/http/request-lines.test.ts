import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createTurns } from '../turns.ts';
import { createRequestLines } from './request-lines.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

function createLines(maxWaiting: number, { maxBytes = 100, maxBytesInAll = 100 } = {}) {
  let dropped = 0;
  const lines = createRequestLines({
    turns: createTurns({ clock: new ManualClock() }),
    limits: { maxWaiting, maxBytes, maxBytesInAll },
    dropped: () => {
      dropped += 1;
    },
  });
  return { lines, dropped: () => dropped };
}

/** A socket that sends requests with numbers. Each is served until `answer` is called with its number. */
function openLine(maxWaiting: number, { lines, dropped } = createLines(maxWaiting)) {
  const served: number[] = [];
  const answers = new Map<number, () => void>();
  const { enqueue, isBusy } = lines;
  const socket = new Socket();
  return {
    socket,
    served,
    isBusy: () => isBusy(socket),
    get dropped() {
      return dropped();
    },
    request: (number: number, bytes = 1) =>
      enqueue(
        socket,
        'lane',
        () => bytes,
        () => {
          served.push(number);
          return new Promise<void>((resolve) => answers.set(number, resolve));
        },
      ),
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

test('requests that wait may take so much memory for each socket', async () => {
  const line = openLine(64);
  for (const number of [1, 2, 3]) line.request(number, 50);
  assert.deepEqual([line.dropped, line.socket.destroyed], [0, false]);
  await line.answer(1);
  line.request(4, 50);
  assert.deepEqual([line.served, line.socket.destroyed], [[1, 2], false]);
  line.request(5, 1);
  assert.deepEqual([line.dropped, line.socket.destroyed], [1, true]);
});

test('those of all sockets together take no more than they may, and one that need not wait is served', async () => {
  const shared = createLines(64, { maxBytes: 100, maxBytesInAll: 150 });
  const [first, second, third] = [1, 2, 3].map(() => openLine(64, shared));
  assert(first && second && third);
  for (const number of [1, 2]) first.request(number, 100);
  for (const number of [1, 2]) second.request(number, 50);
  assert.deepEqual([first.socket.destroyed, second.socket.destroyed], [false, false]);
  third.request(1, 100);
  assert.deepEqual(third.served, [1]);
  third.request(2, 1);
  assert.equal(third.socket.destroyed, true);
  // What one of them gives up at its end, the others may have.
  first.socket.destroy();
  await nextTurn();
  second.request(3, 50);
  assert.equal(second.socket.destroyed, false);
});
