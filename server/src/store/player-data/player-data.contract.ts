import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError } from '../../errors.ts';
import type { PlayerKey } from '../../player-key.ts';
import type { Register } from '../suite.ts';
import { testPages } from './pages.contract.ts';
import type { PlayerDataLimits } from './player-data.ts';
import type { PlayerDataStores } from './player-data-stores.ts';
import { testQuota } from './quota.contract.ts';

const LIMITS: PlayerDataLimits = {
  maxKeysPerPlayer: 1_000,
  maxBytesPerPlayer: 3_000_000,
  maxBytesPerStage: 100_000_000,
};

const ANNA: PlayerKey = { stageId: 'dev', playerId: 'anna' };
const BERT: PlayerKey = { stageId: 'dev', playerId: 'bert' };

const NOTHING = { version: 0, values: new Map() };

const entries = (values: Readonly<Record<string, string | undefined>>) => new Map(Object.entries(values));

const failsWith = (code: string) => (error: unknown) => error instanceof ServiceError && error.code === code;

/** Holds one implementation to every promise of `PlayerData`. */
export function testPlayerData(stores: PlayerDataStores, register: Register = test): void {
  testValues(stores, register);
  testVersions(stores, register);
  testWritesAtOnce(stores, register);
  testLimits(stores, register);
  testQuota(stores, register);
  testPages(stores, register);
  testRemoval(stores, register);
  testProcesses(stores, register);
}

function testValues({ open }: PlayerDataStores, register: Register): void {
  register('a player without data has no values and version 0', async (t) => {
    const data = await open(t, LIMITS);
    assert.deepEqual(await data.get(ANNA), NOTHING);
    assert.deepEqual(await data.get(ANNA, ['level']), NOTHING);
  });

  register('values are found under their keys as they were set, whatever the keys', async (t) => {
    const data = await open(t, LIMITS);
    const long = JSON.stringify('"\0\ud800é💥'.repeat(50_000));
    const values = new Map(
      ['', ' ', 'level', 'Level', 'level ', '__proto__', 'constructor', "' or 1 --", '%', 'é', 'e\u0301', '💥'].map(
        (key, index) => [key, `[${index},${long.slice(0, index * 100)}`],
      ),
    );
    values.set('long', long);
    await data.set(ANNA, values);
    const all = await data.get(ANNA);
    assert.deepEqual(all.values, values);
    for (const [key, value] of values) assert.deepEqual((await data.get(ANNA, [key])).values, new Map([[key, value]]));
  });

  register('only the keys that were asked for are given, and those that are not set are absent', async (t) => {
    const data = await open(t, LIMITS);
    const version = await data.set(ANNA, entries({ a: '1', b: '2', c: '3' }));
    const given = await data.get(ANNA, ['c', 'unknown', 'a', 'c', 'toString']);
    assert.deepEqual(given, { version, values: entries({ a: '1', c: '3' }) });
    assert.deepEqual(await data.get(ANNA, []), { version, values: new Map() });
    assert.deepEqual(await data.get(ANNA, ['unknown']), { version, values: new Map() });
  });

  register('a write sets and removes the keys that it names, and leaves all others', async (t) => {
    const data = await open(t, LIMITS);
    await data.set(ANNA, entries({ a: '1', b: '2', c: '3' }));
    await data.set(ANNA, entries({ b: 'null', c: undefined, d: '4', unknown: undefined }));
    assert.deepEqual((await data.get(ANNA)).values, entries({ a: '1', b: 'null', d: '4' }));
  });

  register('data belongs to one player in one stage', async (t) => {
    const data = await open(t, LIMITS);
    const players = [
      ANNA,
      BERT,
      { stageId: 'live', playerId: 'anna' },
      { stageId: 'dev', playerId: 'Anna' },
      { stageId: 'dev/anna', playerId: 'x' },
      { stageId: 'dev', playerId: 'anna/x' },
    ];
    for (const [index, player] of players.entries()) await data.set(player, entries({ number: String(index) }));
    for (const [index, player] of players.entries()) {
      assert.deepEqual((await data.get(player)).values, entries({ number: String(index) }));
    }
    assert.deepEqual(await data.get({ stageId: 'dev/anna', playerId: '' }), NOTHING);
  });

  register('text that cannot be kept is refused, and nothing is written', async (t) => {
    const data = await open(t, LIMITS);
    for (const text of ['\0', 'a\0b', '\ud800', 'a\udc00b', '\udc00\ud800']) {
      await assert.rejects(data.set(ANNA, entries({ a: '1', [text]: '2' })), failsWith('validation'));
      await assert.rejects(data.set(ANNA, entries({ a: '1', b: text })), failsWith('validation'));
    }
    assert.deepEqual(await data.get(ANNA), NOTHING);
  });
}

