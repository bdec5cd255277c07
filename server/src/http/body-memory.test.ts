import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBodyMemory } from './body-memory.ts';

test('bodies share the memory beyond their own, and give it back', () => {
  const hold = createBodyMemory({ ownBytes: 10, sharedBytes: 20 });
  const [first, second, third] = [hold(), hold(), hold()];
  assert.deepEqual(
    [10, 15, 22].map((size) => first.grow(size, size)),
    [true, true, true],
    '12 of the shared bytes',
  );
  assert.deepEqual(
    [18, 19, 18].map((size) => second.grow(size, size)),
    [true, false, true],
    'the other 8, and no more',
  );
  assert.deepEqual(
    [10, 11].map((size) => third.grow(size, size)),
    [true, false],
    'its own bytes are never shared',
  );
  first.release();
  first.release();
  assert.deepEqual(
    [22, 23].map((size) => third.grow(size, size)),
    [true, false],
    'a second release gives nothing back',
  );
});

test('a body that is longer than its own memory counts with all that it takes', () => {
  const hold = createBodyMemory({ ownBytes: 10, sharedBytes: 20 });
  const [first, second] = [hold(), hold()];
  assert.equal(first.grow(10, 30), true, 'nothing of the shared bytes');
  assert.equal(second.grow(11, 30), true, 'all of them');
  assert.equal(first.grow(11, 12), false);
});

test('bodies that are not proven leave half of the memory to those that are, and give back what they held', () => {
  const hold = createBodyMemory({ ownBytes: 0, sharedBytes: 20_000_000 });
  const [stranger, another, known] = [hold(), hold(), hold()];
  assert.equal(stranger.grow(9_000_000, 9_000_000), true);
  assert.equal(another.grow(1_000_001, 1_000_001), false);
  assert.equal(known.grow(9_000_000, 9_000_000, 'known'), true);
  assert.equal(another.grow(1_000_000, 1_000_000), true);
  assert.equal(known.grow(10_000_001, 10_000_001, 'known'), false, 'all of it is used');
  stranger.release();
  known.release();
  assert.equal(hold().grow(9_000_000, 9_000_000), true);
});

test('a signer with many bodies leaves as much as they have to others, and always has room for one', () => {
  const hold = createBodyMemory({ ownBytes: 0, sharedBytes: 20_000_000 });
  const grows = (bytes: number, signer: string) => {
    const memory = hold();
    const hasRoom = memory.grow(bytes, bytes, signer);
    if (!hasRoom) memory.release();
    return { memory, hasRoom };
  };
  const many = Array.from({ length: 20 }, () => grows(1_000_000, 'many'));
  assert.equal(many.filter(({ hasRoom }) => hasRoom).length, 10);
  const other = grows(9_000_000, 'other');
  assert.ok(other.hasRoom, 'a single body may take all that is free');
  assert.equal(grows(600_000, 'other').hasRoom, false);
  other.memory.release();
  assert.equal(grows(1_000_000, 'many').hasRoom, false);
  for (const { memory } of many) memory.release();
  const [one, another] = [grows(20_000_000, 'many'), grows(1, 'many')];
  assert.deepEqual([one.hasRoom, another.hasRoom], [true, false]);
  one.memory.release();
  assert.ok(grows(20_000_000, 'other').hasRoom, 'all of it has come back');
});
