import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { recordedLog } from '../test/support/domain.ts';
import { ManualClock } from '../test/support/manual-clock.ts';
import { watchOpenFiles } from './open-files.ts';

test('the log says once when no more files can be open, and once when they can again', async (t) => {
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  let code: string | undefined;
  const probe = async () => {
    if (code !== undefined) throw Object.assign(new Error(code), { code });
  };
  const watch = watchOpenFiles({ clock, log, probe });
  t.after(() => watch.close());
  for (code of [undefined, 'EMFILE', 'ENFILE', undefined, 'EACCES', 'EMFILE']) {
    clock.advance(1_000);
    await setImmediate();
  }
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      [50, 'no more files can be open: new players and calls are cut off; raise the limit (ulimit -n)'],
      [30, 'files can be open again: new players and calls are taken'],
      [50, 'no more files can be open: new players and calls are cut off; raise the limit (ulimit -n)'],
    ],
  );
  watch.close();
  code = undefined;
  clock.advance(1_000);
  await setImmediate();
  assert.equal(lines.length, 3, 'it no longer looks');
});
