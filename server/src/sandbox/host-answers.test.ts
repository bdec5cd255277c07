import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { ServiceError } from '../errors.ts';
import { createHostAnswers } from './host-answers.ts';
import type { HostAnswer, Invocation } from './sandbox.ts';

test('calls that fail while the database is away are mentioned once, and every fault of the server is', async () => {
  const { log, lines } = recordedLog();
  const answer = createHostAnswers({ clock: new ManualClock(), log, settings: { scriptCallTimeoutMs: 1_000 } });
  const failing = (error: Error) => ({ call: () => Promise.reject(error) }) as unknown as Invocation;
  const away = new ServiceError('internal', 'the database cannot be reached: try again', { retryAfterMs: 1_000 });
  const bug = new Error('a bug');
  for (const error of [away, away, away, bug, bug]) {
    const answered = await answer(failing(error), 'SetData', []);
    assert.deepEqual(answered, { error: { code: 'internal', message: 'SetData failed' } });
  }
  const [rare, every] = ['a call of a script failed and may be tried again', 'a call of a script failed'];
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      [40, rare],
      [50, every],
      [50, every],
    ],
  );
});

test('a call has one answer: that of the host in time, or that there was none, and leaves no timer', async () => {
  const clock = new ManualClock();
  const answer = createHostAnswers({ clock, log: recordedLog().log, settings: { scriptCallTimeoutMs: 1_000 } });
  let give = (_: HostAnswer) => {};
  const invocation = { call: () => new Promise<HostAnswer>((resolve) => (give = resolve)) } as unknown as Invocation;
  const inTime = answer(invocation, 'GetData', []);
  give({ resultJson: '1' });
  assert.deepEqual([await inTime, clock.pending], [{ resultJson: '1' }, 0]);
  const late = answer(invocation, 'GetData', []);
  clock.advance(1_000);
  give({ resultJson: '2' });
  assert.deepEqual(await late, { error: { code: 'timeout', message: 'GetData took more than 1000 ms' } });
});
