import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSystemRandom } from './random.ts';

test('small draws and large ones are as long as asked, and no byte is handed out twice', () => {
  const random = createSystemRandom();
  const draws = Array.from({ length: 1_000 }, (_, index) => random(8 + (index % 12)));
  assert.deepEqual(
    draws.map((draw) => draw.length),
    draws.map((_, index) => 8 + (index % 12)),
  );
  const beginnings = draws.map((draw) => Buffer.from(draw).toString('hex', 0, 8));
  assert.equal(new Set(beginnings).size, draws.length);
  assert.ok(!beginnings.includes('00'.repeat(8)), 'what was wiped is not drawn again');
});
