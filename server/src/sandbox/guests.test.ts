import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { compileEngine } from './engine.ts';
import { Guests } from './guests.ts';

const MEBIBYTE = 1_048_576;

async function openGuests(maxBytes: number) {
  const clock = new ManualClock();
  const guests = new Guests({
    engine: await compileEngine(),
    host: { call: () => '{}', log() {} },
    limits: { maxTicks: 500, maxBusyMs: 500, maxGrowthBytes: 4 * MEBIBYTE },
    clock,
    maxBytes,
  });
  return {
    clock,
    /** Loads scripts that have so many functions; a thousand take nearly a megabyte. */
    async load(id: string, gameId: string, functions: number) {
      const script = `var a = [${'() => 1,'.repeat(functions)}]; return GameSparks().Messaging().Response({});`;
      await guests.load({ id, gameId, scripts: new Map([['h', script]]) });
    },
    has: async (id: string) => (await guests.find(id)) !== undefined,
  };
}

test('a game that loads one script after the other takes the room of no other game', async () => {
  const { load, has } = await openGuests(8 * MEBIBYTE);
  await load('own', 'game', 1_000);
  for (let index = 0; index < 20; index += 1) {
    await load(`hostile ${index}`, 'hostile', 5_000);
    assert.ok(await has(`hostile ${index}`), `what was loaded last is there in round ${index}`);
  }
  assert.ok(await has('own'), 'the scripts of the other game are still there');
  assert.ok(!(await has('hostile 0')), 'its own oldest have made room');
});

test('games that are not in use make room for one that is, however large it is', async () => {
  const { clock, load, has } = await openGuests(8 * MEBIBYTE);
  for (let index = 0; index < 8; index += 1) await load(`idle ${index}`, `idle game ${index}`, 500);
  clock.advance(60_000);
  for (const id of ['old', 'new']) await load(id, 'large game in use', 3_000);
  for (const id of ['old', 'new']) assert.ok(await has(id), `players on the ${id} runtime wait for no scripts`);
});

test('a game that has one script after the other loaded makes room for itself, also if another has more', async () => {
  const { clock, load, has } = await openGuests(8 * MEBIBYTE);
  await load('own', 'large game', 8_000);
  for (let index = 0; index < 20; index += 1) {
    await load(`hostile ${index}`, 'hostile game', 2_500);
    clock.advance(1_000);
    assert.ok(await has('own'), `the scripts of the other game are there in round ${index}`);
  }
});

test('of games that have alike, the one that was used longest ago makes room', async () => {
  const { load, has } = await openGuests(8 * MEBIBYTE);
  for (let index = 0; index < 20; index += 1) await load(`runtime ${index}`, `game ${index}`, 1_000);
  assert.ok(await has('runtime 19'));
  assert.ok(await has('runtime 17'));
  assert.ok(!(await has('runtime 0')));
});

test('what was loaded last stays, even if it takes all room', async () => {
  const { load, has } = await openGuests(MEBIBYTE);
  await load('small', 'game', 10);
  await load('large', 'other', 10_000);
  assert.ok(await has('large'));
  assert.ok(!(await has('small')));
});
