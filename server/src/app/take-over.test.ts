import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { rest } from '../../test/support/gateway.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { systemClock } from '../clock.ts';
import { loadSettings } from '../config/config.ts';
import { Closers } from './closers.ts';
import { resumeWork } from './take-over.ts';

const CLUSTER = {
  RESPARK_DATABASE_URL: 'postgres://me@localhost/d',
  RESPARK_SECRET_KEY: Buffer.alloc(32, 'key').toString('base64'),
  RESPARK_LEASE_MS: '30000',
  RESPARK_REDIS_URL: 'redis://localhost',
  RESPARK_PUBLIC_URL: 'https://respark.example',
};

/** A node with two kinds of work, whose first look of all succeeds and whose later ones for deletions fail. */
async function prepare(t: TestContext, env: Readonly<Record<string, string>>) {
  const clock = new ManualClock();
  const closers = new Closers();
  const { log, lines } = recordedLog();
  t.after(() => closers.close({ clock: systemClock, log }));
  const looked: string[] = [];
  const background = ['deletions', 'deployments'].map((name) => ({
    name,
    async resume() {
      looked.push(name);
      if (name === 'deletions' && looked.length > 2) throw new Error('the store is away');
    },
  }));
  await resumeWork({ background, settings: loadSettings({ env }), closers, clock, log });
  return {
    looked,
    lines,
    async pass() {
      clock.advance(30_000);
      await rest();
    },
    close: () => closers.close({ clock: systemClock, log }),
  };
}

test('a node of a cluster looks for unfinished work again and again, whatever fails, until it ends', async (t) => {
  const { looked, lines, pass, close } = await prepare(t, CLUSTER);
  const each = ['deletions', 'deployments'];
  assert.deepEqual(looked, each);
  await pass();
  assert.deepEqual(looked, [...each, ...each]);
  await pass();
  assert.deepEqual(looked, [...each, ...each, ...each]);
  assert.equal(lines.length, 2);
  await close();
  await pass();
  assert.equal(looked.length, 6);
});

test('a single node goes on with its own work when it starts, and then looks no more', async (t) => {
  const { looked, pass } = await prepare(t, {});
  assert.equal(looked.length, 2);
  await pass();
  assert.equal(looked.length, 2);
});

test('a node for players does no background work', async (t) => {
  const { looked, pass } = await prepare(t, { ...CLUSTER, RESPARK_NODE_ROLE: 'gateway' });
  await pass();
  assert.deepEqual(looked, []);
});
