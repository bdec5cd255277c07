import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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

  it('keeps little more than itself, whatever it was compared with', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const bytesUsed = () => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const piece = String.fromCharCode(...Array.from({ length: 254 }, (_, at) => 0x4e00 + at));
    const before = bytesUsed();
    const compiled = Array.from({ length: 500 }, (_, at) => compileWildcard(`*${piece}${at % 10}*`));
    for (const isMatch of compiled) assert.equal(isMatch('a'.repeat(256)), false);
    const each = (bytesUsed() - before) / compiled.length;
    assert.ok(each < 4_096, `${each} bytes`);
    assert.equal(compiled.length, 500);
  });
});
