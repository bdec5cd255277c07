import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { diffLines, shortened } from './line-diff.ts';

const written = (before: string, after: string) =>
  diffLines(before, after).map(({ kind, text }) => `${{ same: ' ', removed: '-', added: '+' }[kind]}${text}`);

test('lines that were changed stand below those that they replace, and what is the same is not repeated', () => {
  assert.deepEqual(written('a\nb\nc\n', 'a\nB\nc\nd\n'), [' a', '-b', '+B', ' c', '+d']);
  assert.deepEqual(written('', 'a\n'), ['+a']);
  assert.deepEqual(written('a', ''), ['-a']);
  assert.deepEqual(written('', ''), []);
  assert.deepEqual(written('x\ny\nz', 'y\nz\nx'), ['-x', ' y', ' z', '+x']);
});

test('whatever the texts, both can be read from the difference, which has no more than it needs', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 12 }).map((lines) => lines.join('\n'));
  const lines = (given: string) => {
    const all = given.split('\n');
    return all.at(-1) === '' ? all.slice(0, -1) : all;
  };
  fc.assert(
    fc.property(text, text, (before, after) => {
      const diff = diffLines(before, after);
      const without = (kind: string) => diff.filter((line) => line.kind !== kind).map((line) => line.text);
      assert.deepEqual(without('added'), lines(before));
      assert.deepEqual(without('removed'), lines(after));
      if (before === after) assert.ok(diff.every(({ kind }) => kind === 'same'));
    }),
    { seed: 1, numRuns: 2_000 },
  );
});

test('texts that would take too long to compare are removed and added as a whole', () => {
  const [before, after] = ['a\n'.repeat(3_000), 'b\n'.repeat(3_000)];
  const startedAt = performance.now();
  assert.equal(diffLines(`${before}x`, `${after}y`).length, 6_002);
  assert.ok(performance.now() - startedAt < 2_000);
});

test('what is far from a change is counted instead of shown', () => {
  const before = Array.from({ length: 20 }, (_, index) => `${index}`);
  const after = before.with(10, 'ten');
  const shown = shortened(diffLines(before.join('\n'), after.join('\n')));
  assert.deepEqual(shown[0], { kind: 'gap', lines: 7 });
  assert.deepEqual(shown.at(-1), { kind: 'gap', lines: 6 });
  assert.equal(shown.length, 2 + 3 + 2 + 3);
});
