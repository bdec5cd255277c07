import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createTurns } from '../turns.ts';
import { createRequestLines } from './request-lines.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** A socket that sends requests with numbers. Each is served until `answer` is called with its number. */
function openLine() {
  const served: number[] = [];
  const answers = new Map<number, () => void>();
  let dropped = 0;
  let answered = 0;
  const { enqueue, isBusy, mayParse } = createRequestLines({
    turns: createTurns({ clock: new ManualClock() }),
    dropped: () => {
      dropped += 1;
    },
    answered: () => {
      answered += 1;
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
    get answered() {
      return answered;
    },
    mayParse: (isLast = false) => mayParse(socket, isLast),
    request(number: number, { isWhole = true } = {}): IncomingMessage {
      const request = new IncomingMessage(socket);
      request.complete = isWhole;
      enqueue(new ServerResponse(request), 'lane', () => {
        served.push(number);
        return new Promise((resolve) => answers.set(number, resolve));
      });
      return request;
    },
    async answer(number: number) {
      answers.get(number)?.();
      // The next request waits for the next turn of the event loop, which `turns` begins by itself.
      for (let turn = 0; turn < 4; turn += 1) await nextTurn();
    },
  };
}

test('a request is served when the one before it has been answered', async () => {
  const line = openLine();
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

test('requests that wait for a client that has gone away are never served', async () => {
  const line = openLine();
  for (const number of [1, 2, 3]) line.request(number);
  line.socket.destroy();
  await line.answer(1);
  assert.deepEqual([line.served, line.dropped], [[1], 2]);
});

test('nothing more is parsed while a request that has come whole is unanswered', async () => {
  const line = openLine();
  assert.equal(line.mayParse(), true);
  line.request(1);
  assert.equal(line.mayParse(), false);
  line.request(2);
  await line.answer(1);
  assert.deepEqual([line.mayParse(), line.answered], [false, 0]);
  await line.answer(2);
  assert.deepEqual([line.mayParse(), line.answered], [true, 1]);
});

test('the body of a request is parsed, and after the last request that is served nothing else is', async () => {
  const line = openLine();
  const request = line.request(1, { isWhole: false });
  assert.deepEqual([line.mayParse(), line.mayParse(true)], [true, true]);
  request.complete = true;
  assert.deepEqual([line.mayParse(), line.mayParse(true)], [false, false]);
  await line.answer(1);
  assert.deepEqual([line.mayParse(), line.mayParse(true)], [true, false]);
});
