import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine } from '../../test/simulation/engine.ts';
import { SortedNames } from './sorted-names.ts';

test('names are in order from anywhere, whatever has come and gone', () => {
  const engine = new Engine(7);
  const names = new SortedNames();
  const known = new Set<string>();
  // It grows to many chunks, shrinks to none, and does both at the same time in between.
  for (const { steps, growing } of [
    { steps: 6_000, growing: 0.9 },
    { steps: 2_000, growing: 0.5 },
    { steps: 9_000, growing: 0.1 },
  ]) {
    for (let step = 0; step < steps; step += 1) {
      const isGrowing = engine.chance(growing);
      const name = Math.floor(engine.random() * 9_000).toString(36);
      const [first = name] = isGrowing ? [] : names.slice(name, 1);
      if (isGrowing && !known.has(name)) names.add(name);
      if (isGrowing) known.add(name);
      else {
        names.delete(first);
        known.delete(first);
      }
      if (step % 500 > 0) continue;
      const sorted = [...known].sort();
      assert.deepEqual(names.slice('', 20_000), sorted);
      const some = sorted.filter((other) => other >= name).slice(0, 700);
      assert.deepEqual(names.slice(name, 700), some);
    }
  }
  for (const name of known) names.delete(name);
  names.delete('never there');
  assert.deepEqual(names.slice('', 1), []);
});
