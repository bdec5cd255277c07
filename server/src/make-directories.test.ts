import assert from 'node:assert/strict';
import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDirectories } from './make-directories.ts';
import { temporaryDirectory } from './store/test-store.ts';

test('makes what is missing, with the mode, and leaves what is there', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'a', 'b', 'c');
  const { mode } = statSync(directory);
  makeDirectories(path, 0o700);
  for (const made of [path, join(directory, 'a', 'b'), join(directory, 'a')])
    assert.equal(statSync(made).mode & 0o777, 0o700);
  assert.equal(statSync(directory).mode, mode);
  makeDirectories(path);
  assert.equal(statSync(path).mode & 0o777, 0o700);
});

test('names the cause where nothing can be made', (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'file');
  writeFileSync(file, '');
  for (const path of [join(file, 'a'), join(file, 'a', 'b')])
    assert.throws(() => makeDirectories(path), { code: 'ENOTDIR' });
  const link = join(directory, 'link');
  symlinkSync(join(directory, 'nowhere'), link);
  for (const path of [link, join(link, 'a')]) assert.throws(() => makeDirectories(path), { code: 'EEXIST' });
});

test('gives up in a file system that takes no directories', { skip: !existsSync('/proc/self') && 'no /proc' }, () => {
  for (const path of ['/proc/x', '/proc/x/y', '/proc/self/x'])
    assert.throws(() => makeDirectories(path), {
      message: /^nobody can make a directory in \/proc.*: choose another place$/,
    });
});
