import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWalSync } from './wal-sync.ts';

test('whoever asks while the WAL is put on disk waits until that is done once more, with all others who do', async () => {
  const ends: { resolve(): void; reject(error: Error): void }[] = [];
  const synced = createWalSync('file', async (wal) => {
    assert.equal(wal, 'file-wal');
    await new Promise<void>((resolve, reject) => {
      ends.push({ resolve, reject });
    });
  });
  const settled: string[] = [];
  const ask = (name: string) =>
    synced().then(
      () => settled.push(name),
      () => settled.push(`${name} failed`),
    );
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
  const asked = [ask('a'), ask('b'), ask('c')];
  ends[0]?.reject(new Error('the disk is broken'));
  await nextTurn();
  assert.deepEqual([settled, ends.length], [['a failed'], 2]);
  asked.push(ask('d'));
  ends[1]?.resolve();
  await nextTurn();
  assert.deepEqual([settled, ends.length], [['a failed', 'b', 'c'], 3]);
  ends[2]?.resolve();
  await Promise.all(asked);
  assert.deepEqual(settled.at(-1), 'd');
  const later = ask('e');
  assert.equal(ends.length, 4);
  ends[3]?.resolve();
  await later;
});
