import assert from 'node:assert/strict';
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../store/test-store.ts';
import { RUNNING_FILE, readLocalFile } from './local-files.ts';

const OTHER = 12_345;
const ADDRESSES = { url: 'http://127.0.0.1:1', playerUrl: 'ws://127.0.0.1:1/connect' };
const skip = process.geteuid?.() === 0 ? false : 'only root can make files of several users';

test('a file of this user is read, and one that is missing or holds something else is not there', async (t) => {
  const dataDir = temporaryDirectory(t);
  assert.equal(await readLocalFile.running(dataDir), undefined);
  writeFileSync(join(dataDir, RUNNING_FILE), JSON.stringify(ADDRESSES));
  assert.deepEqual(await readLocalFile.running(dataDir), ADDRESSES);
  writeFileSync(join(dataDir, RUNNING_FILE), '{}');
  assert.equal(await readLocalFile.running(dataDir), undefined);
});

test('a file of another user is not trusted', { skip }, async (t) => {
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, RUNNING_FILE);
  writeFileSync(file, JSON.stringify(ADDRESSES));
  chmodSync(file, 0o644);
  chownSync(file, OTHER, OTHER);
  await assert.rejects(readLocalFile.running(dataDir), /running.json belongs to user 12345, but this runs as user 0: /);
});
