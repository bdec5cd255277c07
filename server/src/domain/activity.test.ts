import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { createActivity } from './activity.ts';

test('a caller who asks without end takes neither the turns of others nor all places to wait', async () => {
  const clock = new ManualClock();
  const cluster = {
    joinedNodes: () => [{ node: 'n1', facts: {} }],
    request: () => new Promise((resolve) => void clock.after(10, () => resolve({ steps: [] }))),
  } as unknown as Pick<Cluster, 'joinedNodes' | 'request'>;
  const settings = { disconnectDeadlineMs: 5_000 };
  const activity = createActivity({ cluster, clock, log: recordedLog().log, settings });
  const answered: string[] = [];
  const ask = (caller: string) =>
    activity.list(0, caller).then(
      () => answered.push(caller),
      ({ code }: { code: string }) => code,
    );
  const flood = Array.from({ length: 40 }, () => ask('flood'));
  const other = ask('other');
  for (let step = 0; step < 1_000 && answered.length < 33; step += 1) {
    await setImmediate();
    clock.advance(10);
  }
  assert.notEqual(await other, 'throttled');
  assert.ok(answered.indexOf('other') <= 2, String(answered.indexOf('other')));
  assert.equal((await Promise.all(flood)).filter((code) => code === 'throttled').length, 8);
});
