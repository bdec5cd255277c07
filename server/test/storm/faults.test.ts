import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makePlan } from './faults.ts';
import { Seeded } from './seeded.ts';

test('a seed repeats the whole schedule of faults, and every seed has every kind', () => {
  const plan = makePlan(new Seeded(7), 3);
  assert.deepEqual(makePlan(new Seeded(7), 3), plan);
  assert.notDeepEqual(makePlan(new Seeded(8), 3), plan);
  const kinds = (seed: number) => makePlan(new Seeded(seed), 3).map(({ kind }) => kind);
  assert.deepEqual(kinds(8).sort(), kinds(7).sort());
});
