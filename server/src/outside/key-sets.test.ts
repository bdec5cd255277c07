import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createKeySets } from './key-sets.ts';
import { OutsideFault } from './outside-fault.ts';

test('a stage that names one URL after the other takes no keys from other stages', async () => {
  const asked: string[] = [];
  const fetchKeys = async (url: string) => {
    asked.push(url);
    return { keys: [], maxAgeMs: undefined };
  };
  const keySets = createKeySets({ fetchKeys, clock: new ManualClock(), warn: () => {} });
  // More rounds than a stage may have fetches at once.
  for (let round = 0; round < 12; round += 1) {
    const { keys } = await keySets.get('https://login.example/jwks', { id: 'stage', group: 'game' });
    assert.notEqual(keys, undefined, `its keys are known in round ${round}`);
    for (let count = 0; count < 250; count += 1)
      await keySets.get(`https://evil.example/${round}/${count}`, { id: 'hostile stage', group: 'game' });
  }
  assert.equal(asked.filter((url) => url === 'https://login.example/jwks').length, 1);
});

test('as many games as a large server has may trust the same provider', async () => {
  let fetches = 0;
  const fetchKeys = async () => {
    fetches += 1;
    return { keys: [], maxAgeMs: undefined };
  };
  const keySets = createKeySets({ fetchKeys, clock: new ManualClock(), warn: () => {} });
  for (let round = 0; round < 3; round += 1) {
    for (let game = 0; game < 1_000; game += 1) {
      const owner = { id: `stage of ${game}`, group: `game ${game}` };
      assert.notEqual((await keySets.get('https://login.example/jwks', owner)).keys, undefined);
    }
  }
  assert.equal(fetches, 1_000);
});

test('a game that makes one stage after the other takes no keys from other games, and has a bounded number fetched', async () => {
  const clock = new ManualClock();
  const asked: string[] = [];
  let isAway = false;
  const fetchKeys = async (url: string) => {
    asked.push(url);
    if (isAway) throw new OutsideFault('unavailable', 'it is away');
    return { keys: [], maxAgeMs: undefined };
  };
  const keySets = createKeySets({ fetchKeys, clock, warn: () => {} });
  const own = { id: 'stage', group: 'game' };
  const known = async () => (await keySets.get('https://login.example/jwks', own)).keys !== undefined;
  assert.ok(await known());
  // The hostile game names the same URL, too, and no fetch of its own makes it the other game's.
  await keySets.get('https://login.example/jwks', { id: 'hostile', group: 'hostile game' });
  for (let second = 0; second < 600; second += 1) {
    for (let count = 0; count < 10; count += 1) {
      const stage = { id: `made in second ${second}`, group: 'hostile game' };
      await keySets.get(`https://evil.example/${second}/${count}`, stage);
    }
    clock.advance(1_000);
  }
  const ofHostile = asked.filter((url) => url.startsWith('https://evil.example/')).length;
  assert.ok(ofHostile > 300 && ofHostile <= 700, `${ofHostile} fetches`);
  isAway = true;
  assert.ok(await known(), 'the keys that it had count while its provider is away');
});
