import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBodyMemory } from './body-memory.ts';

test('bodies share the memory beyond their own, and give it back', () => {
  const hold = createBodyMemory({ ownBytes: 10, sharedBytes: 20 });
  const [first, second, third] = [hold(), hold(), hold()];
  assert.deepEqual([10, 15, 22].map(first.grow), [true, true, true], '12 of the shared bytes');
  assert.deepEqual([18, 19, 18].map(second.grow), [true, false, true], 'the other 8, and no more');
  assert.deepEqual([10, 11].map(third.grow), [true, false], 'its own bytes are never shared');
  first.release();
  first.release();
  assert.deepEqual([22, 23].map(third.grow), [true, false], 'a second release gives nothing back');
});
