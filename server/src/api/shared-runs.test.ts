import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rest } from '../../test/support/gateway.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { sharedRuns } from './shared-runs.ts';

/** Work that ends when it is told to, and answers with how often it has begun. */
function open() {
  const clock = new ManualClock();
  const ends: ((fails?: boolean) => void)[] = [];
  const work = () =>
    new Promise<number>((resolve, reject) => {
      const number = ends.length + 1;
      ends.push((fails = false) => (fails ? reject(new Error(`run ${number}`)) : resolve(number)));
    });
  return { clock, ends, ask: sharedRuns({ work, pauseMs: 50, clock }) };
}

test('one who asks alone is answered at once, again and again', async () => {
  const { ends, ask } = open();
  for (const number of [1, 2, 3]) {
    const asked = ask();
    ends[number - 1]?.();
    assert.equal(await asked, number);
  }
});

test('whoever asks while work is under way shares the next run, after a pause, with all others who do', async () => {
  const { clock, ends, ask } = open();
  const first = ask();
  const others = [ask(), ask(), ask()];
  ends[0]?.();
  assert.equal(await first, 1);
  await rest();
  others.push(ask());
  assert.equal(ends.length, 1, 'the pause is not over');
  clock.advance(50);
  await rest();
  assert.equal(ends.length, 2);
  const late = ask();
  ends[1]?.();
  assert.deepEqual(await Promise.all(others), [2, 2, 2, 2]);
  await rest();
  clock.advance(50);
  await rest();
  ends[2]?.();
  assert.equal(await late, 3);
});

test('work that fails does so for those who share it, and not for those who come later', async () => {
  const { clock, ends, ask } = open();
  const [first, second] = [ask(), ask()];
  ends[0]?.(true);
  await assert.rejects(first, /run 1/);
  await rest();
  clock.advance(50);
  await rest();
  ends[1]?.(true);
  await assert.rejects(second, /run 2/);
  const third = ask();
  ends[2]?.();
  assert.equal(await third, 3);
});
