import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson } from '@respark/protocol';
import fc from 'fast-check';
import { documentSizeOf, faultOfValue, type Json, MAX_DEPTH, type Sections, sizeOf } from './document.ts';
import { jsonTextOf } from './json-text.ts';
import { exportedBytesOf, sectionJobs } from './stored-sections.ts';

const NAME = fc.stringMatching(/^[a-zA-Z0-9.]{1,8}$/);
const KEY = fc.oneof(fc.constantFrom('__proto__', '"', '\\', '}', ',', '\\"', 'é💥', '\0'), fc.string());
const { value: JSON_VALUE } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, 0, -1.5e-7, '', '"', '\\', '\\"', '{[,:]}', '\ud800', '☃'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(KEY, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
}));
const ATTRIBUTES = fc.array(fc.tuple(KEY, JSON_VALUE), { maxLength: 4 }).map((all) => Object.fromEntries(all));
const SECTIONS = fc.array(fc.tuple(NAME, ATTRIBUTES), { maxLength: 5 }).map((all): Sections => Object.fromEntries(all));

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

/** Sections as a program would describe them that parses and writes them. */
function detailsOf(sections: Sections, names: readonly string[]): string {
  const wanted = Object.entries(sections).filter(([name]) => names.length === 0 || names.includes(name));
  const details = wanted.map(([Name, Attributes]) => [Name, { Attributes, Name, Size: sizeOf(Attributes) }]);
  return JSON.stringify(Object.fromEntries(details));
}

test('sections are described without being parsed, as if they had been', () => {
  fc.assert(
    fc.property(SECTIONS, fc.array(NAME, { maxLength: 2 }), fc.nat(), (sections, others, index) => {
      const stored = JSON.stringify(sections);
      const one = Object.keys(sections)[index % (Object.keys(sections).length + 1)];
      const names = one === undefined ? others : [one, ...others];
      for (const wanted of [undefined, [], names]) {
        assert.equal(
          text(sectionJobs.describe({ sections: stored, names: wanted })),
          detailsOf(sections, wanted ?? []),
        );
      }
      assert.equal(exportedBytesOf(stored), documentSizeOf(sections));
    }),
  );
});

test('stored text that is no JSON of an object is a fault of the server, not an endless search', () => {
  for (const broken of ['{"A":{"x":"', '{"A":{"x":1', '{"A', '{"A":']) {
    assert.throws(() => sectionJobs.describe({ sections: broken }), /SyntaxError|stored sections/, broken);
  }
});

test('what is exported imports as the same sections, described at once', () => {
  fc.assert(
    fc.property(SECTIONS, (sections) => {
      const stored = JSON.stringify(sections);
      const { stored: imported, described } = sectionJobs.import(sectionJobs.export(stored));
      assert.equal(imported, stored);
      assert.equal(text(described), detailsOf(sections, []));
    }),
  );
});

test('the text of a value is its JSON, and has every fault of the value', () => {
  fc.assert(fc.property(JSON_VALUE, (value) => assert.equal(jsonTextOf(value), JSON.stringify(value))));
  const nested = (depth: number, inner: string) => `${'[{"a":'.repeat(depth / 2)}${inner}${'}]'.repeat(depth / 2)}`;
  for (const faulty of [
    '1e999',
    '[{"a":-1e999}]',
    nested(66, '1'),
    nested(100_000, '1e999'),
    `[${nested(66, '0')},1e999]`,
  ]) {
    const value = parseJson(faulty) as Json;
    const written = jsonTextOf(value);
    for (const depth of [MAX_DEPTH, MAX_DEPTH - 1, 1]) {
      const fault = faultOfValue(value, depth);
      assert.ok(fault);
      assert.equal(faultOfValue(parseJson(written) as Json, depth), fault, faulty.slice(0, 50));
    }
  }
});
