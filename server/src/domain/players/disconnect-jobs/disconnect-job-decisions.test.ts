import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DisconnectJobRecord } from '../../../store/disconnect-jobs.ts';
import { CONFIRM_WITHIN_MS, cancelled, confirmed, paused, resumed } from './disconnect-job-decisions.ts';

const NOW = 5;

const job = (facts: Partial<DisconnectJobRecord>) =>
  ({ id: 'job', wish: 'RUN', inFlight: [], ...facts }) as unknown as DisconnectJobRecord;

test('a job that has connections on their way to their ends is stopped by a node, which finds out what becomes of them', () => {
  const inFlight = [{}] as unknown as DisconnectJobRecord['inFlight'];
  assert.deepEqual(paused(job({ state: 'PENDING', inFlight }), NOW), { wish: 'PAUSE', updatedAt: NOW });
  assert.deepEqual(cancelled(job({ state: 'PENDING', inFlight }), NOW), { wish: 'CANCEL', updatedAt: NOW });
  const byNode = { state: 'PENDING', wish: 'CANCEL', updatedAt: NOW };
  assert.deepEqual(cancelled(job({ state: 'PAUSED', wish: 'PAUSE', inFlight }), NOW), byNode);
});

test('a job of which nothing is on its way is stopped at once, unless a node works on it', () => {
  const stopped = { state: 'CANCELLED', wish: 'CANCEL', updatedAt: NOW };
  for (const state of ['PENDING', 'PAUSED', 'AWAITING_CONFIRMATION'] as const)
    assert.deepEqual(cancelled(job({ state }), NOW), stopped);
  assert.deepEqual(cancelled(job({ state: 'IN_PROGRESS' }), NOW), { wish: 'CANCEL', updatedAt: NOW });
  assert.deepEqual(paused(job({ state: 'PENDING' }), NOW), { state: 'PAUSED', wish: 'PAUSE', updatedAt: NOW });
  assert.deepEqual(paused(job({ state: 'IN_PROGRESS' }), NOW), { wish: 'PAUSE', updatedAt: NOW });
});

test('a job is confirmed by another key, of another person, within an hour', () => {
  const waiting = job({ state: 'AWAITING_CONFIRMATION', actor: 'key', updatedAt: NOW });
  const by = (actor: string, subject?: string) => ({ startedBy: 'anna', actor, subject });
  const other = { state: 'PENDING', wish: 'RUN', confirmedBy: 'other', updatedAt: NOW };
  assert.deepEqual(confirmed(waiting, by('other'), NOW), other);
  assert.deepEqual(confirmed(waiting, by('other', 'bert'), NOW), other);
  const onTime = NOW + CONFIRM_WITHIN_MS;
  assert.deepEqual(confirmed(waiting, by('other', 'bert'), onTime), { ...other, updatedAt: onTime });
  assert.throws(() => confirmed(waiting, by('key'), NOW), { code: 'access_denied' });
  assert.throws(() => confirmed(waiting, by('other', 'anna'), NOW), { code: 'access_denied' });
  assert.throws(() => confirmed(waiting, by('other', 'bert'), onTime + 1), { code: 'conflict' });
  assert.throws(() => confirmed(job({ state: 'PENDING' }), by('other'), NOW), { code: 'conflict' });
});

test('a job that is being cancelled, or has ended, neither pauses nor goes on', () => {
  for (const decide of [paused, resumed]) {
    assert.throws(() => decide(job({ state: 'IN_PROGRESS', wish: 'CANCEL' }), NOW), { code: 'conflict' });
    assert.throws(() => decide(job({ state: 'COMPLETED' }), NOW), { code: 'conflict' });
  }
  assert.deepEqual(resumed(job({ state: 'PAUSED', wish: 'PAUSE' }), NOW), {
    state: 'PENDING',
    wish: 'RUN',
    updatedAt: NOW,
  });
});
