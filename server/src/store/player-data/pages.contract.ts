import assert from 'node:assert/strict';
import type { PlayerKey } from '../../player-key.ts';
import type { Register } from '../suite.ts';
import { BYTES_BESIDE_ENTRY, type PlayerData, type PlayerDataLimits } from './player-data.ts';
import type { PlayerDataStores } from './player-data-stores.ts';

const LIMITS: PlayerDataLimits = {
  maxKeysPerPlayer: 1_000,
  maxBytesPerPlayer: 3_000_000,
  maxBytesPerStage: 100_000_000,
};

const ANNA: PlayerKey = { stageId: 'dev', playerId: 'anna' };
const BERT: PlayerKey = { stageId: 'dev', playerId: 'bert' };

const entries = (values: Readonly<Record<string, string | undefined>>) => new Map(Object.entries(values));

/** What a stage is charged for these values. */
const chargeOf = (values: ReadonlyMap<string, string>) =>
  [...values].reduce((sum, [key, value]) => sum + Buffer.byteLength(key + value) + BYTES_BESIDE_ENTRY, 0);

async function readPage(data: PlayerData, player: PlayerKey, part: Parameters<PlayerData['page']>[1]) {
  const page = await data.page(player, part);
  for (const bytes of page.values.values()) assert.ok(bytes instanceof Uint8Array);
  const values = [...page.values].map(([key, bytes]) => [key, Buffer.from(bytes).toString()] as const);
  return { ...page, values: new Map(values) };
}

/** Every page, one after the other. */
async function readPages(data: PlayerData, player: PlayerKey, maxBytes: number) {
  const pages = [await readPage(data, player, { maxBytes })];
  for (;;) {
    const start = pages.at(-1)?.next;
    if (start === undefined) return pages;
    assert.ok(Buffer.byteLength(start.from) <= 512, 'a token has room for a position');
    pages.push(await readPage(data, player, { start, maxBytes }));
  }
}

/** Holds one implementation to what `PlayerData` promises of pages. */
export function testPages({ open, openBeside }: PlayerDataStores, register: Register): void {
  register('a page of a player without data has nothing', async (t) => {
    const data = await open(t, LIMITS);
    const nothing = { version: 0, keys: 0, bytes: 0, values: new Map(), next: undefined };
    assert.deepEqual(await data.page(ANNA, { maxBytes: 1_000 }), nothing);
    await data.set(ANNA, entries({ a: '1', b: '1' }));
    const { next: start } = await data.page(ANNA, { maxBytes: 1 });
    await data.set(ANNA, entries({ a: undefined, b: undefined }));
    for (const part of [{}, { start }]) assert.deepEqual(await data.page(ANNA, { ...part, maxBytes: 1_000 }), nothing);
  });

  register('pages have every value once, each as many as there is room for, and say how much there is', async (t) => {
    const data = await open(t, LIMITS);
    const beside = await openBeside(t, data, LIMITS);
    const values = new Map(Array.from({ length: 300 }, (_, at) => [`é${at}`, JSON.stringify('💥'.repeat(at % 40))]));
    for (const key of ['', '=', '#', '__proto__', "'", '💥'.repeat(64), '💥'.repeat(300), '\uffff'.repeat(200)])
      for (const end of ['', '\u0001', 'a', '💥', '\uffff'.repeat(90)]) values.set(`${key}${end}`, '1');
    await data.set(BERT, entries({ other: '1' }));
    const version = await data.set(ANNA, values);
    const total = { version, keys: values.size, bytes: chargeOf(values) - values.size * BYTES_BESIDE_ENTRY };
    for (const maxBytes of [1, 1_000, 10_000, 1_000_000]) {
      const pages = await readPages(beside, ANNA, maxBytes);
      const found = pages.flatMap((page) => [...page.values]);
      assert.equal(found.length, values.size);
      assert.deepEqual(new Map(found), values);
      for (const [index, { version, keys, bytes, ...page }] of pages.entries()) {
        assert.deepEqual({ version, keys, bytes }, total);
        const charge = chargeOf(page.values);
        assert.ok(page.values.size === 1 || charge <= maxBytes, `${charge} bytes on a page of ${maxBytes}`);
        const [next] = pages[index + 1]?.values ?? [];
        if (next !== undefined) assert.ok(charge + chargeOf(new Map([next])) > maxBytes, 'there is room for the next');
      }
    }
  });

  register('a page has a version that was written, and no part of another', async (t) => {
    const data = await open(t, LIMITS);
    const beside = await openBeside(t, data, LIMITS);
    const written = new Map<number, string>();
    const reads: ReturnType<typeof readPage>[] = [];
    for (let number = 0; number < 100; number += 1) {
      const key = `key ${number}`;
      const change = new Map([
        ['a', key],
        [key, key],
        [`key ${number - 1}`, undefined],
      ]);
      const write = data.set(ANNA, change);
      for (const each of [data, beside]) reads.push(readPage(each, ANNA, { maxBytes: 10_000 }));
      written.set(await write, key);
    }
    for (const { version, keys, values } of await Promise.all(reads)) {
      const key = written.get(version);
      const expected =
        key === undefined
          ? new Map()
          : new Map([
              ['a', key],
              [key, key],
            ]);
      assert.deepEqual([keys, values], [expected.size, expected]);
    }
  });
}
