import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { recordedLog } from '../../../../test/support/domain.ts';
import { ManualClock } from '../../../../test/support/manual-clock.ts';
import { until } from '../../../../test/support/server.ts';
import type { Cluster } from '../../../cluster/cluster.ts';
import { LocalCluster } from '../../../cluster/local.ts';
import { createSystemRandom } from '../../../random.ts';
import type { BarRecord, NewBar } from '../../../store/bars.ts';
import { sampleGame, sampleStage } from '../../../store/store-samples.ts';
import { openTestStore } from '../../../store/test-store.ts';
import { createDisconnect } from '../disconnect.ts';
import { createBarEnforcement } from './bar-enforcement.ts';

const NOW = 1_700_000_000_000;
const ZOO = sampleGame('Zoo');
const LIVE = sampleStage(ZOO, 'Live');
const ENDED = 1_250;
const BAR: NewBar & { readonly playerId: string } = {
  ...{ name: 'block', kind: 'block', gameId: ZOO.id, stageId: undefined, playerId: 'anna', until: undefined },
  ...{ signedInBefore: undefined, endsConnections: true, reason: '', messages: {}, evidence: '' },
  ...{ actor: 'a', requestId: 'r', createdAt: NOW },
};

test('bars that have ended are removed as fast as one key may set them, with turns for others in between', async (t) => {
  const clock = new ManualClock(NOW);
  const store = await openTestStore(t);
  await store.games.insert(ZOO);
  for (let index = 0; index < ENDED; index += 1) {
    const name = `block ${index}`;
    const { version } = await store.bars.set({ ...BAR, name, playerId: name, until: NOW + 1, requestId: name });
    await store.bars.markEnforced(name, version);
  }
  const enforcement = createBarEnforcement({
    ...{ store, clock, log: recordedLog().log, settings: { disconnectDeadlineMs: 1_000 } },
    cluster: { era: () => undefined, node: 'a' } as unknown as Cluster,
    disconnect: () => assert.fail('nobody is to be disconnected'),
  });
  clock.advance(2 * 3_600_000);
  enforcement.start();
  const left = () => store.bars.count({ kind: 'block', gameId: ZOO.id });
  clock.advance(10_000);
  await enforcement.settled();
  assert.equal(await left(), ENDED, 'the clock may be ahead for a moment');
  for (const waitMs of [1_800_000, 10_000]) {
    await until(() => clock.pending === 1);
    clock.advance(waitMs);
  }
  let steps = 0;
  for (; (await left()) > 0 && steps < 100; steps += 1) clock.advance(20);
  assert.equal(await left(), 0);
  assert.ok(steps > 10, 'not all at once');
  await enforcement.close();
});

test('no bar is removed because the clock was ahead for a while', async (t) => {
  const clock = new ManualClock(NOW);
  let aheadMs = 0;
  const store = await openTestStore(t);
  await store.games.insert(ZOO);
  const { version } = await store.bars.set({ ...BAR, until: NOW + 86_400_000 });
  await store.bars.markEnforced('block', version);
  const enforcement = createBarEnforcement({
    ...{ store, log: recordedLog().log, settings: { disconnectDeadlineMs: 1_000 } },
    clock: {
      now: () => clock.now() + aheadMs,
      monotonic: () => clock.monotonic(),
      after: (delayMs, task) => clock.after(delayMs, task),
    },
    cluster: { era: () => undefined, node: 'a' } as unknown as Cluster,
    disconnect: () => assert.fail('nobody is to be disconnected'),
  });
  enforcement.start();
  for (let minute = 0; minute < 120; minute += 1) {
    aheadMs = minute >= 50 && minute < 75 ? 30 * 86_400_000 : 0;
    await until(() => clock.pending === 1);
    clock.advance(60_000);
  }
  await enforcement.close();
  assert.notEqual(await store.bars.find('block'), undefined);
});

