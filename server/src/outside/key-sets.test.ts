import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createKeySets } from './key-sets.ts';

test('a stage that names one URL after the other takes no keys from other stages', async () => {
  const asked: string[] = [];
  const fetchKeys = async (url: string) => {
    asked.push(url);
    return { keys: [], maxAgeMs: undefined };
  };
  const keySets = createKeySets({ fetchKeys, clock: new ManualClock(), warn: () => {} });
  // More rounds than a stage may have fetches at once.
  for (let round = 0; round < 12; round += 1) {
    const { keys } = await keySets.get('https://login.example/jwks', 'stage');
    assert.notEqual(keys, undefined, `its keys are known in round ${round}`);
    for (let count = 0; count < 250; count += 1)
      await keySets.get(`https://evil.example/${round}/${count}`, 'hostile stage');
  }
  assert.equal(asked.filter((url) => url === 'https://login.example/jwks').length, 1);
});
