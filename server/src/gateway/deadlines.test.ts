import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { Deadlines } from './deadlines.ts';

function start({ onExpire }: { onExpire?: (item: string, deadlines: Deadlines<string>) => void } = {}) {
  const clock = new ManualClock();
  const expired: string[] = [];
  const deadlines: Deadlines<string> = new Deadlines({
    clock,
    delayMs: 100,
    expire(item) {
      expired.push(`${item} ${clock.monotonic()}`);
      onExpire?.(item, deadlines);
    },
  });
  return { clock, deadlines, expired };
}

test('each item expires at its own time, on one timer', () => {
  const { clock, deadlines, expired } = start();
  deadlines.add('a');
  clock.advance(30);
  deadlines.add('b');
  deadlines.add('c');
  assert.equal(clock.pending, 1);
  clock.advance(69);
  assert.deepEqual(expired, []);
  clock.advance(200);
  assert.deepEqual(expired, ['a 100', 'b 130', 'c 130']);
  assert.equal(deadlines.size, 0);
  assert.equal(clock.pending, 0);
});

test('an item that is added again starts over, and a deleted item never expires', () => {
  const { clock, deadlines, expired } = start();
  for (const item of ['a', 'b', 'c']) deadlines.add(item);
  clock.advance(50);
  deadlines.add('a');
  deadlines.delete('b');
  clock.advance(500);
  assert.deepEqual(expired, ['c 100', 'a 150']);
});

test('an item that is added again while it expires does not delay the others', () => {
  const { clock, deadlines, expired } = start({ onExpire: (item, all) => item === 'a' && all.add(item) });
  deadlines.add('a');
  clock.advance(30);
  deadlines.add('b');
  clock.advance(170);
  assert.deepEqual(expired, ['a 100', 'b 130', 'a 200']);
  assert.equal(clock.pending, 1);
});

test('whatever happens while an item expires, at most one timer is left', () => {
  const { clock, deadlines } = start({
    onExpire(_, all) {
      all.close();
      all.add('again');
    },
  });
  deadlines.add('a');
  deadlines.add('b');
  clock.advance(100);
  assert.deepEqual([deadlines.size, clock.pending], [1, 1]);
  deadlines.delete('again');
  assert.deepEqual([deadlines.size, clock.pending], [0, 0]);
});

test('an item that expires late is told how late', () => {
  const clock = new ManualClock();
  const late: number[] = [];
  const deadlines = new Deadlines<string>({ clock, delayMs: 100, expire: (_, lateMs) => void late.push(lateMs) });
  deadlines.add('a');
  clock.advance(100);
  deadlines.add('b');
  clock.advance(60);
  deadlines.add('c');
  clock.holdUp(70);
  clock.advance(30);
  assert.deepEqual(late, [0, 30, 0]);
});

test('an item that fails to expire does not keep others from expiring, in the same turn or later', () => {
  const { clock, deadlines, expired } = start({
    onExpire(item) {
      if (item === 'a') throw new Error('boom');
    },
  });
  deadlines.add('a');
  deadlines.add('b');
  clock.advance(30);
  deadlines.add('c');
  assert.throws(
    () => clock.advance(70),
    ({ errors }: AggregateError) => errors.length === 1 && errors[0].message === 'boom',
  );
  clock.advance(100);
  assert.deepEqual(expired, ['a 100', 'b 100', 'c 130']);
  assert.deepEqual([deadlines.size, clock.pending], [0, 0]);
});
