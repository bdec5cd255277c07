import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GrowingBytes } from './growing-bytes.ts';

test('bytes are kept in order, in a buffer that is no longer than need be', () => {
  const bytes = new GrowingBytes(1_000);
  const sizes: number[] = [];
  for (const length of [200, 200, 200, 400, 100]) {
    sizes.push(bytes.sizeWith(length));
    bytes.add(Buffer.alloc(length, sizes.length));
    assert.equal(bytes.all.buffer.byteLength, bytes.sizeWith(0));
  }
  // The first buffer, the first and the second, the second and the third, the third alone, and one for more than that.
  assert.deepEqual(sizes, [256, 256 + 512, 512 + 1_000, 1_000, 1_000 + 1_100]);
  const expected = [200, 200, 200, 400, 100].map((length, at) => Buffer.alloc(length, at + 1));
  assert(bytes.all.equals(Buffer.concat(expected)));
});

test('short bytes take no more than they are known to be', () => {
  const bytes = new GrowingBytes(5);
  bytes.add(Buffer.from('abc'));
  assert.equal(bytes.sizeWith(2), 5);
  assert.equal(bytes.add(Buffer.from('de')).toString(), 'de');
});
