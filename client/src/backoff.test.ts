import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';
import { seededRandom } from './test/fakes.ts';

const OPTIONS = { baseMs: 500, capMs: 30_000, maxRetries: Number.POSITIVE_INFINITY };

test('the bound doubles from the base to the cap', () => {
  const backoff = new Backoff(OPTIONS, () => 1);
  const waits = Array.from({ length: 8 }, () => backoff.next());
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test('the bound stays at the cap however many attempts fail', () => {
  const backoff = new Backoff(OPTIONS, () => 1);
  for (let attempt = 0; attempt < 5_000; attempt += 1) backoff.next();
  assert.equal(backoff.next(), 30_000);
});

test('waits are uniform from 0 to the bound', () => {
  const random = seededRandom(7);
  const waits = Array.from({ length: 10_000 }, () => new Backoff(OPTIONS, random).next() ?? Number.NaN);
  for (let tenth = 0; tenth < 10; tenth += 1) {
    const share = waits.filter((wait) => wait >= tenth * 50 && wait < (tenth + 1) * 50).length;
    assert.ok(share > 850 && share < 1_150, `${share} of 10,000 waits in tenth ${tenth}`);
  }
});

test('a hint from the server is a lower bound, to which jitter is added', () => {
  const backoff = new Backoff(OPTIONS, seededRandom(1));
  const waits = Array.from({ length: 20 }, () => backoff.next(60_000) ?? 0);
  assert.ok(waits.every((wait) => wait >= 60_000 && wait <= 90_000));
  assert.equal(new Set(waits).size, waits.length);
});

test('retries run out, and a reset restores them', () => {
  const backoff = new Backoff({ ...OPTIONS, maxRetries: 2 }, () => 0);
  assert.deepEqual([backoff.next(), backoff.next(), backoff.next()], [0, 0, undefined]);
  backoff.reset();
  assert.equal(backoff.next(), 0);
});

test('with no retries there is no second attempt', () => {
  assert.equal(new Backoff({ ...OPTIONS, maxRetries: 0 }, () => 0).next(), undefined);
});
