import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError } from '../errors.ts';
import {
  blob,
  boolean,
  document,
  exact,
  integer,
  list,
  map,
  nullable,
  query,
  type Shape,
  serialize,
  string,
  structure,
  timestamp,
} from './shape.ts';
import { parse, RepeatedValue } from './validation.ts';

const shape = structure(
  {
    GameName: string({ min: 1, max: 5, pattern: '^[a-z]+$' }),
    State: string({ enum: ['ACTIVE', 'DELETING'] }),
    Size: integer({ min: 1, max: 100 }),
    IsOn: boolean(),
    At: timestamp(),
    Names: list(string({ max: 3 }), { min: 1, max: 2 }),
    Tags: map(string({ min: 2, pattern: '^(?!aws:).+$' }), string({ max: 3 }), { min: 1, max: 2 }),
    Inner: structure({ Value: string() }, ['Value']),
  },
  ['GameName'],
);

function faultsOf(raw: unknown, of: Shape = shape): string {
  try {
    parse(of, raw);
  } catch (error) {
    assert.ok(error instanceof ServiceError);
    assert.equal(error.code, 'validation');
    return error.message;
  }
  return '';
}

test('a valid value is returned with the members of its shape, and no others', () => {
  const raw = {
    GameName: 'demo',
    State: 'ACTIVE',
    Size: 100,
    IsOn: false,
    At: '2026-01-01T00:00:00Z',
    Names: ['a'],
    Tags: { ab: '' },
    Inner: { Value: 'x', Unknown: 1 },
    Unknown: 1,
  };
  const { Unknown, ...expected } = { ...raw, At: Date.UTC(2026, 0), Inner: { Value: 'x' } };
  assert.deepEqual(parse(shape, raw), expected);
});

test('null means that a member is absent', () => {
  assert.deepEqual(parse(shape, { GameName: 'demo', Size: null, Tags: undefined }), { GameName: 'demo' });
  const missing =
    "1 validation error detected: Value null at 'gameName' failed to satisfy constraint: Member must not be null";
  assert.equal(faultsOf({}), missing);
  assert.equal(faultsOf({ GameName: null }), missing);
});

test('an exact structure has no member that is null, except where that says no more than nothing', () => {
  const shape = exact(structure({ Names: list(string()), Size: integer(), Words: nullable(string()) }));
  assert.deepEqual(parse(shape, { Words: null, Size: undefined }), {});
  for (const name of ['Names', 'Size']) {
    const isNull = new RegExp(
      `^1 validation error detected: Value null at '${name.toLowerCase()}' .* must not be null$`,
    );
    assert.match(faultsOf({ Words: 'any', [name]: null }, shape), isNull);
  }
});

