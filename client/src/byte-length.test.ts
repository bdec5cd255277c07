import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteLength } from './byte-length.ts';

test('the length is that of the encoded text, halves of surrogate pairs included', () => {
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 0xffff }),
    fc.integer({ min: 0xd800, max: 0xdfff }),
    fc.constantFrom(0x7f, 0x80, 0x7ff, 0x800),
  );
  fc.assert(
    fc.property(fc.array(unit), (units) => {
      const text = String.fromCharCode(...units);
      assert.equal(byteLength(text), new TextEncoder().encode(text).length);
    }),
    { numRuns: 2_000 },
  );
});
