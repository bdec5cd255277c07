import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { takeOverNowAndThen } from './take-over.ts';

test('a node looks for unfinished work again and again, whatever fails, and not after it was told to end', async () => {
  const clock = new ManualClock();
  const { log } = recordedLog();
  const looks: string[] = [];
  const workNamed = (name: string) => ({
    name,
    async resume() {
      looks.push(name);
      if (name === 'deployments') throw new Error('the database is away');
    },
  });
  const parts = { background: ['deployments', 'deletions'].map(workNamed), clock, log };
  const end = takeOverNowAndThen({ ...parts, settings: { databaseUrl: 'postgres://me@localhost/d' } });
  const pass = async () => {
    clock.advance(30_000);
    await new Promise(setImmediate);
  };
  assert.deepEqual(looks, []);
  await pass();
  assert.deepEqual(looks, ['deployments', 'deletions']);
  await pass();
  assert.equal(looks.length, 4);
  await end();
  takeOverNowAndThen({ ...parts, settings: { databaseUrl: undefined } });
  await pass();
  assert.equal(looks.length, 4);
});