test('each constraint has the words that AWS services use', () => {
  const cases: [object, string][] = [
    [
      { GameName: 'A' },
      "Value 'A' at 'gameName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-z]+$",
    ],
    [
      { GameName: 'abcdef' },
      "Value 'abcdef' at 'gameName' failed to satisfy constraint: Member must have length less than or equal to 5",
    ],
    [
      { State: 'GONE' },
      "Value 'GONE' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [ACTIVE, DELETING]",
    ],
    [
      { Size: 101 },
      "Value '101' at 'size' failed to satisfy constraint: Member must have value less than or equal to 100",
    ],
    [
      { Size: 0 },
      "Value '0' at 'size' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ],
    [
      { Names: [] },
      "Value '[0 items]' at 'names' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    [
      { Names: ['a', 'b', 'c'] },
      "Value '[3 items]' at 'names' failed to satisfy constraint: Member must have length less than or equal to 2",
    ],
    [
      { Names: ['a', 'long'] },
      "Value 'long' at 'names.2.member' failed to satisfy constraint: Member must have length less than or equal to 3",
    ],
    [{ Names: [null] }, "Value null at 'names.1.member' failed to satisfy constraint: Member must not be null"],
    [
      { Tags: {} },
      "Value '{0 items}' at 'tags' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    [
      { Tags: { ab: 'long' } },
      "Value 'long' at 'tags.ab.member' failed to satisfy constraint: Member must have length less than or equal to 3",
    ],
    [
      { Tags: { 'aws:a': '' } },
      "Value 'aws:a' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: ^(?!aws:).+$]",
    ],
    [{ Inner: {} }, "Value null at 'inner.value' failed to satisfy constraint: Member must not be null"],
  ];
  for (const [raw, fault] of cases) {
    assert.equal(faultsOf({ GameName: 'demo', ...raw }), `1 validation error detected: ${fault}`);
  }
});

test('a time is of a day that there is', () => {
  const at = (day: string) => faultsOf({ GameName: 'demo', At: `${day}T00:00:00Z` });
  for (const day of ['2028-02-29', '2000-02-29', '2026-04-30', '0001-12-31', '0000-02-29']) assert.equal(at(day), '');
  for (const day of ['2027-02-29', '2026-02-30', '2100-02-29', '2026-04-31', '2026-13-01', '2026-00-01', '2026-01-00'])
    assert.match(at(day), /'at' failed to satisfy constraint: Member must be an ISO 8601 date and time$/, day);
});

test('a member of the wrong JSON type is a fault of that member', () => {
  const wrong = { GameName: 1, Size: '5', IsOn: 'true', At: 5, Names: {}, Tags: [], Inner: 'x' };
  assert.equal(
    faultsOf(wrong),
    "7 validation errors detected: Value '1' at 'gameName' failed to satisfy constraint: Member must be a string; " +
      "Value '5' at 'size' failed to satisfy constraint: Member must be an integer; " +
      "Value 'true' at 'isOn' failed to satisfy constraint: Member must be true or false; " +
      "Value '5' at 'at' failed to satisfy constraint: Member must be an ISO 8601 date and time; " +
      "Value '{0 items}' at 'names' failed to satisfy constraint: Member must be a list; " +
      "Value '[0 items]' at 'tags' failed to satisfy constraint: Member must be a map; " +
      "Value 'x' at 'inner' failed to satisfy constraint: Member must be a structure",
  );
  for (const Size of [1.5, 1e300, Number.MAX_SAFE_INTEGER + 1]) {
    assert.match(faultsOf({ GameName: 'demo', Size }), /'size' .* Member must be an integer$/);
  }
});

test('an integer in the query is text, and given only once', () => {
  const listed = structure({ MaxResults: query(integer({ min: 1, max: 100 })) });
  assert.deepEqual(parse(listed, { MaxResults: '7' }), { MaxResults: 7 });
  for (const text of ['', 'x', '1.5', '0x7', '1e2', ' 7', '99999999999999999999']) {
    assert.match(faultsOf({ MaxResults: text }, listed), /'maxResults' .*Member must be an integer$/, text);
  }
  assert.match(faultsOf({ MaxResults: new RepeatedValue(['1', '2']) }, listed), /'1,2' at 'maxResults' .* only once$/);
});

test('lengths count code points', () => {
  const three = string({ min: 3, max: 3 });
  assert.equal(parse(three, '🎮🎮🎮'), '🎮🎮🎮');
  assert.match(faultsOf('🎮🎮', three), /greater than or equal to 3/);
});

test('text that the store could not give back is refused: a lone surrogate, and U+0000', () => {
  const message = (path: string) => new RegExp(`at '${path}' .*Member must be well-formed Unicode without U\\+0000`);
  for (const wrong of ['\ud83c', '\0', 'a\0b', '💥\0']) {
    assert.match(faultsOf(wrong, string()), message(''));
    assert.match(faultsOf([wrong], list(string())), message('1.member'));
    assert.match(faultsOf({ key: wrong }, map(string(), string())), message('key.member'));
    assert.match(faultsOf({ [wrong]: '' }, map(string(), string())), /keys must satisfy constraint: \[.*U\+0000\]/);
  }
  assert.equal(parse(string(), '\u0001💥'), '\u0001💥');
  assert.deepEqual(parse(document(), { a: '\0' }), '{"a":"\\u0000"}', 'JSON escapes it');
});

test('__proto__ is a key like any other', () => {
  const tags = map(string(), string());
  const parsed = parse(tags, JSON.parse('{"__proto__": "x"}')) as object;
  assert.deepEqual(Object.entries(parsed), [['__proto__', 'x']]);
  assert.equal(JSON.stringify(serialize(tags, parsed)), '{"__proto__":"x"}');
  assert.equal(faultsOf(JSON.parse('{"__proto__": {"GameName": "demo"}}')).includes("null at 'gameName'"), true);
});

test('values are shown short, on one line and without characters that a terminal would obey', () => {
  const shown = (value: string) => /Value '(.*)' at/.exec(faultsOf(value, string({ max: 0 })))?.[1];
  assert.equal(shown('a\r\n\u001b[31m\u202e\u2028b'), 'a\\u{d}\\u{a}\\u{1b}[31m\\u{202e}\\u{2028}b');
  assert.equal(shown('x'.repeat(1_000)), `${'x'.repeat(127)}…`);
  assert.equal(shown('🎮'.repeat(128)), '🎮'.repeat(128));
});

test('twenty faults are listed, and the rest are counted', () => {
  const message = faultsOf(
    Array.from({ length: 5_000 }, () => 'long'),
    list(string({ max: 3 })),
  );
  assert.match(message, /^5000 validation errors detected: .*; and 4980 more$/);
  assert.ok(message.length < 4_000);
});

test('items beyond the limit of a list are not checked', () => {
  const few = list(string(), { max: 2 });
  assert.match(faultsOf(['a', 5, 6, 7], few), /^2 validation errors detected: .*equal to 2; Value '5' at '2.member'/);
});

test('a value nested deeper than the stack is a fault like any other', () => {
  const deep = JSON.parse(`${'['.repeat(30_000)}${']'.repeat(30_000)}`);
  assert.match(faultsOf({ GameName: deep }), /Value '\[1 items\]' at 'gameName'/);
});

test('bytes travel as base64 in its only correct spelling, and their limits count bytes', () => {
  const file = blob({ min: 1, max: 4 });
  for (const bytes of [[0], [255, 254], [1, 2, 3], [251, 255, 191, 0]]) {
    const text = Buffer.from(bytes).toString('base64');
    assert.deepEqual(parse(file, text), Buffer.from(bytes));
    assert.equal(serialize(file, Uint8Array.from(bytes)), text);
  }
  for (const text of [
    'AA',
    'AA=',
    'AA===',
    'AB==',
    'A',
    '=',
    ' AA==',
    'AA==\n',
    '-_8=',
    'AAA*',
    'AA==AA==',
    5,
    {},
    true,
  ]) {
    assert.match(faultsOf(text, file), /: Member must be base64 text$/, String(text));
  }
  assert.match(faultsOf('', file), /Value '' at '' .*length greater than or equal to 1$/);
  assert.match(faultsOf('AAAAAAA=', file), /length less than or equal to 4$/);
  const long = faultsOf('A'.repeat(2_000_000), file);
  assert.ok(long.endsWith('less than or equal to 4') && long.length < 300);
});

test('a document is the text of any JSON, and may be null', () => {
  const given = structure({ Value: document(), Other: string() }, ['Value']);
  for (const text of ['null', '0', '""', '[null]', '{"__proto__":{"a":[1e3]},"constructor":null}']) {
    const Value = JSON.parse(text);
    const parsed = parse(given, { Value, Other: null });
    assert.deepEqual(parsed, { Value: JSON.stringify(Value) });
  }
  assert.match(faultsOf({}, given), /Value null at 'value' .*must not be null$/);
  assert.deepEqual(parse(list(document()), [null, 1]), ['null', '1']);
  assert.match(faultsOf([null], list(string())), /'1.member' .*must not be null$/);
});

test('a document nested deeper than the stack costs no stack', () => {
  const deep = JSON.parse(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`);
  assert.deepEqual(Object.keys(parse(structure({ Value: document() }), { Value: deep }) as object), ['Value']);
  const beside = structure({ Value: document(), Name: string() }, ['Name']);
  assert.match(faultsOf({ Value: deep }, beside), /^1 validation error detected: Value null at 'name'/);
});

test('output is written with ISO 8601 times and without absent members', () => {
  const output = structure({
    Created: timestamp(),
    Name: string(),
    Items: list(structure({ Id: string(), At: timestamp() })),
  });
  assert.deepEqual(serialize(output, { Created: Date.UTC(2026, 0), Name: undefined, Items: [{ Id: 'a', At: 0 }] }), {
    Created: '2026-01-01T00:00:00.000Z',
    Items: [{ Id: 'a', At: '1970-01-01T00:00:00.000Z' }],
  });
});
