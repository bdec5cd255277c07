import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PARTS, TEXTS } from './texts.ts';

test('no two parts of the texts have one of the same name, of which only the later would ever be shown', () => {
  const names = PARTS.flatMap((part) => Object.keys(part));
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
  assert.deepEqual(new Set(names), new Set(Object.keys(TEXTS)), 'a part is missing');
});
