import assert from 'node:assert/strict';
import { test } from 'node:test';
import { putNewest } from './newest-entries.ts';

test('an entry that is put again is the newest, and the oldest ones go', () => {
  const map = new Map([
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ]);
  putNewest(map, 'a', 4, 3);
  assert.deepEqual([...map.keys()], ['b', 'c', 'a']);
  putNewest(map, 'd', 5, 2);
  assert.deepEqual(
    [...map],
    [
      ['a', 4],
      ['d', 5],
    ],
  );
});
