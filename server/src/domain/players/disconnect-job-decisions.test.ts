import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DisconnectJobRecord } from '../../store/disconnect-jobs.ts';
import { cancelled, paused } from './disconnect-job-decisions.ts';

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
