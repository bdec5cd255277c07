import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeliveryAttempt } from '../../delivery-attempt.ts';
import { attemptOf, createRecentAttempts, MAX_ATTEMPTS_PER_WEBHOOK, mergeAttempts } from './recent-attempts.ts';

const attempt = (position: number, at = position): DeliveryAttempt => ({
  ...{ eventId: `e${position}`, eventType: 'connection.opened', position, at, tookMs: 1, number: 1 },
  outcome: 'delivered',
});

const positions = (attempts: readonly DeliveryAttempt[]) => attempts.map(({ position }) => position);

test('a webhook’s latest attempts are kept, the newest first, and older ones are dropped', () => {
  const attempts = createRecentAttempts();
  assert.deepEqual(attempts.of('w1'), []);
  for (let position = 1; position <= MAX_ATTEMPTS_PER_WEBHOOK + 2; position += 1)
    attempts.note('w1', attempt(position));
  const kept = positions(attempts.of('w1'));
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [MAX_ATTEMPTS_PER_WEBHOOK, MAX_ATTEMPTS_PER_WEBHOOK + 2, 3]);
});

test('attempts are in the order in which they began, whenever they ended', () => {
  const attempts = createRecentAttempts();
  for (const each of [attempt(2, 20), attempt(1, 10), attempt(3, 20)]) attempts.note('w1', each);
  assert.deepEqual(positions(attempts.of('w1')), [3, 2, 1]);
  const merged = mergeAttempts([[attempt(4, 40), attempt(1, 10)], [], [attempt(3, 30)]]);
  assert.deepEqual(positions(merged), [4, 3, 1]);
});

test('of too many webhooks the one is forgotten that has not tried for the longest time', () => {
  const attempts = createRecentAttempts();
  for (let index = 0; index < 1_000; index += 1) attempts.note(`w${index}`, attempt(1));
  attempts.note('w0', attempt(2));
  attempts.note('another', attempt(1));
  assert.deepEqual(positions(attempts.of('w0')), [2, 1]);
  assert.deepEqual(attempts.of('w1'), []);
  assert.equal(attempts.of('w2').length, 1);
});

test('why an event was not accepted is kept as one short line that is safe to show', () => {
  const facts = { event: { id: 'e1', type: 'connection.opened' }, position: 1, number: 1, at: 0, tookMs: 1.6 };
  const failed = { isAccepted: false, status: undefined, retryAfterMs: undefined, message: `a\n${'b'.repeat(9_999)}` };
  const { error, tookMs } = attemptOf(facts, failed, { outcome: 'given_up' });
  assert.match(error ?? '', /^a\\u\{a\}b+…$/);
  assert.ok((error ?? '').length <= 256);
  assert.equal(tookMs, 2);
  assert.equal(attemptOf(facts, { ...failed, isAccepted: true }, { outcome: 'delivered' }).error, undefined);
});