function testVersions({ open }: PlayerDataStores, register: Register): void {
  register('each write makes another version, which reads give until the next', async (t) => {
    const data = await open(t, LIMITS);
    const first = await data.set(ANNA, entries({ a: '1' }));
    assert.equal((await data.get(ANNA)).version, first);
    await data.set(BERT, entries({ a: '1' }));
    assert.equal((await data.get(ANNA, [])).version, first);
    const second = await data.set(ANNA, entries({ a: '1' }));
    const third = await data.set(ANNA, entries({ b: undefined }));
    assert.equal(new Set([0, first, second, third]).size, 4);
    assert.equal((await data.get(ANNA, ['unknown'])).version, third);
  });

  register('a version does not come back, even after everything was removed', async (t) => {
    const data = await open(t, LIMITS);
    const seen = new Set<number>();
    const removals = [
      () => data.remove(ANNA),
      () => data.set(ANNA, entries({ a: undefined })),
      () => data.removeStage(ANNA.stageId),
    ];
    for (const remove of removals) {
      const versions = [await data.set(ANNA, entries({ a: '1' })), await data.set(ANNA, entries({ a: '2' }))];
      for (const version of versions) {
        assert.ok(!seen.has(version), `version ${version} came back`);
        seen.add(version);
      }
      await remove();
    }
  });

  register('a player whose last key was removed has no data', async (t) => {
    const data = await open(t, LIMITS);
    await data.set(ANNA, entries({ a: '1', b: '2' }));
    assert.equal(await data.set(ANNA, entries({ a: undefined, b: undefined })), 0);
    assert.deepEqual(await data.get(ANNA), NOTHING);
    assert.equal(await data.set(BERT, entries({ a: undefined })), 0);
    assert.deepEqual(await data.get(BERT), NOTHING);
  });

  register('a write that expects a version is made at that version only', async (t) => {
    const data = await open(t, LIMITS);
    const first = await data.set(ANNA, entries({ a: '1' }), 0);
    await data.set(BERT, entries({ a: '1' }));
    const second = await data.set(ANNA, entries({ a: '2', b: '2' }), first);
    for (const version of [0, first, second + 1_000]) {
      await assert.rejects(data.set(ANNA, entries({ a: '3', c: '3' }), version), failsWith('conflict'));
      await assert.rejects(data.set(ANNA, entries({ a: undefined }), version), failsWith('conflict'));
    }
    assert.deepEqual(await data.get(ANNA), { version: second, values: entries({ a: '2', b: '2' }) });
    await data.remove(ANNA);
    await assert.rejects(data.set(ANNA, entries({ a: '3' }), second), failsWith('conflict'));
    await data.set(ANNA, entries({ a: '4' }), 0);
    assert.deepEqual((await data.get(ANNA)).values, entries({ a: '4' }));
  });
}

