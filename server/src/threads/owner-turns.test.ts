import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOwnerTurns } from './owner-turns.ts';

/** Work that ends when the test says so. */
function work() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const begin = (name: string) => () => {
    begun.push(name);
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
  };
  return { begun, begin, end: (name: string) => ends.get(name)?.() };
}

const THROTTLED = { name: 'ServiceError', code: 'throttled', retryAfterMs: 1_000 };

test('an owner has one piece of work at a time, in the order in which they came, and others go on', async () => {
  const turns = createOwnerTurns({ maxOfOwner: 3, maxInAll: 10 });
  const { begun, begin, end } = work();
  const first = turns.take('a', begin('a1'));
  const second = turns.take('a', begin('a2'));
  const other = turns.take('b', begin('b1'));
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['a1', 'b1']);
  end('a1');
  assert.equal(await first, 'a1');
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['a1', 'b1', 'a2']);
  end('a2');
  end('b1');
  assert.deepEqual(await Promise.all([second, other]), ['a2', 'b1']);
});

test('what finds no place to wait is refused and never begins', async () => {
  const turns = createOwnerTurns({ maxOfOwner: 2, maxInAll: 3 });
  const { begun, begin, end } = work();
  const first = turns.take('a', begin('a1'));
  const second = turns.take('a', begin('a2'));
  await assert.rejects(turns.take('a', begin('a3')), THROTTLED);
  const other = turns.take('b', begin('b1'));
  await assert.rejects(turns.take('c', begin('c1')), THROTTLED);
  end('a1');
  await first;
  const third = turns.take('a', begin('a4'));
  await new Promise(setImmediate);
  end('a2');
  end('b1');
  await Promise.all([second, other]);
  await new Promise(setImmediate);
  end('a4');
  assert.equal(await third, 'a4');
  assert.deepEqual(begun, ['a1', 'b1', 'a2', 'a4']);
});

test('an owner without work takes the place of the newest of the owner who waits for most', async () => {
  const turns = createOwnerTurns({ maxOfOwner: 4, maxInAll: 4 });
  const { begun, begin, end } = work();
  const kept = [turns.take('a', begin('a1')), turns.take('a', begin('a2')), turns.take('a', begin('a3'))];
  const displaced = turns.take('a', begin('a4'));
  const newcomer = turns.take('b', begin('b1'));
  await assert.rejects(displaced, THROTTLED);
  await assert.rejects(turns.take('b', begin('b2')), THROTTLED);
  for (const name of ['b1', 'a1', 'a2', 'a3']) {
    await new Promise(setImmediate);
    end(name);
  }
  assert.deepEqual(await Promise.all([...kept, newcomer]), ['a1', 'a2', 'a3', 'b1']);
  assert.deepEqual(begun, ['a1', 'b1', 'a2', 'a3']);
});

test('work that fails gives the turn to the next', async () => {
  const turns = createOwnerTurns({ maxOfOwner: 2, maxInAll: 2 });
  const failing = turns.take('a', () => Promise.reject(new Error('failed')));
  const next = turns.take('a', async () => 'done');
  await assert.rejects(failing, /failed/);
  assert.equal(await next, 'done');
});
