import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createLog } from '../log.ts';
import { Closers } from './closers.ts';

function start() {
  const clock = new ManualClock();
  const closers = new Closers();
  const events: string[] = [];
  const destination = {
    write(line: string) {
      events.push(`${JSON.parse(line).resource} not released`);
    },
  };
  const log = createLog({ level: 'error', destination });
  return { clock, closers, events, close: () => closers.close({ clock, log }) };
}

test('everything is released, the last acquired first, even when a release fails', async () => {
  const { closers, events, close } = start();
  closers.push('a', () => void events.push('a'));
  closers.push('b', async () => {
    throw new Error('boom');
  });
  closers.push('c', () => {
    throw new Error('boom');
  });
  closers.push('d', async () => void events.push('d'));
  await close();
  await close();
  assert.deepEqual(events, ['d', 'c not released', 'b not released', 'a']);
});

test('releases that hang take no more than five seconds together, and do not stop the others', async () => {
  const { clock, closers, events, close } = start();
  const hangs = () => new Promise(() => {});
  closers.push('a', async () => void events.push('a'));
  closers.push('b', hangs);
  closers.push('c', hangs);
  closers.push('d', () => new Promise<void>((resolve) => void clock.after(4_000, resolve)));
  let isClosed = false;
  const closed = close().then(() => {
    isClosed = true;
  });
  for (let passedMs = 0; passedMs <= 5_000; passedMs += 1_000) {
    assert.equal(isClosed, false);
    clock.advance(passedMs === 0 ? 0 : 1_000);
    await new Promise(setImmediate);
  }
  clock.advance(0);
  await closed;
  assert.deepEqual(events, ['c not released', 'b not released', 'a']);
});
