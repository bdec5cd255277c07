import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndedByJobs } from './ended-by-jobs.ts';

test('a stage whose jobs come one after the other has none forgotten of another stage', () => {
  const ended = new EndedByJobs();
  ended.of({ requestId: 'slow', stageId: 'stage' }, ['c1']).add('c1');
  for (let job = 0; job < 5_000; job += 1) {
    ended.of({ requestId: `quick ${job}`, stageId: `hostile ${job % 20}` }, [`h${job}`]).add(`h${job}`);
  }
  assert.equal(ended.has('slow', 'c1'), true);
  assert.equal(ended.has('quick 0', 'h0'), false, 'no more are kept than may be');
  assert.equal(ended.has('quick 4999', 'h4999'), true);
  // The job asks again, after an answer that was lost.
  assert.deepEqual([...ended.of({ requestId: 'slow', stageId: 'stage' }, ['c1', 'c2'])], ['c1']);
});
