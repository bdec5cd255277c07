import assert from 'node:assert/strict';
import { ServiceError } from '../../errors.ts';
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

const NOTHING = { version: 0, values: new Map() };

const quota = (maxBytesPerStage: number): PlayerDataLimits => ({ ...LIMITS, maxBytesPerStage });

const entries = (values: Readonly<Record<string, string | undefined>>) => new Map(Object.entries(values));

const isOverQuota = (error: unknown) => error instanceof ServiceError && error.code === 'quota_exceeded';

/** Holds one implementation to what `PlayerData` promises of the players of a stage together. */
export function testQuota(stores: PlayerDataStores, register: Register): void {
  testRefusals(stores, register);
  testCounts(stores, register);
}

/** An entry that a stage is charged so many bytes for. */
const charged = (bytes: number, key = 'k') => new Map([[key, 'x'.repeat(bytes - BYTES_BESIDE_ENTRY - key.length)]]);

const playersOf = (stageId: string, count: number): PlayerKey[] =>
  Array.from({ length: count }, (_, index) => ({ stageId, playerId: `p${index}` }));

/** What a stage is charged for these players. */
async function chargeOf(data: PlayerData, players: readonly PlayerKey[]): Promise<number> {
  let charge = 0;
  for (const player of players) {
    const { values } = await data.get(player);
    for (const [key, value] of values) charge += Buffer.byteLength(key + value) + BYTES_BESIDE_ENTRY;
  }
  return charge;
}

/** Holds the stage to have room for exactly so many bytes. */
async function assertRoom(data: PlayerData, stageId: string, bytes: number): Promise<void> {
  const probe = { stageId, playerId: 'probe' };
  await assert.rejects(data.set(probe, charged(bytes + 1)), isOverQuota);
  await data.set(probe, charged(bytes));
  await data.remove(probe);
}

function testRefusals({ open, openBeside }: PlayerDataStores, register: Register): void {
  register('the players of a stage together have no more than its quota', async (t) => {
    const data = await open(t, quota(1_000));
    const [first, second, third] = playersOf('dev', 3) as [PlayerKey, PlayerKey, PlayerKey];
    await data.set(first, charged(400));
    await data.set(second, charged(400));
    await assert.rejects(data.set(third, charged(201)), isOverQuota);
    assert.deepEqual(await data.get(third), NOTHING);
    await data.set(third, charged(200));
    await assert.rejects(data.set(first, charged(401)), isOverQuota);
    assert.deepEqual((await data.get(first)).values, charged(400));
  });

  register('each key of a player takes of the quota what a database needs beside it', async (t) => {
    const data = await open(t, quota(5 * (BYTES_BESIDE_ENTRY + 3)));
    await data.set(ANNA, entries({ a: '1', b: '2', é: '' }));
    await data.set(BERT, entries({ ab: '1' }));
    await assert.rejects(data.set(BERT, entries({ c: '1', d: '1' })), isOverQuota);
    await assertRoom(data, 'dev', BYTES_BESIDE_ENTRY + 6);
  });

  register('a write that the quota of a stage refuses writes nothing and counts for nothing', async (t) => {
    const data = await open(t, quota(1_000));
    await data.set(ANNA, new Map([...charged(300, 'a'), ...charged(300, 'b')]));
    const before = await data.get(ANNA);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const changes = new Map([...charged(701, 'c'), ['a', undefined]]);
      await assert.rejects(data.set(ANNA, changes), isOverQuota);
      await assert.rejects(data.set(BERT, charged(401)), isOverQuota);
    }
    assert.deepEqual(await data.get(ANNA), before);
    assert.deepEqual(await data.get(BERT), NOTHING);
    await assertRoom(data, 'dev', 400);
  });

  register('a stage at its quota, or beyond the one that it now has, still shrinks', async (t) => {
    const data = await open(t, quota(1_000));
    await data.set(ANNA, new Map([...charged(300, 'a'), ...charged(300, 'b')]));
    await data.set(BERT, charged(400));
    await data.set(BERT, entries({ k: 'y'.repeat(400 - BYTES_BESIDE_ENTRY - 1) }));
    const smaller = await openBeside(t, data, quota(500));
    await assert.rejects(smaller.set(BERT, charged(401)), isOverQuota);
    await smaller.set(BERT, charged(400));
    await smaller.set(BERT, charged(390));
    await smaller.set(ANNA, new Map([...charged(300, 'c'), ['a', undefined]]));
    await smaller.set(ANNA, entries({ b: undefined }));
    await smaller.remove(BERT);
    await assertRoom(smaller, 'dev', 200);
  });

  register('each stage has a quota of its own', async (t) => {
    const data = await open(t, quota(1_000));
    const elsewhere = { ...ANNA, stageId: 'live' };
    await data.set(ANNA, charged(1_000));
    await data.set(elsewhere, charged(600));
    await assert.rejects(data.set(BERT, charged(200)), isOverQuota);
    await assertRoom(data, 'live', 400);
    await data.remove(elsewhere);
    await data.removeStage('live');
    await assert.rejects(data.set(BERT, charged(200)), isOverQuota);
    await assertRoom(data, 'live', 1_000);
  });
}

