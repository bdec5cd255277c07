import assert from 'node:assert/strict';
import fs, {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writePrivateFile } from './private-file.ts';

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'respark-private-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Until the test ends, `fsync` fails with this code for directories, or for files, as it does on other systems. */
function refuseFsync(t: TestContext, code: string, isRefused: (stats: fs.Stats) => boolean): void {
  const { fsyncSync } = fs;
  const use = (replacement: typeof fs.fsyncSync) => {
    fs.fsyncSync = replacement;
    syncBuiltinESMExports();
  };
  t.after(() => use(fsyncSync));
  use((descriptor) => {
    if (isRefused(fs.fstatSync(descriptor))) throw Object.assign(new Error(`${code}: refused, fsync`), { code });
    fsyncSync(descriptor);
  });
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

test('a private file that cannot be written is named by the error', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'secret');
  refuseFsync(t, 'ENOSPC', (stats) => stats.isFile());
  assert.throws(() => writePrivateFile(path, 'text'), { code: 'ENOSPC', path });
  assert.deepEqual(readdirSync(directory), []);
});

test('a private file that cannot be put in its place leaves nothing behind', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'secret');
  mkdirSync(path);
  assert.throws(() => writePrivateFile(path, 'text'), { code: 'EISDIR' });
  assert.deepEqual(readdirSync(directory), ['secret']);
});

for (const code of ['EPERM', 'EISDIR', 'EACCES']) {
  test(`a private file is written where a directory cannot be put on disk (${code}), as on Windows`, (t) => {
    const path = join(temporaryDirectory(t), 'secret');
    refuseFsync(t, code, (stats) => stats.isDirectory());
    writePrivateFile(path, 'text');
    assert.equal(readFileSync(path, 'utf8'), 'text');
  });
}

test('a private file that cannot be put on disk itself is not written', (t) => {
  const path = join(temporaryDirectory(t), 'secret');
  refuseFsync(t, 'EPERM', (stats) => stats.isFile());
  assert.throws(() => writePrivateFile(path, 'text'), { code: 'EPERM' });
  assert.deepEqual(readdirSync(dirname(path)), []);
});

test('a directory that cannot be put on disk for another reason is a failure', (t) => {
  const path = join(temporaryDirectory(t), 'secret');
  refuseFsync(t, 'EIO', (stats) => stats.isDirectory());
  assert.throws(() => writePrivateFile(path, 'text'), { code: 'EIO' });
});
