import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSettledTime } from './settled-time.ts';

const NOW = 1_700_000_000_000;
const DAY_MS = 86_400_000;

function open() {
  const time = { wall: NOW, monotonic: 0 };
  const settled = createSettledTime({ now: () => time.wall, monotonic: () => time.monotonic }, 1_000);
  return {
    settled,
    pass: (ms: number) => {
      time.wall += ms;
      time.monotonic += ms;
    },
    step: (ms: number) => {
      time.wall += ms;
    },
  };
}

test('there is no time that has passed for certain until the clock has been watched for long enough', () => {
  const { settled, pass } = open();
  assert.equal(settled(), Number.NEGATIVE_INFINITY);
  pass(999);
  assert.equal(settled(), Number.NEGATIVE_INFINITY);
  pass(1);
  assert.equal(settled(), NOW);
});

test('it follows the clock, never before the clock has said so for long enough, and never far behind', () => {
  const { settled, pass } = open();
  for (let elapsed = 0; elapsed <= 20_000; elapsed += 100) {
    const lag = NOW + elapsed - settled();
    if (elapsed >= 1_000) assert.ok(lag >= 1_000 - 100 && lag <= 2_000, `${lag} ms at ${elapsed}`);
    pass(100);
  }
});

test('a step forward counts only when it has lasted, and one that is taken back never did', () => {
  for (const stepAt of [0, 400, 900, 1_000, 1_100, 2_500]) {
    const { settled, pass, step } = open();
    pass(stepAt);
    settled();
    step(100 * DAY_MS);
    for (let held = 0; held < 900; held += 100) {
      assert.ok(settled() <= NOW + stepAt, `${held} ms after a step at ${stepAt}`);
      pass(100);
    }
    step(-100 * DAY_MS);
    for (let since = 0; since < 3_000; since += 100) {
      assert.ok(settled() <= NOW + stepAt + 900 + since);
      pass(100);
    }
  }
});

test('a step forward that lasts counts in the end', () => {
  const { settled, pass, step } = open();
  step(DAY_MS);
  for (let held = 0; held <= 2_000; held += 100) {
    settled();
    pass(100);
  }
  assert.ok(settled() >= NOW + DAY_MS);
});