/** Brings bars of players in the game to a directory that writes down what it is asked for. */
async function openEnforcement(t: TestContext) {
  const clock = new ManualClock(NOW);
  const store = await openTestStore(t);
  await store.games.insert(ZOO);
  const did: string[] = [];
  /** For each disconnect, the time at or after which players have signed in who are to stay. */
  const before: (number | undefined)[] = [];
  let isAway = false;
  let failures: string[] = [];
  const answer = (what: string) => {
    if (isAway) throw new Error('the directory is away');
    did.push(what);
  };
  const enforcement = createBarEnforcement({
    ...{ store, clock, log: recordedLog().log, settings: { disconnectDeadlineMs: 1_000 } },
    cluster: {
      ...{ era: () => 'e', node: 'a' },
      setBar: async () => answer('set'),
      async liftBar() {
        answer('lifted');
        return { hasHeld: true, newer: undefined };
      },
    } as unknown as Cluster,
    async disconnect({ player, signedInBefore }) {
      did.push(player.stageId);
      before.push(signedInBefore);
      return { successes: [], failures };
    },
  });
  t.after(() => enforcement.close());
  const set = () => store.bars.set({ ...BAR, name: 'anna' });
  const fail = (how: { readonly isAway?: boolean; readonly failures?: string[] }) => {
    ({ isAway = false, failures = [] } = how);
  };
  return { store, enforcement, did, before, set, fail };
}

test('a bar holds, or is lifted, although the database has lost a later version of it that the directory knows', async (t) => {
  const clock = new ManualClock(NOW);
  const store = await openTestStore(t);
  await store.games.insert(ZOO);
  await store.stages.insert(LIVE);
  const cluster = new LocalCluster({ clock, random: createSystemRandom() });
  const enforcement = createBarEnforcement({
    ...{ store, cluster, clock, log: recordedLog().log, settings: { disconnectDeadlineMs: 1_000 } },
    disconnect: () => ({ successes: [], failures: [] }),
  });
  t.after(() => enforcement.close());
  const asOf = enforcement.standing();
  const player = { stageId: LIVE.id, playerId: 'anna' };
  const isKeptOut = () => cluster.findBar(player, { barNames: ['anna'], at: NOW, signedInAt: NOW }) !== undefined;
  const record = await store.bars.set({ ...BAR, name: 'anna' });
  // It was lifted when a clock was ahead.
  cluster.liftBar({ name: 'anna' }, record.version + 120_000);
  await enforcement.bring(record, asOf);
  assert.equal(isKeptOut(), true);
  assert.equal((await store.bars.find('anna'))?.isEnforced, true);

  // And the other way round: it was set when a clock was ahead.
  const { version } = (await store.bars.find('anna')) ?? assert.fail();
  const target = { name: 'anna', player };
  cluster.setBar(target, { version: version + 240_000, until: undefined, signedInBefore: undefined, note: '' }, asOf);
  await enforcement.bring((await store.bars.lift('anna', NOW)) as BarRecord, asOf);
  assert.equal(isKeptOut(), false);
  assert.equal(await store.bars.find('anna'), undefined);

  // One that was lifted while it was brought stays so.
  const later = await store.bars.set({ ...BAR, name: 'anna' });
  await enforcement.bring((await store.bars.lift('anna', NOW)) as BarRecord, asOf);
  await enforcement.bring(later, asOf);
  assert.equal(isKeptOut(), false);
});

test('a bar counts as enforced only when the end of every connection is proven', async (t) => {
  const { store, enforcement, set, fail } = await openEnforcement(t);
  await store.stages.insert(LIVE);
  fail({ failures: ['c'] });
  const ended = await enforcement.bring(await set(), enforcement.standing());
  assert.deepEqual(ended.failures, ['c']);
  assert.equal((await store.bars.find('anna'))?.isEnforced, false);
  fail({});
  await enforcement.resume();
  await enforcement.settled();
  assert.equal((await store.bars.find('anna'))?.isEnforced, true);
});

