import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createGameTurns } from './game-turns.ts';

/** Work that ends when it is told to. */
function createWork() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) => () =>
    new Promise<string>((resolve) => {
      begun.push(name);
      ends.push(() => resolve(name));
    });
  const endFirst = async () => {
    ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begun, work, endFirst };
}

test('a game’s writes are made one after the other, also after one that fails, and no other game waits for them', async () => {
  const { begun, work, endFirst } = createWork();
  const inTurn = createGameTurns({ clock: new ManualClock(), what: 'blocks' });
  const first = inTurn('one', work('first'));
  const failing = assert.rejects(
    inTurn('one', () => Promise.reject(new Error('failed'))),
    /failed/,
  );
  const last = inTurn('one', work('last'));
  const other = inTurn('two', work('other'));
  assert.deepEqual(begun, ['first', 'other']);
  await endFirst();
  assert.deepEqual(begun, ['first', 'other', 'last']);
  await endFirst();
  await endFirst();
  assert.deepEqual(await Promise.all([first, other, last]), ['first', 'other', 'last']);
  await failing;
});

test('a write that has waited for too long is refused, and so are all that have waited as long', async () => {
  const clock = new ManualClock();
  const { begun, work, endFirst } = createWork();
  const inTurn = createGameTurns({ clock, what: 'blocks', maxWaitMs: 5_000 });
  const first = inTurn('one', work('first'));
  const late = ['second', 'third'].map((name) => assert.rejects(inTurn('one', work(name)), { code: 'throttled' }));
  clock.advance(2_000);
  const last = inTurn('one', work('last'));
  clock.advance(4_000);
  await endFirst();
  assert.deepEqual(begun, ['first', 'last']);
  await endFirst();
  await Promise.all([...late, first, last]);
});
