import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom, uuidV7After } from './random.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('a UUID after another sorts after it, whatever the clock says', () => {
  let previous: string | undefined;
  for (const unixMs of [1_000, 1_000, 999, 0, 5_000, 2 ** 47, 2 ** 47, 3]) {
    const id = uuidV7After(previous, systemRandom, unixMs);
    assert.match(id, UUID_V7);
    assert.ok(previous === undefined || id > previous, `${id} after ${previous}`);
    previous = id;
  }
});

test('a UUID after another tells the time when that has gone on', () => {
  const millisecondsOf = (id: string) => Number.parseInt(id.replace('-', '').slice(0, 12), 16);
  const first = uuidV7After(undefined, systemRandom, 1_000);
  assert.deepEqual([millisecondsOf(first), millisecondsOf(uuidV7After(first, systemRandom, 2_000))], [1_000, 2_000]);
});
