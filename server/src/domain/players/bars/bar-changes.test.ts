import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../../../../test/support/manual-clock.ts';
import { DEV, sampleGame, ZOO } from '../../../store/store-samples.ts';
import { openTestStore } from '../../../store/test-store.ts';
import { createBarChanges } from './bar-changes.ts';

const SCOPE = { gameId: ZOO.id, stageId: DEV.id, playerId: 'alice' };
const NO_ROOM = { take: async () => () => {}, freed() {} };

async function open(t: TestContext, { isInDirectory = false, versionInDirectory = 0 } = {}) {
  const store = await openTestStore(t);
  await store.games.insert(ZOO);
  await store.stages.insert(DEV);
  const brought: string[] = [];
  const none = { successes: [], failures: [] };
  const enforcement = {
    standing: () => ({ era: '', node: 'n1' }),
    async bring({ state }: { state: string }) {
      brought.push(state);
      return none;
    },
    async forget(_: unknown, version: number) {
      const newer = versionInDirectory > version ? versionInDirectory : undefined;
      brought.push(newer === undefined ? 'forgotten' : 'ignored');
      return { hasHeld: isInDirectory && newer === undefined, newer };
    },
  };
  let lookedFor = async () => {};
  const bars: typeof store.bars = {
    ...store.bars,
    async find(name) {
      const found = await store.bars.find(name);
      await lookedFor();
      return found;
    },
  };
  const changes = createBarChanges({ store: { ...store, bars }, enforcement, room: NO_ROOM, clock: new ManualClock() });
  const set = async () => {
    const terms = { until: undefined, signedInBefore: undefined, endsConnections: true };
    await changes.set('block', SCOPE, terms, { change: { actor: 'KEY', requestId: 'r1' } });
  };
  const lift = async () => {
    let told = 0;
    const held = await changes.lift('block', SCOPE, () => {
      told += 1;
    });
    return [held, told];
  };
  return {
    ...{ set, lift, brought },
    whenLookedFor(task: () => Promise<void>) {
      lookedFor = task;
    },
  };
}

test('whoever ends a block is told that there was one, and otherwise the directory forgets what it may have', async (t) => {
  const { set, lift, brought } = await open(t);
  assert.deepEqual(await lift(), [false, 0]);
  await set();
  assert.deepEqual(await lift(), [true, 1]);
  assert.deepEqual(brought, ['forgotten', 'SET', 'LIFTED']);
});

test('so is whoever ends a block that only the directory had, such as after a loss of the database', async (t) => {
  const { lift, brought } = await open(t, { isInDirectory: true });
  assert.deepEqual(await lift(), [true, 1]);
  assert.deepEqual(brought, ['forgotten']);
});

test('so is whoever ends a block that is set at the same moment', async (t) => {
  const { set, lift, brought, whenLookedFor } = await open(t);
  whenLookedFor(async () => {
    whenLookedFor(async () => {});
    await set();
  });
  assert.deepEqual(await lift(), [true, 1]);
  assert.deepEqual(brought, ['SET', 'LIFTED']);
});

test('the directory forgets a block also where it is of a newer version than the store gives', async (t) => {
  const { lift, brought } = await open(t, { isInDirectory: true, versionInDirectory: Date.now() * 2 });
  assert.deepEqual(await lift(), [true, 1]);
  assert.deepEqual(brought, ['ignored', 'forgotten']);
});

test('hundreds of blocks that one game asks for at once do not come before that of another game', async (t) => {
  const store = await openTestStore(t);
  const [busy, quiet] = [sampleGame('Busy'), sampleGame('Quiet')];
  await Promise.all([busy, quiet].map((game) => store.games.insert(game)));
  const enforcement = {
    standing: () => ({ era: '', node: 'n1' }),
    bring: async () => ({ successes: [], failures: [] }),
    forget: async () => ({ hasHeld: false, newer: undefined }),
  };
  const changes = createBarChanges({ store, enforcement, room: NO_ROOM, clock: new ManualClock() });
  const stored: string[] = [];
  const block = async (gameId: string, playerId: string) => {
    const terms = { until: undefined, signedInBefore: undefined, endsConnections: true };
    const change = { actor: 'KEY', requestId: 'r1' };
    await changes.set('block', { gameId, playerId }, terms, { change, stored: () => stored.push(gameId) });
  };
  const asked = Array.from({ length: 300 }, (_, number) => block(busy.id, `p${number}`));
  asked.push(block(quiet.id, 'alice'));
  await Promise.all(asked);
  assert(stored.indexOf(quiet.id) < 5, `it came after ${stored.indexOf(quiet.id)} others`);
  assert.equal(stored.length, 301);
});
