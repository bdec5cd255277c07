import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compileWildcard } from './wildcard.ts';

describe('a wildcard pattern', () => {
  it('matches what the same regular expression matches', () => {
    const letters = fc.constantFrom('a', 'b', '/', ':', '.');
    const pattern = fc.string({ unit: fc.oneof(letters, fc.constantFrom('*', '?')), maxLength: 8 });
    fc.assert(
      fc.property(pattern, fc.string({ unit: letters, maxLength: 10 }), (wanted, text) => {
        const source = wanted.replaceAll('.', '\\.').replaceAll('?', '.').replaceAll('*', '.*');
        assert.equal(compileWildcard(wanted)(text), new RegExp(`^${source}$`, 's').test(text));
      }),
      { seed: 1, numRuns: 5000 },
    );
  });

  it('finds long pieces, wherever they are', () => {
    const letters = fc.constantFrom('a', 'a', 'a', 'b');
    const pieces = fc.array(fc.string({ unit: fc.oneof(letters, fc.constant('?')), maxLength: 100 }), { maxLength: 3 });
    const between = fc.array(fc.string({ unit: letters, maxLength: 40 }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(pieces, between, fc.nat(200), (some, others, place) => {
        const text = some.map((piece, index) => others[index] + piece.replaceAll('?', 'c')).join('') + others[3];
        const changed = `${text.slice(0, place)}d${text.slice(place + 1)}`;
        const pattern = `*${some.join('*')}*`;
        const expected = new RegExp(`^${pattern.replaceAll('?', '.').replaceAll('*', '.*')}$`);
        assert.equal(compileWildcard(pattern)(text), true);
        assert.equal(compileWildcard(pattern)(changed), expected.test(changed));
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  it('takes no exponential time', () => {
    const isMatch = compileWildcard(`${'*a'.repeat(1000)}b`);
    assert.equal(isMatch('a'.repeat(2000)), false);
  });
});
