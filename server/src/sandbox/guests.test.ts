import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../clock.ts';
import { compileEngine } from './engine.ts';
import { Guests } from './guests.ts';

const MEBIBYTE = 1_048_576;

async function openGuests(maxBytes: number) {
  const guests = new Guests({
    engine: await compileEngine(),
    host: { call: () => '{}', log() {} },
    limits: { maxTicks: 500, maxBusyMs: 500, maxGrowthBytes: 4 * MEBIBYTE },
    clock: systemClock,
    maxBytes,
  });
  return {
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
