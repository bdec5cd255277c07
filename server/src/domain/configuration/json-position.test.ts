import assert from 'node:assert/strict';
import { test } from 'node:test';
import { positionIn } from './json-position.ts';

const TEXT = `{
  "a": { "x": [1, "two, }", { "deep": null }], "y\\"": true },
  "b": "text"
}`;

test('a value is found by the keys that lead to it, and stands where its key does', () => {
  const positions: [string[], [number, number]][] = [
    [[], [1, 1]],
    [['a'], [2, 3]],
    [
      ['a', 'x'],
      [2, 10],
    ],
    [
      ['a', 'x', '0'],
      [2, 16],
    ],
    [
      ['a', 'x', '1'],
      [2, 19],
    ],
    [
      ['a', 'x', '2', 'deep'],
      [2, 31],
    ],
    [
      ['a', 'y"'],
      [2, 48],
    ],
    [['b'], [3, 3]],
  ];
  for (const [keys, [line, column]] of positions) assert.deepEqual(positionIn(TEXT, keys), { line, column }, `${keys}`);
});

test('what is not there has the position of what should have it', () => {
  assert.deepEqual(positionIn(TEXT, ['a', 'missing', 'more']), { line: 2, column: 3 });
  assert.deepEqual(positionIn(TEXT, ['b', 'missing']), { line: 3, column: 3 });
  assert.deepEqual(positionIn('[]', ['0']), { line: 1, column: 1 });
});
