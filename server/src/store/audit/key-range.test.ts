import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rangeOf } from './key-range.ts';

const [since, until] = [10, 20];
const after = { at: 12, requestId: 'a' };
const last = { at: 15, requestId: 'b' };

test('a range has the records since a time and before another, whatever their ids', () => {
  const range = rangeOf({ order: 'oldest_first', since, until });
  assert.equal(range.where('?'), '(at, request_id) >= (?1, ?2) AND (at, request_id) < (?3, ?4)');
  assert.deepEqual(range.values, [10, '', 20, '']);
});

test('oldest first, a page begins behind a place and ends at one', () => {
  const range = rangeOf({ order: 'oldest_first', since, until, after });
  assert.equal(range.where('$'), '(at, request_id) > ($1, $2) AND (at, request_id) < ($3, $4)');
  assert.deepEqual(range.values, [12, 'a', 20, '']);
  assert.equal(range.upTo(last).where('$'), '(at, request_id) > ($1, $2) AND (at, request_id) <= ($3, $4)');
  assert.deepEqual(range.upTo(last).values, [12, 'a', 15, 'b']);
});

test('newest first, a page begins before a place and goes back to one', () => {
  const range = rangeOf({ order: 'newest_first', since, until, after });
  assert.equal(range.where('$'), '(at, request_id) >= ($1, $2) AND (at, request_id) < ($3, $4)');
  assert.deepEqual(range.values, [10, '', 12, 'a']);
  assert.equal(range.orderBy, 'ORDER BY at DESC, request_id DESC');
  assert.deepEqual(range.upTo(last).values, [15, 'b', 12, 'a']);
});