function testWritesAtOnce({ open, openBeside }: PlayerDataStores, register: Register): void {
  register('when many writes at once expect one version, one is made', async (t) => {
    const data = await open(t, LIMITS);
    const beside = await openBeside(t, data, LIMITS);
    for (let round = 0; round < 10; round += 1) {
      const { version } = await data.get(ANNA);
      const writes = Array.from({ length: 10 }, (_, index) =>
        (index % 2 === 0 ? data : beside).set(ANNA, entries({ a: String(index), [`b${index}`]: '1' }), version),
      );
      const results = await Promise.allSettled(writes);
      const made = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
      for (const result of results) assert.ok(result.status === 'fulfilled' || failsWith('conflict')(result.reason));
      assert.equal(made.length, 1);
      const { values } = await data.get(ANNA);
      assert.deepEqual(values, entries({ a: String(made[0]), [`b${made[0]}`]: '1' }));
      await data.set(ANNA, entries({ [`b${made[0]}`]: undefined }));
    }
  });

  register('when many writes at once expect nothing, each is made', async (t) => {
    const data = await open(t, LIMITS);
    const beside = await openBeside(t, data, LIMITS);
    const keys = Array.from({ length: 50 }, (_, index) => `key ${index}`);
    await data.set(ANNA, new Map(keys.map((key) => [key, '0'])));
    const writes = keys.map((key, index) =>
      (index % 2 === 0 ? data : beside).set(ANNA, new Map([[key, index < 10 ? undefined : '1']])),
    );
    assert.equal(new Set(await Promise.all(writes)).size, 50);
    assert.deepEqual((await data.get(ANNA)).values, new Map(keys.slice(10).map((key) => [key, '1'])));
  });

  register('a read never sees a part of a write', async (t) => {
    const data = await open(t, LIMITS);
    const beside = await openBeside(t, data, LIMITS);
    const reads: Promise<unknown>[] = [];
    for (let number = 0; number < 100; number += 1) {
      const write = data.set(ANNA, entries({ a: String(number), b: String(number) }));
      for (const each of [data, beside, data]) {
        const read = each.get(ANNA, ['a', 'b']);
        reads.push(read.then(({ values }) => assert.equal(values.get('a'), values.get('b'))));
        await undefined;
      }
      await write;
    }
    await Promise.all(reads);
  });
}

function testLimits({ open, openBeside }: PlayerDataStores, register: Register): void {
  const isOverQuota = failsWith('quota_exceeded');

  register('a player has no more keys than the limit, and a write beyond it changes nothing', async (t) => {
    const data = await open(t, { ...LIMITS, maxKeysPerPlayer: 3 });
    await data.set(ANNA, entries({ a: '1', b: '1', c: '1' }));
    await data.set(BERT, entries({ a: '1' }));
    await assert.rejects(data.set(ANNA, entries({ a: '2', d: '2' })), isOverQuota);
    await assert.rejects(data.set(BERT, entries({ b: '1', c: '1', d: '1' })), isOverQuota);
    assert.deepEqual((await data.get(ANNA)).values, entries({ a: '1', b: '1', c: '1' }));
    assert.deepEqual((await data.get(BERT)).values, entries({ a: '1' }));
    await data.set(ANNA, entries({ a: '2', c: undefined, d: '2' }));
    assert.deepEqual((await data.get(ANNA)).values, entries({ a: '2', b: '1', d: '2' }));
  });

  register('the keys and values of a player have no more bytes of UTF-8 than the limit', async (t) => {
    const data = await open(t, { ...LIMITS, maxBytesPerPlayer: 20 });
    await assert.rejects(data.set(ANNA, entries({ key: '"💥"', k2: '"12345678"' })), isOverQuota);
    await data.set(ANNA, entries({ key: '"💥"', k2: '"1234567"' }));
    await assert.rejects(data.set(ANNA, entries({ key: '"💥é"' })), isOverQuota);
    await assert.rejects(data.set(ANNA, entries({ é: '' })), isOverQuota);
    await data.set(ANNA, entries({ key: undefined, é: '"é12"' }));
    assert.deepEqual((await data.get(ANNA)).values, entries({ k2: '"1234567"', é: '"é12"' }));
    await data.set(BERT, entries({ k: '0123456789012345678' }));
    await assert.rejects(data.set(BERT, entries({ k: '01234567890123456789' })), isOverQuota);
  });

  register('a player with more data than the limit now allows can still remove and read it', async (t) => {
    const data = await open(t, LIMITS);
    const values = entries({ a: '"1234567890"', b: '"1234567890"', c: '1' });
    await data.set(ANNA, values);
    const smaller = await openBeside(t, data, { ...LIMITS, maxKeysPerPlayer: 1, maxBytesPerPlayer: 4 });
    assert.deepEqual((await smaller.get(ANNA)).values, values);
    await assert.rejects(smaller.set(ANNA, entries({ a: '1' })), isOverQuota);
    await smaller.set(ANNA, entries({ a: undefined }));
    await smaller.set(ANNA, entries({ b: undefined, c: '12' }));
    assert.deepEqual((await data.get(ANNA)).values, entries({ c: '12' }));
  });
}

