import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import { describeFileFault, isFull } from './file-fault.ts';

test('a file system without room and one that can take no more files are told apart, and both are full', (t) => {
  const { statfsSync } = fs;
  const use = (replacement: unknown) => {
    fs.statfsSync = replacement as typeof statfsSync;
    syncBuiltinESMExports();
  };
  t.after(() => use(statfsSync));
  const error = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', path: '/data/respark.sqlite' });
  for (const [found, says] of [
    [{ bavail: 0, files: 100, ffree: 0 }, 'the disk is full (ENOSPC): make room on it'],
    // A file system without a fixed number of them says 0.
    [{ bavail: 10, files: 0, ffree: 0 }, 'the disk is full (ENOSPC): make room on it'],
    [
      { bavail: 10, files: 100, ffree: 0 },
      'the file system can take no more files, though it has room (ENOSPC): remove some ("df -i" counts them)',
    ],
  ] as const) {
    use(() => found);
    assert.equal(describeFileFault(error), says);
    assert(isFull(error));
  }
});
