import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileEngine, startEngine } from './engine.ts';
import { GuestMemory } from './guest-memory.ts';

const MEBIBYTE = 1_048_576;

async function open() {
  const { memory, exports } = await startEngine(await compileEngine());
  return { memory, exports, guestMemory: new GuestMemory({ memory, exports }) };
}

test('this build of the engine has its allocator and its stack under the names that are expected', async () => {
  const { memory, exports } = await open();
  const [first, second] = [exports.v(1_000), exports.v(1_000)];
  assert.ok(first > 0 && second > first && second < memory.buffer.byteLength);
  exports.M(second);
  exports.M(first);
  assert.equal(exports.v(1_000), first, 'what was freed is given again');
  const top = exports.Oa();
  assert.ok(top > MEBIBYTE && top < 8 * MEBIBYTE, `${top}`);
});

test('a restore puts back every byte of the heap and of the static data', async () => {
  const { memory, exports, guestMemory } = await open();
  const pointer = exports.v(100_000);
  new Uint8Array(memory.buffer).fill(7, pointer, pointer + 100_000);
  const snapshot = guestMemory.save();
  const before = new Uint8Array(memory.buffer).slice();
  const large = exports.v(MEBIBYTE);
  new Uint8Array(memory.buffer).fill(9, large, large + MEBIBYTE);
  new Uint8Array(memory.buffer).fill(0, pointer, pointer + 50_000);
  exports.M(pointer);
  assert.equal(guestMemory.restore(snapshot, 4 * MEBIBYTE), true);
  assert.ok(Buffer.from(before.buffer).equals(new Uint8Array(memory.buffer)));
});

test('memory that has grown, or reaches further than it may, is not restored', async () => {
  const { exports, guestMemory } = await open();
  const snapshot = guestMemory.save();
  exports.v(2 * MEBIBYTE);
  assert.equal(guestMemory.restore(snapshot, MEBIBYTE), false);
  exports.v(14 * MEBIBYTE);
  assert.equal(guestMemory.restore(snapshot, 100 * MEBIBYTE), false);
});

test('a stack that went deeper than a script can go is not restored', async () => {
  const { memory, exports, guestMemory } = await open();
  const snapshot = guestMemory.save();
  new Uint8Array(memory.buffer)[exports.Oa() - 262_144 - 100] = 1;
  assert.equal(guestMemory.restore(snapshot, MEBIBYTE), false);
});
