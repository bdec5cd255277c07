import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writePrivateFile } from './private-file.ts';

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'respark-private-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('a private file is private and whole, whatever was left beside it', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'secret');
  const elsewhere = join(directory, 'elsewhere');
  writeFileSync(elsewhere, 'kept');
  symlinkSync(elsewhere, `${path}.new`);
  writeFileSync(path, 'old', { mode: 0o644 });
  writePrivateFile(path, 'first');
  writePrivateFile(path, 'second');
  assert.equal(readFileSync(path, 'utf8'), 'second');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(readFileSync(elsewhere, 'utf8'), 'kept');
  assert.deepEqual(readdirSync(directory).sort(), ['elsewhere', 'secret', 'secret.new']);
});

test('a private file that cannot be put in its place leaves nothing behind', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'secret');
  mkdirSync(path);
  assert.throws(() => writePrivateFile(path, 'text'), { code: 'EISDIR' });
  assert.deepEqual(readdirSync(directory), ['secret']);
});