function testRemoval({ open, openBeside }: PlayerDataStores, register: Register): void {
  register("a player's data is removed, and no other player's", async (t) => {
    const data = await open(t, LIMITS);
    const elsewhere = { ...ANNA, stageId: 'live' };
    for (const player of [ANNA, BERT, elsewhere]) await data.set(player, entries({ a: '1', b: '2' }));
    await data.remove(ANNA);
    await data.remove(ANNA);
    assert.deepEqual(await data.get(ANNA), NOTHING);
    assert.equal((await data.get(BERT)).values.size, 2);
    assert.equal((await data.get(elsewhere)).values.size, 2);
  });

  register('a removal says how much it has removed, and what is removed once is of one removal', async (t) => {
    const data = await open(t, LIMITS);
    const beside = await openBeside(t, data, LIMITS);
    const nothing = { keys: 0, bytes: 0 };
    assert.deepEqual(await data.remove(ANNA), nothing);
    await data.set(ANNA, entries({ a: '1', é: '"💥"', b: '2' }));
    await data.set(ANNA, entries({ b: undefined, a: '12' }));
    await data.set(BERT, entries({ a: '1' }));
    assert.deepEqual(await data.remove(ANNA), { keys: 2, bytes: 3 + 8 });
    assert.deepEqual(await data.remove(ANNA), nothing);
    const many = new Map(Array.from({ length: 700 }, (_, at) => [`key ${at}`, 'x'.repeat(1_000)]));
    const bytes = [...many.keys()].reduce((sum, key) => sum + key.length + 1_000, 0);
    for (let round = 0; round < 3; round += 1) {
      await data.set(ANNA, many);
      const removed = await Promise.all([data, beside, data, beside].map((each) => each.remove(ANNA)));
      const some = removed.filter(({ keys }) => keys > 0);
      assert.deepEqual(some, [{ keys: 700, bytes }]);
    }
    const during = await Promise.all([data.set(ANNA, many), data.remove(ANNA), data.set(ANNA, entries({ a: '1' }))]);
    const left = await data.page(ANNA, { maxBytes: 1 });
    assert.equal(left.keys + during[1].keys, 701, 'what was written was removed, or is there');
    assert.deepEqual(await data.remove(BERT), { keys: 1, bytes: 2 });
  });

  register("a stage's data is removed, however many players have some, and no other stage's", async (t) => {
    const data = await open(t, LIMITS);
    const players = Array.from({ length: 1_200 }, (_, index) => ({ stageId: 'dev', playerId: `p${index}` }));
    const others = ['dev2', 'de', 'Dev', 'd%'].map((stageId) => ({ stageId, playerId: 'p1' }));
    await Promise.all([...players, ...others].map((player) => data.set(player, entries({ a: '1', b: '2' }))));
    await data.removeStage('dev');
    await data.removeStage('dev');
    await data.removeStage('unknown');
    for (const player of players) assert.deepEqual(await data.get(player), NOTHING);
    for (const player of others) assert.equal((await data.get(player)).values.size, 2);
  });
}

function testProcesses({ open, openBeside }: PlayerDataStores, register: Register): void {
  register('another process sees each write that has ended, and its versions count here', async (t) => {
    const here = await open(t, LIMITS);
    const beside = await openBeside(t, here, LIMITS);
    let version = 0;
    for (const [index, writer] of [here, beside, beside, here, here, beside].entries()) {
      version = await writer.set(ANNA, entries({ a: String(index) }), version);
      const expected = { version, values: entries({ a: String(index) }) };
      for (const reader of [here, beside]) assert.deepEqual(await reader.get(ANNA), expected);
    }
    await beside.remove(ANNA);
    assert.deepEqual(await here.get(ANNA), NOTHING);
  });

  register('what is under way is written before it closes, and nothing after', async (t) => {
    const here = await open(t, LIMITS);
    const beside = await openBeside(t, here, LIMITS);
    const write = here.set(ANNA, entries({ a: '1' }));
    await here.close();
    const version = await write;
    await here.close();
    await assert.rejects(here.set(ANNA, entries({ a: '2' })));
    await assert.rejects(here.get(ANNA));
    await assert.rejects(here.page(ANNA, { maxBytes: 1 }));
    await assert.rejects(here.remove(ANNA));
    await assert.rejects(here.removeStage(ANNA.stageId));
    assert.deepEqual(await beside.get(ANNA), { version, values: entries({ a: '1' }) });
  });
}
