import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWatcherPlaces } from './watcher-places.ts';

test('the watchers of one game leave places to those of others, however many keys they have', () => {
  const places = createWatcherPlaces({ max: 100 });
  const leaves: (() => void)[] = [];
  const fill = (game: string) => {
    for (let key = 0; ; key += 1) {
      try {
        for (let stream = 0; stream < 10; stream += 1) leaves.push(places.take(`${game} ${key}`, game));
      } catch {
        return leaves.length;
      }
    }
  };
  assert.equal(fill('Greedy'), 95);
  assert.equal(fill('Other'), 100);
  for (const leave of leaves.splice(0)) leave();
  assert.equal(fill('Greedy'), 95, 'places that were left are free again');
});

test('one game has the only place where there is one', () => {
  const places = createWatcherPlaces({ max: 1 });
  const leave = places.take('key', 'Game');
  assert.throws(() => places.take('other', 'Other'));
  leave();
  places.take('other', 'Other');
});