function testCounts({ open, openBeside }: PlayerDataStores, register: Register): void {
  register("what is removed of a player's data makes room in the stage", async (t) => {
    const data = await open(t, quota(2_000));
    await data.set(BERT, charged(500));
    await data.set(ANNA, new Map([...charged(300, 'a'), ...charged(400, 'b'), ...charged(500, 'c')]));
    await assertRoom(data, 'dev', 300);
    await data.set(ANNA, new Map([['a', undefined], ['unknown', undefined], ...charged(200, 'b')]));
    await assertRoom(data, 'dev', 800);
    await data.remove(ANNA);
    await data.remove(ANNA);
    await assertRoom(data, 'dev', 1_500);
    await data.set(BERT, entries({ k: undefined }));
    await assertRoom(data, 'dev', 2_000);
  });

  register('the removal of a stage makes room for as much as it may have', async (t) => {
    const data = await open(t, quota(1_000_000));
    for (let round = 0; round < 2; round += 1) {
      await Promise.all(playersOf('dev', 400).map((player) => data.set(player, charged(2_000))));
      await data.removeStage('dev');
      await assertRoom(data, 'dev', 1_000_000);
    }
  });

  register('the count of a stage is exact after many writes at once, made and refused', async (t) => {
    const data = await open(t, { ...quota(10_000), maxKeysPerPlayer: 3 });
    const players = playersOf('dev', 60);
    const results = await Promise.allSettled(players.map((player) => data.set(player, charged(500))));
    for (const result of results) {
      assert.ok(result.status === 'fulfilled' || isOverQuota(result.reason));
    }
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 20);
    const others = players.flatMap((player, index) => [
      data.set(player, index % 3 === 0 ? charged(300) : new Map([['k', undefined]]), index % 2 === 0 ? undefined : 7),
      data.set(player, charged(200, 'other')),
      data.set(player, entries({ a: '1', b: '1', c: '1', d: '1' })),
      index % 5 === 0 ? data.remove(player) : data.set(player, charged(250, 'other')),
    ]);
    const codes = (await Promise.allSettled(others)).map((result) =>
      result.status === 'rejected' ? result.reason.code : result.status,
    );
    assert.deepEqual(new Set(codes), new Set(['fulfilled', 'conflict', 'quota_exceeded']));
    const charge = await chargeOf(data, players);
    assert.ok(charge <= 10_000, `${charge} bytes`);
    await Promise.all(players.slice(0, 30).map((player) => data.remove(player)));
    await assertRoom(data, 'dev', 10_000 - (await chargeOf(data, players)));
    await data.removeStage('dev');
    await assertRoom(data, 'dev', 10_000);
  });

  register('what several processes write and remove is counted together', async (t) => {
    const here = await open(t, LIMITS);
    const beside = await openBeside(t, here, LIMITS);
    const players = playersOf('dev', 30);
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(
        players.flatMap((player, index) => {
          const [one, other] = (index + round) % 2 === 0 ? [here, beside] : [beside, here];
          const shrinks = new Map([...charged(150 + round, 'a'), ['b', undefined]]);
          return [
            one.set(player, charged(200 + index, 'a')),
            other.set(player, (index + round) % 3 === 0 ? shrinks : charged(200, 'b')),
            (index + round) % 7 === 0 ? one.remove(player) : other.set(player, charged(160, 'c')),
          ];
        }),
      );
    }
    const limited = await openBeside(t, here, quota((await chargeOf(here, players)) + 300));
    await assertRoom(limited, 'dev', 300);
  });

  register('the count of a stage is there when its data is opened again', async (t) => {
    const data = await open(t, quota(1_000));
    const again = await openBeside(t, data, quota(1_000));
    await data.set(ANNA, charged(700));
    await data.close();
    await assertRoom(again, 'dev', 300);
    await again.remove(ANNA);
    await assertRoom(again, 'dev', 1_000);
  });
}
