import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SentAhead } from './sent-ahead.ts';

test('each message is taken once, by whoever comes to it first', () => {
  const pool = new SentAhead();
  const thread = new SentAhead(pool.memory);
  for (let count = 0; count < 10; count += 1) {
    const [one, other] = [pool.next(), pool.next()];
    assert.deepEqual([thread.take(one), pool.take(one)], [true, false]);
    assert.deepEqual([pool.take(other), thread.take(other)], [true, false]);
  }
});

test('a message that its thread has yet to come to is left to it, however many behind it are taken back', () => {
  for (let count = 0; count < 5; count += 1) {
    const pool = new SentAhead();
    const thread = new SentAhead(pool.memory);
    const first = pool.next();
    const takenBack = Array.from({ length: count }, () => {
      const number = pool.next();
      assert.equal(pool.take(number), true);
      return number;
    });
    const last = pool.next();
    assert.equal(thread.take(first), true, `${count} were taken back`);
    for (const number of takenBack) assert.equal(thread.take(number), false);
    assert.equal(thread.take(last), true);
  }
});

test('a message that is forbidden is not taken, and its thread learns that it was not taken back', () => {
  const pool = new SentAhead();
  const thread = new SentAhead(pool.memory);
  for (let count = 0; count < 5; count += 1) {
    const [one, other] = [pool.next(), pool.next()];
    pool.forbid(one);
    assert.deepEqual([thread.isTaken(one), thread.take(one), pool.take(one)], [false, false, false]);
    assert.deepEqual([thread.takeForbidden(one), thread.takeForbidden(one), thread.isTaken(one)], [true, false, true]);
    assert.equal(thread.take(other), true);
    pool.forbid(other);
    assert.deepEqual([thread.isTaken(other), thread.takeForbidden(other)], [true, false]);
  }
});
