import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../test/support/manual-clock.ts';
import { createRareWarnings } from './rare-warnings.ts';

function open() {
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = { warn: (facts: object, message: string) => void lines.push(`${message} ${JSON.stringify(facts)}`) };
  return { clock, lines, warn: createRareWarnings({ clock, log }) };
}

test('the same is said once an hour', () => {
  const { clock, lines, warn } = open();
  for (let more = 0; more < 5; more += 1) warn('a', { a: 1 }, 'one');
  warn('a', {}, 'two');
  assert.deepEqual(lines, ['one {"a":1}', 'two {}']);
  clock.advance(3_599_000);
  warn('a', {}, 'one');
  assert.equal(lines.length, 2);
  clock.advance(1_000);
  warn('a', {}, 'one');
  assert.equal(lines.length, 3);
});

test('a flood of names makes ten warnings, then one a minute, and hides no warning of another kind', () => {
  const { clock, lines, warn } = open();
  for (let name = 0; name < 5_000; name += 1) warn(`${name}`, {}, 'flood');
  assert.equal(lines.length, 10);
  warn('a', {}, 'rare');
  assert.equal(lines.length, 11);
  clock.advance(60_000);
  // What was left out is not remembered as said.
  warn('4999', {}, 'flood');
  warn('4998', {}, 'flood');
  assert.equal(lines.length, 12);
});
