import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../test/support/manual-clock.ts';
import { createTokenBuckets } from './token-bucket.ts';

function setUp({ ratePerSecond = 2, burst = 3, maxKeys = 100 } = {}) {
  const clock = new ManualClock();
  return { clock, buckets: createTokenBuckets({ ratePerSecond, burst, maxKeys, clock }) };
}

test('a key gets its burst at once, and then what flows in', () => {
  const { clock, buckets } = setUp();
  assert.deepEqual(
    [1, 2, 3, 4].map(() => buckets.take('a')),
    [0, 0, 0, 500],
  );
  clock.advance(499);
  assert.equal(buckets.take('a'), 1);
  clock.advance(1);
  assert.equal(buckets.take('a'), 0);
  assert.equal(buckets.take('a'), 500);
});

test('a refused take leaves the bucket as it was', () => {
  const { buckets } = setUp();
  assert.equal(buckets.take('a', 2), 0);
  assert.equal(buckets.take('a', 3), 1000);
  assert.equal(buckets.take('a', 1), 0);
});

test('more than the burst is never granted', () => {
  assert.equal(setUp().buckets.take('a', 4), Number.POSITIVE_INFINITY);
});

test('what is spent beyond the bucket has to flow in first', () => {
  const { clock, buckets } = setUp();
  buckets.spend('a', 5);
  assert.equal(buckets.peek('a'), 1_500);
  assert.equal(buckets.take('a'), 1_500);
  buckets.spend('a', 1);
  assert.equal(buckets.take('a'), 2_000);
  assert.equal(buckets.take('b'), 0);
  clock.advance(2_000);
  assert.equal(buckets.take('a'), 0);
});

test('peek answers like take and takes nothing', () => {
  const { buckets } = setUp();
  assert.equal(buckets.peek('a', 3), 0);
  assert.equal(buckets.size, 0);
  buckets.take('a', 3);
  assert.equal(buckets.peek('a'), 500);
  assert.equal(buckets.peek('a'), 500);
});

test('keys do not share tokens', () => {
  const { buckets } = setUp();
  buckets.take('a', 3);
  assert.equal(buckets.take('b', 3), 0);
});

test('a bucket never holds more than its burst', () => {
  const { clock, buckets } = setUp();
  buckets.take('a');
  clock.advance(3_600_000);
  assert.equal(buckets.take('a', 3), 0);
  assert.equal(buckets.take('a'), 500);
});

test('full buckets are forgotten', () => {
  const { clock, buckets } = setUp();
  for (const key of ['a', 'b', 'c']) buckets.take(key);
  assert.equal(buckets.size, 3);
  clock.advance(1_500);
  assert.equal(buckets.size, 0);
});

test('beyond maxKeys the key used longest ago starts again', () => {
  const { buckets } = setUp({ maxKeys: 2 });
  buckets.take('a', 3);
  buckets.take('b', 3);
  buckets.take('a');
  buckets.take('c');
  assert.equal(buckets.size, 2);
  assert.equal(buckets.peek('a'), 500);
  assert.equal(buckets.peek('b'), 0);
});
