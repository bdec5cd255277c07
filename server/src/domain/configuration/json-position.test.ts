import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findJsonFault, positionIn } from './json-position.ts';

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

test('what is no JSON is so from the beginning of the word that is wrong', () => {
  const wrong: [string, number, number][] = [
    ['', 1, 1],
    ['{', 1, 2],
    ['{"a" 1}', 1, 6],
    ['[1,\n 2,]', 2, 4],
    ['{"a": 01}', 1, 7],
    ['{"a": "x\n"}', 1, 7],
    ['{}\n}', 2, 1],
    ['["\\x"]', 1, 2],
  ];
  for (const [text, line, column] of wrong) {
    assert.throws(() => JSON.parse(text), SyntaxError);
    assert.deepEqual(findJsonFault(text), { line, column }, text);
  }
  for (const text of [TEXT, ' [] ', '-1.5e+3', '"\\u00e9\\n"', 'null', '{"a":{},"b":[true,false]}']) {
    JSON.parse(text);
    assert.equal(findJsonFault(text), undefined, text);
  }
});