test('a revocation ends all connections, and when that is tried again only those that it refuses', async (t) => {
  const { store, enforcement, before, fail } = await openEnforcement(t);
  await store.stages.insert(LIVE);
  const revocation = { ...BAR, name: 'anna', kind: 'revocation', signedInBefore: NOW - 7 } as const;
  fail({ failures: ['c'] });
  await enforcement.bring(await store.bars.set(revocation), enforcement.standing());
  fail({});
  await enforcement.resume();
  await enforcement.settled();
  assert.deepEqual(before, [undefined, NOW - 7]);
  assert.equal((await store.bars.find('anna'))?.isEnforced, true);
});

test('a block in a game ends the player’s connections to each of its stages, however many there are', async (t) => {
  const { store, enforcement, did, set } = await openEnforcement(t);
  const stages = Array.from({ length: 45 }, (_, index) => sampleStage(ZOO, `Stage${index}`));
  for (const stage of stages) await store.stages.insert(stage);
  await enforcement.bring(await set(), enforcement.standing());
  assert.deepEqual([did[0], did.slice(1).sort()], ['set', stages.map(({ id }) => id).sort()]);
});

test('a bar that is lifted leaves the store only when the directory has let go of it', async (t) => {
  const { store, enforcement, set, fail } = await openEnforcement(t);
  await set();
  const lifted = await store.bars.lift('anna', NOW);
  assert(typeof lifted === 'object');
  fail({ isAway: true });
  await assert.rejects(enforcement.bring(lifted, enforcement.standing()), { code: 'internal' });
  assert.equal((await store.bars.find('anna'))?.state, 'LIFTED');
});

test('a bar that is lifted, or made to end, while it is brought ends no connection and says so, and one that another has taken the place of ends all', async (t) => {
  const clock = new ManualClock(NOW);
  const store = await openTestStore(t);
  const { log } = recordedLog();
  await store.games.insert(ZOO);
  await store.stages.insert(LIVE);
  const set = (kind: 'block' | 'closure', terms: { until?: number } = {}) =>
    store.bars.set({
      ...{
        ...BAR,
        name: kind,
        kind,
        stageId: LIVE.id,
        playerId: kind === 'block' ? BAR.playerId : undefined,
        ...terms,
      },
    });
  let meanwhile: () => Promise<unknown> = async () => {};
  const asked: string[] = [];
  const entry = { connectionId: 'c', node: 'a', runtimeId: 'empty', createdAt: NOW };
  const cluster = {
    ...{ era: () => 'e', node: 'a', isProvenDead: () => false },
    setBar: async ({ name }: { name: string }) => void (name === 'closure' && (await meanwhile())),
    async list() {
      await meanwhile();
      return { era: 'e', entries: [entry], endedOwners: [] };
    },
    async request(_: string, kind: string) {
      asked.push(kind);
      return { closedIds: ['c'] };
    },
    requestAll: async (kind: string) => void asked.push(kind),
  } as unknown as Cluster;
  const disconnect = createDisconnect({ cluster, clock, log });
  const settings = { disconnectDeadlineMs: 1_000 };
  const enforcement = createBarEnforcement({ store, clock, log, cluster, disconnect, settings });
  const bring = async (kind: 'block' | 'closure') => {
    const { connections = [], ...ended } = await enforcement.bring(await set(kind), enforcement.standing());
    return { ...ended, connections: connections.length, asked: asked.splice(0) };
  };
  const nobody = { successes: [], failures: [], connections: 0 };
  meanwhile = () => set('block');
  assert.deepEqual(await bring('block'), { ...nobody, successes: ['c'], asked: ['disconnect'] });
  meanwhile = () => store.bars.lift('block', NOW);
  assert.deepEqual(await bring('block'), { ...nobody, failures: ['c'], asked: [] });
  meanwhile = () => set('closure');
  assert.deepEqual(await bring('closure'), { ...nobody, asked: ['send_away'] });
  meanwhile = () => store.bars.lift('closure', NOW);
  assert.deepEqual(await bring('closure'), { ...nobody, asked: [] });
  meanwhile = async () => {
    await set('block', { until: NOW + 1 });
    clock.advance(1);
  };
  assert.deepEqual(await bring('block'), { ...nobody, failures: ['c'], asked: [] });
  await enforcement.close();
});

