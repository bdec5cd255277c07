import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJson } from './json.ts';

const NASTY_KEYS = [
  '\\',
  '"',
  '\n',
  '\\n',
  '\nn',
  '\\u',
  '\u0001',
  '',
  '0',
  '01',
  '__proto__',
  'a',
  'é',
  '☃',
  '\ud800',
];
const key = fc.oneof(fc.constantFrom(...NASTY_KEYS), fc.string());

const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false, 0, 12, 1.5e300, -1e-7, '', 'a: "b",', '\\', '"', '{[\n', '☃'),
    fc.double({ noDefaultInfinity: true, noNaN: true }).filter((number) => !Object.is(number, -0)),
    fc.string(),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map((members) => Object.fromEntries(members)),
  ),
}));

/** Objects with the key `\`, after those of the same shape that `text` has: the next one like it misleads V8. */
function mislead(text: string) {
  JSON.parse(text.replaceAll(/"(?:[^"\\]|\\.)*"(?=:)/g, (name) => (name.includes('\\') ? '"\\\\"' : name)));
}

test('keys written with an escape are read as they are written, whatever was read before', () => {
  for (const [before, text, expected] of [
    ['{"a":1,"\\\\":2}', '{"a":1,"\\"":2}', '"'],
    ['{"b":1,"\\\\":2}', '{"b":1,"\\n" \n :2}', '\n'],
    ['{"c":1,"\\\\":"☃"}', '{"c":1,"\\u0001":"☃"}', '\u0001'],
    ['{"d":1,"\\\\n":2}', '{"d":1,"\\nn":2}', '\nn'],
  ] as const) {
    parseJson(before);
    assert.deepEqual(Object.keys(parseJson(text) as object)[1], expected, text);
  }
});

test('what JSON.stringify writes is read back unchanged', () => {
  fc.assert(
    fc.property(anyValue, fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      mislead(JSON.stringify(value));
      assert.deepEqual(parseJson(text), value);
      assert.equal(JSON.stringify(parseJson(text), undefined, indent), text, 'in the same order');
    }),
    { numRuns: 500 },
  );
});

test('if an object has a key twice the last value counts, however the key is written', () => {
  assert.equal(JSON.stringify(parseJson('{"a":1,"b":2,"\\u0061":{"\\n":3},"a":4}')), '{"a":4,"b":2}');
  assert.equal(JSON.stringify(parseJson('{"a":1,"b":2,"\\u0061":3}')), '{"a":3,"b":2}');
});

test('what is not JSON is refused as JSON.parse refuses it', () => {
  for (const text of [
    '',
    '{"\\n":1',
    '{"\\n":1}}',
    '{"\\q":1}',
    "{'a':1}",
    '{"a":01}',
    '[1,]',
    '"\\n":1',
    '\ufeff{}',
  ]) {
    assert.throws(() => parseJson(text), SyntaxError, text);
  }
});

test('a large text is read without recursion and in linear time', () => {
  const deep = `${'{"\\n":['.repeat(100_000)}${']}'.repeat(100_000)}`;
  assert.ok(parseJson(deep) instanceof Object);
  for (const length of [500_000, 4_000_000]) {
    const escapes = JSON.stringify({ script: '\n'.repeat(length), '\n': '\\"'.repeat(length / 2) });
    assert.equal(JSON.stringify(parseJson(escapes)), escapes);
  }
});
