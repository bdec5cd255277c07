import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../store/test-store.ts';
import { lockDataDirectory } from './data-directory.ts';
import { RUNNING_FILE, readLocalFile } from './local-files.ts';

const OTHER = 12_345;
const ADDRESSES = { url: 'http://127.0.0.1:1', playerUrl: 'ws://127.0.0.1:1/connect' };
const noPipes = process.platform === 'win32' ? 'Windows has no named pipes in directories' : false;
const skip = process.geteuid?.() === 0 ? false : 'only root can make files of several users';

test('a file of this user is read, and one that is missing or holds something else is not there', async (t) => {
  const dataDir = temporaryDirectory(t);
  t.after(lockDataDirectory(dataDir).release);
  assert.equal(await readLocalFile.running(dataDir), undefined);
  writeFileSync(join(dataDir, RUNNING_FILE), JSON.stringify(ADDRESSES));
  assert.deepEqual(await readLocalFile.running(dataDir), ADDRESSES);
  writeFileSync(join(dataDir, RUNNING_FILE), '{}');
  assert.equal(await readLocalFile.running(dataDir), undefined);
});

test('the addresses of a server that was killed are not there, since anybody may listen at them by now', async (t) => {
  const dataDir = temporaryDirectory(t);
  writeFileSync(join(dataDir, RUNNING_FILE), JSON.stringify(ADDRESSES));
  assert.equal(await readLocalFile.running(dataDir), undefined, 'there is no lock');
  const { release } = lockDataDirectory(dataDir);
  writeFileSync(join(dataDir, RUNNING_FILE), JSON.stringify(ADDRESSES));
  assert.deepEqual(await readLocalFile.running(dataDir), ADDRESSES);
  release();
  assert.equal(await readLocalFile.running(dataDir), undefined, 'nobody holds the lock');
  assert.deepEqual(await readLocalFile.lastRunning(dataDir), ADDRESSES);
  lockDataDirectory(dataDir).release();
});

test('the addresses of a server that was killed are not those of whoever takes the lock next', async (t) => {
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, RUNNING_FILE);
  const lock = () => lockDataDirectory(dataDir).release;
  writeFileSync(file, JSON.stringify({ ...ADDRESSES, bootId: 'this one' }));
  const first = lock();
  assert.equal(await readLocalFile.running(dataDir), undefined, 'a server that starts, or a command such as a restore');
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), { bootId: 'this one' });
  first();
  for (const unreadable of ['not JSON', '[', 'null']) {
    writeFileSync(file, unreadable);
    lock()();
    assert.equal(await readLocalFile.lastRunning(dataDir), undefined);
  }
  assert.throws(() => [lock(), writeFileSync(file, JSON.stringify(ADDRESSES)), lock()], /a server is using/);
  assert.deepEqual(await readLocalFile.running(dataDir), ADDRESSES, 'whoever does not get the lock leaves them alone');
});

test('a file of another user is not trusted', { skip }, async (t) => {
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, RUNNING_FILE);
  writeFileSync(file, JSON.stringify(ADDRESSES));
  chmodSync(file, 0o644);
  chownSync(file, OTHER, OTHER);
  await assert.rejects(readLocalFile.running(dataDir), /running.json belongs to user 12345, but this runs as user 0: /);
});

test('a link, a pipe and a directory are not there, and nothing waits for them', {
  skip: noPipes,
  timeout: 10_000,
}, async (t) => {
  const dataDir = temporaryDirectory(t);
  t.after(lockDataDirectory(dataDir).release);
  const file = join(dataDir, RUNNING_FILE);
  const elsewhere = join(dataDir, 'elsewhere.json');
  writeFileSync(elsewhere, JSON.stringify(ADDRESSES));
  symlinkSync(elsewhere, file);
  assert.equal(await readLocalFile.running(dataDir), undefined);
  rmSync(file);
  execFileSync('mkfifo', [file]);
  assert.equal(await readLocalFile.running(dataDir), undefined);
  rmSync(file);
  mkdirSync(file);
  assert.equal(await readLocalFile.running(dataDir), undefined);
});

test('a pipe of another user is not trusted', { skip, timeout: 10_000 }, async (t) => {
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, RUNNING_FILE);
  execFileSync('mkfifo', ['-m', '644', file]);
  chownSync(file, OTHER, OTHER);
  await assert.rejects(readLocalFile.running(dataDir), /running.json belongs to user 12345, but this runs as user 0: /);
});