for (const when of ['setBar', 'list', 'find'] as const) {
  test(`a bar that ends by itself before the answer ends all connections all the same: during ${when}`, async (t) => {
    const clock = new ManualClock(NOW);
    const store = await openTestStore(t);
    const { log } = recordedLog();
    await store.games.insert(ZOO);
    await store.stages.insert(LIVE);
    const asked: unknown[] = [];
    let isLiftedMeanwhile = false;
    const passes = async (step: string) => {
      if (step !== when) return;
      clock.advance(2);
      if (isLiftedMeanwhile) for (const name of ['block', 'closure']) await store.bars.lift(name, clock.now());
    };
    const entry = { connectionId: 'c', node: 'a', runtimeId: 'empty', createdAt: NOW };
    const cluster = {
      ...{ era: () => 'e', node: 'a', isProvenDead: () => false },
      async setBar() {
        await passes('setBar');
      },
      async list() {
        await passes('list');
        return { era: 'e', entries: [entry], endedOwners: [] };
      },
      async request(_: string, kind: string, { close }: { close?: string }) {
        asked.push([kind, close]);
        return { closedIds: ['c'] };
      },
      requestAll: async (kind: string) => void asked.push(kind),
    } as unknown as Cluster;
    const disconnect = createDisconnect({ cluster, clock, log });
    const settings = { disconnectDeadlineMs: 1_000 };
    const bars: typeof store.bars = {
      ...store.bars,
      async find(name) {
        await passes('find');
        return await store.bars.find(name);
      },
    };
    const { stages } = store;
    const enforcement = createBarEnforcement({ store: { bars, stages }, clock, log, cluster, disconnect, settings });
    t.after(() => enforcement.close());
    const set = async (terms: Partial<NewBar> & Pick<NewBar, 'kind'>) =>
      await store.bars.set({ ...BAR, name: terms.kind, stageId: LIVE.id, until: clock.now() + 1, ...terms });

    // A player who was let in again stays, also when the time of the bar is over by now.
    const lifted = [await set({ kind: 'block' }), await set({ kind: 'closure', playerId: undefined })];
    isLiftedMeanwhile = true;
    const left = [];
    for (const bar of lifted) left.push(await enforcement.bring(bar, enforcement.standing()));
    isLiftedMeanwhile = false;
    assert.deepEqual(
      [left, asked.splice(0)],
      [
        [
          { successes: [], failures: ['c'] },
          { successes: [], failures: [] },
        ],
        [],
      ],
    );

    const block = await set({ kind: 'block' });
    const { successes, failures, connections } = await enforcement.bring(block, enforcement.standing(), {
      isDetailed: true,
    });
    assert.deepEqual([successes, failures, connections?.map(({ outcome }) => outcome)], [['c'], [], ['closed']]);
    // The player is not told of being kept out.
    assert.deepEqual(asked.splice(0), [['disconnect', undefined]]);
    assert.equal((await store.bars.find('block'))?.isEnforced, true);

    await enforcement.bring(await set({ kind: 'closure', playerId: undefined }), enforcement.standing());
    assert.deepEqual(asked.splice(0), ['send_away']);

    // A caller who does not wait any more is not told, and players may have come back long since.
    const again = await set({ kind: 'block' });
    clock.advance(2);
    await enforcement.resume();
    await enforcement.settled();
    assert.equal((await store.bars.find('block'))?.version, again.version);
    assert.deepEqual(asked, []);
  });
}
