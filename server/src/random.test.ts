import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSystemRandom, uuidV7, uuidV7After } from './random.ts';

const random = createSystemRandom();
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('a UUID after another sorts after it, whatever the clock says', () => {
  let previous: string | undefined;
  for (const unixMs of [1_000, 1_000, 999, 0, 5_000, 2 ** 47, 2 ** 47, 3]) {
    const id = uuidV7After(previous, random, unixMs);
    assert.match(id, UUID_V7);
    assert.ok(previous === undefined || id > previous, `${id} after ${previous}`);
    previous = id;
  }
});

test('a UUID is laid out as in the example of RFC 9562, A.6', () => {
  const bytes = Uint8Array.of(0xfc, 0xc3, 0x58, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f);
  const random = (count: number) => bytes.subarray(0, count);
  for (let again = 0; again < 2; again += 1) {
    assert.equal(uuidV7(random, 0x017f22e279b0), '017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
  }
  assert.equal(uuidV7(random, 0xffffffffffff), 'ffffffff-ffff-7cc3-98c4-dc0c0c07398f');
  assert.equal(uuidV7(random, 7), '00000000-0007-7cc3-98c4-dc0c0c07398f');
});

test('a UUID after another tells the time once the clock has moved on', () => {
  const millisecondsOf = (id: string) => Number.parseInt(id.replace('-', '').slice(0, 12), 16);
  const first = uuidV7After(undefined, random, 1_000);
  assert.deepEqual([millisecondsOf(first), millisecondsOf(uuidV7After(first, random, 2_000))], [1_000, 2_000]);
});

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
