import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasMoreValues } from './json-values.ts';

function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((count: number, member) => count + valuesIn(member), 1);
}

const SAMPLES: readonly unknown[] = [
  0,
  'a, [b] {c}',
  [],
  {},
  [[], {}, [[]], [{}], { a: [] }],
  Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? {} : [])),
  { 'a,b': '",\\"', '\\': '\\\\', '[': { '{': [null, true, -1.5e-7, ''] } },
  Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`k"${index}\\`, 'x,\\'])),
  JSON.parse(`${'['.repeat(30)}1${']'.repeat(30)}`),
];

test('the values of a text are counted as those who parse it would', () => {
  for (const sample of SAMPLES) {
    const json = JSON.stringify(sample);
    const count = valuesIn(sample);
    assert.equal(hasMoreValues(json, count), false, json);
    assert.equal(hasMoreValues(json, count - 1), true, json);
  }
});

test('texts that are no JSON come to an end as well', () => {
  for (const text of ['"', '"\\', `${'"\\'.repeat(9)}`, `[${'"'.repeat(9)}`]) hasMoreValues(text, 1);
});
