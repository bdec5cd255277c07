import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createOneTimeCodes } from '../console/one-time-codes.ts';
import { createSystemRandom } from '../random.ts';
import { leaveCode, withLeftCode } from './left-code.ts';

function open() {
  const clock = new ManualClock();
  const random = createSystemRandom();
  const files = new Map<string, string>();
  const directory = {
    writeSecretFile: (name: string, text: string) => void files.set(name, text),
    readOwnFile: (name: string) => files.get(name),
    removeFile: (name: string) => void files.delete(name),
  };
  const { issue, take } = withLeftCode({ codes: createOneTimeCodes({ clock, random }), directory, clock });
  return { clock, files, issue, take, directory, leave: () => leaveCode({ directory, clock, random }) };
}

test('a code that a command has left is good once, beside those of the start', () => {
  const { issue, take, leave, files } = open();
  const [own, left] = [issue(), leave()];
  assert.deepEqual([take('another'), take(left), take(left), take(own)], [false, true, false, true]);
  assert.equal(files.size, 0);
});

test('a code that a command has left is good for a minute, also when the clock is set back', () => {
  const { take, leave, clock, files } = open();
  const code = leave();
  clock.advance(60_000);
  assert.equal(take(code), false);
  assert.equal(files.size, 0);
  leave();
  const [name, text] = [...files][0] ?? assert.fail();
  files.set(
    name,
    text.replace(/"until":(\d+)/, (_, until) => `"until":${Number(until) + 1}`),
  );
  assert.equal(take(code), false);
  assert.equal(files.size, 0, 'it would be good for longer than a minute');
});

test('a code takes the place of the one before, and whoever makes codes up does not use it up', () => {
  const { take, leave } = open();
  const [old, code] = [leave(), leave()];
  assert.equal(take(old), false);
  for (let n = 0; n < 100; n += 1) assert.equal(take(`${n}`), false);
  assert.deepEqual([take(code), take(code)], [true, false]);
});

test('a file that no command has left so lets nobody in, and a code that cannot be used up neither', () => {
  const { take, leave, files, directory } = open();
  const code = leave();
  const [name] = files.keys();
  for (const text of ['', 'null', '[]', '{"sha256":"","until":1}', '{"sha256":"00","until":9e15}', '{"until":9e15}']) {
    files.set(name ?? '', text);
    assert.equal(take(code), false, text);
  }
  const last = leave();
  directory.removeFile = () => {
    throw new Error('the disk cannot be written to');
  };
  assert.throws(() => take(last), /cannot be written/);
});
