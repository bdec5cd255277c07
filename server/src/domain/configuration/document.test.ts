import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GAME_DOCUMENT, gameSections, realGameDocument } from '../../../test/support/game-document.ts';
import { documentSizeOf, type Json, parseDocument, type Sections, sizeOf, writeDocument } from './document.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const document = (sections: string) => bytes(`{"Document":{"Type":"Game","Sections":${sections}}}`);
const nested = (depth: number) => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;
const refusal = (message: RegExp) => ({ name: 'ServiceError', code: 'validation', message });

/** Any JSON, with keys that mean something to JavaScript. */
const key = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toJSON', '0', '', '~/'));
const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as Json);
const attributes = fc.array(fc.tuple(key, json)).map((entries): Json => Object.fromEntries(entries));
const sectionName = fc.stringMatching(/^[a-zA-Z0-9.]{1,36}$/);
const anySections = fc.array(fc.tuple(sectionName, attributes)).map((entries): Sections => Object.fromEntries(entries));

test('what is written is read again as it was', () => {
  fc.assert(
    fc.property(anySections, (sections) => {
      const read = parseDocument(writeDocument(sections));
      assert.deepEqual(read, sections);
      // The order of keys counts too, and keys that deepEqual might overlook.
      assert.equal(JSON.stringify(read), JSON.stringify(sections));
    }),
  );
});

test('a game is read with every section, known or not', () => {
  const sections = gameSections();
  assert.deepEqual({ Document: { Type: 'Game', Sections: sections } }, JSON.parse(GAME_DOCUMENT.toString()));
  assert.deepEqual(parseDocument(writeDocument(sections)), sections);
});

test('an export of the original service is read and written again, where one is at hand', (t) => {
  const file = realGameDocument();
  if (file === undefined) return t.skip('there is no reference beside the repository');
  const sections = parseDocument(file);
  assert.equal(Object.keys(sections).length, 4);
  assert.deepEqual(
    JSON.parse(Buffer.from(writeDocument(sections)).toString()),
    JSON.parse(Buffer.from(file).toString()),
  );
});

test('a file is indented for people, unless it could then not be imported', () => {
  assert.match(Buffer.from(writeDocument({ A: { b: 1 } })).toString(), /^\{\n {2}"Document": \{\n {4}"Type": "Game"/);
  const sections = { A: { list: Array.from({ length: 200_000 }, () => 1) } };
  const file = writeDocument(sections);
  assert.equal(file.length, documentSizeOf(sections));
  assert.deepEqual(parseDocument(file), sections);
});

test('sizes are bytes of compact JSON', () => {
  assert.equal(sizeOf({}), 2);
  assert.equal(sizeOf({ ä: '☃' }), '{"ä":"☃"}'.length + 3);
  assert.equal(documentSizeOf({}), '{"Document":{"Type":"Game","Sections":{}}}'.length);
});

test('keys that mean something to JavaScript are data', () => {
  const text = '{"S":{"__proto__":{"polluted":1},"constructor":2,"hasOwnProperty":3}}';
  const sections = parseDocument(document(text));
  assert.equal(JSON.stringify(sections), text);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});

test('a byte order mark is skipped, and when a key is repeated the last one counts', () => {
  assert.deepEqual(parseDocument(bytes('\uFEFF{"Document":{"Type":"Game","Sections":{"A":{"k":1,"k":2}}}}')), {
    A: { k: 2 },
  });
});

test('a file that is not a document is refused with the form that it should have', () => {
  for (const [file, message] of [
    [new Uint8Array([0x22, 0xff, 0x22]), /it is not UTF-8: save it in that encoding/],
    [bytes('{"Document":'), /it is not JSON: (?!.*base64)/],
    [
      bytes(Buffer.from('{"Document":').toString('base64')),
      /it is not JSON: .*; it seems to be in base64 once too often$/,
    ],
    [bytes(Buffer.from(`\ufeff${' '.repeat(9)}{}`).toString('base64')), /; it seems to be in base64 once too often$/],
    [bytes('eyE!'), /it is not JSON: (?!.*base64)/],
    [bytes('abcd'), /it is not JSON: (?!.*base64)/],
    [bytes('[]'), /does not have the form \{"Document"/],
    [bytes('{"Document":{"Type":"Item","Sections":{}}}'), /does not have the form/],
    [bytes('{"Document":{"Type":"Game"}}'), /does not have the form/],
    [bytes('{"__proto__":{"Document":{"Type":"Game","Sections":{}}}}'), /does not have the form/],
    [document('[]'), /does not have the form/],
    [document('{"A":{"n":1e999}}'), /section "A" holds a number beyond/],
    [document(`{"A":${nested(65)}}`), /section "A" nests deeper than 64 levels/],
    [document(`{"A":${'['.repeat(100_000)}${']'.repeat(100_000)}}`), /section "A" is not an object/],
    [document(`{"A":{"b":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`), /section "A" nests deeper/],
  ] as const) {
    assert.throws(() => parseDocument(file), refusal(message));
  }
  assert.deepEqual(parseDocument(document(`{"A":${nested(64)}}`)), { A: JSON.parse(nested(64)) });
});

test('every fault is named, the first 20 in full', () => {
  assert.throws(
    () => parseDocument(document('{"A":[],"B C":{},"D":null,"E":{}}')),
    refusal(
      /^the file cannot be imported: section "A" is not an object[^;]*; section "B C" has a name[^;]*; section "D" is[^;]*$/,
    ),
  );
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`s${index}`, 1]));
  assert.throws(() => parseDocument(document(JSON.stringify(many))), refusal(/"s19" .*; and 10 more$/));
  const long = JSON.stringify({ ['\u001b\ud800'.repeat(100_000)]: {} });
  assert.throws(
    () => parseDocument(document(long)),
    (error: Error) => error.message.length < 1_000 && error.message.includes('\\u{1b}\\u{d800}'),
  );
});
