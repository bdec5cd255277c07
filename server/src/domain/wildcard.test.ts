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

  it('takes no exponential time', () => {
    const isMatch = compileWildcard(`${'*a'.repeat(1000)}b`);
    assert.equal(isMatch('a'.repeat(2000)), false);
  });
});
