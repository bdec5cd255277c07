import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keeping, percentEncoded } from './percent-encoding.ts';

test('text is encoded as encodeURIComponent does it, but for the characters that are kept', () => {
  const unreserved = keeping('\\w.~-');
  const byRules = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  fc.assert(
    fc.property(
      fc.string({ unit: fc.oneof(fc.constantFrom(...'%/~é€😀'), fc.string({ unit: 'grapheme' })) }),
      (text) => {
        assert.equal(percentEncoded(text, unreserved), byRules(text));
        const ofPath = percentEncoded(text, keeping('\\w.~/-'));
        assert.equal(ofPath, byRules(text).replaceAll('%2F', '/'));
        assert.equal(percentEncoded(ofPath, keeping('%\\w.~/-')), ofPath);
      },
    ),
    { seed: 20_260_102, numRuns: 1_000 },
  );
});
