import assert from 'node:assert/strict';
import { test } from 'node:test';
import { continuedTail, type LogTail } from './log-tail.ts';

const linesOf = (...positions: number[]) => positions.map((Position) => ({ Position }));
const NOTHING: LogTail<{ Position: number }> = { lines: [], missed: 0 };

test('what has come since the last look is shown above what was there, and what no look has brought is counted', () => {
  const first = continuedTail(NOTHING, linesOf(3, 2));
  assert.deepEqual(first, { lines: linesOf(3, 2), missed: 0 });
  assert.deepEqual(continuedTail(first, linesOf(4, 3)), { lines: linesOf(4, 3, 2), missed: 0 });
  assert.deepEqual(continuedTail(first, linesOf(9, 8)), { lines: linesOf(9, 8, 3, 2), missed: 4 });
  assert.deepEqual(continuedTail(first, []), first);
});

test('a log that has begun anew is shown as it is now', () => {
  const before = { lines: linesOf(9, 8), missed: 5 };
  assert.deepEqual(continuedTail(before, linesOf(2, 1)), { lines: linesOf(2, 1), missed: 0 });
});
