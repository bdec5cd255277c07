import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createSystemRandom } from '../random.ts';
import { createOneTimeCodes } from './one-time-codes.ts';

function open() {
  const clock = new ManualClock();
  return { clock, ...createOneTimeCodes({ clock, random: createSystemRandom() }) };
}

test('a code is good once', () => {
  const { issue, take } = open();
  const code = issue();
  assert.match(code, /^[\w-]{32}$/);
  assert.deepEqual([take('another'), take(code), take(code)], [false, true, false]);
});

test('a code is good for a minute', () => {
  const { issue, take, clock } = open();
  const [code, late] = [issue(), issue()];
  clock.advance(59_999);
  assert.equal(take(code), true);
  clock.advance(1);
  assert.equal(take(late), false);
});

test('whoever makes codes up does not use up those that there are', () => {
  const { issue, take } = open();
  const code = issue();
  for (let n = 0; n < 100; n += 1) assert.equal(take(`${n}`), false);
  assert.deepEqual([take(code), take(code)], [true, false]);
});

test('only so many codes are there at a time', () => {
  const { issue, take } = open();
  const codes = Array.from({ length: 12 }, issue);
  assert.deepEqual(
    codes.map(take),
    codes.map((_, index) => index >= 2),
  );
});
