import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchFolder } from './folder-watch.ts';

/** Looks that see these one after another, and which of them were the newest at each publication. */
async function watchThrough(stamps: readonly string[], isDone: (publication: number) => boolean = () => true) {
  let looks = 0;
  const published: number[] = [];
  await watchFolder({
    look: async () => stamps[looks++] ?? '',
    publish: async () => isDone(published.push(looks)),
    pause: async () => {},
    isOver: () => looks >= stamps.length,
  });
  return published;
}

test('a folder is published when two looks in a row have seen the same, and not again until it has changed', async () => {
  assert.deepEqual(await watchThrough(['a', 'a', 'a', 'b', 'c', 'd', 'd', 'd']), [2, 7]);
});

test('what was saved while the files were read is published too', async () => {
  assert.deepEqual(await watchThrough(['a', 'a', 'b', 'b']), [2, 4]);
});

test('a publication that could not be done is tried again', async () => {
  assert.deepEqual(await watchThrough(['a', 'a', 'a', 'a'], (publication) => publication === 2), [2, 3]);
});
