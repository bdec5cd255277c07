import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counts } from './counts.ts';

test('a name is counted up and down, and forgotten at zero', () => {
  const counts = new Counts();
  counts.add('a');
  counts.add('b', 3);
  counts.add('a');
  counts.add('b', -1);
  assert.deepEqual([counts.of('a'), counts.of('b'), counts.of('c'), counts.size], [2, 2, 0, 2]);
  counts.add('a', -2);
  assert.deepEqual([counts.of('a'), [...counts]], [0, [['b', 2]]]);
});
