import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ANYBODY } from '../../test/support/bars.ts';
import type { Bar, Cluster, DirectoryEntry, Expectations, Newcomer } from './cluster.ts';

const ALICE = { stageId: 'stage-1', playerId: 'alice' };
const BOB = { stageId: 'stage-1', playerId: 'bob' };
const ALICE_ELSEWHERE = { stageId: 'stage-2', playerId: 'alice' };
const TIMEOUT_MS = 1_000;
/** A time at which every bar of a test has long been over. */
const FAR = 4_000_000_000_000;

/** What every cluster promises its nodes. `open` must return a fresh cluster, without entries or handlers. */
export function testCluster(open: (t: TestContext) => Promise<Cluster>): void {
  const entry = (cluster: Cluster, connectionId: string): DirectoryEntry => ({
    connectionId,
    node: cluster.node,
    createdAt: 1_700_000_000_000,
    runtimeId: 'empty',
  });
  const expecting = (cluster: Cluster, change: Partial<Expectations> = {}): Expectations => ({
    era: cluster.era(),
    maxConnectionsPerPlayer: 3,
    newcomer: ANYBODY,
    ...change,
  });
  const idsOf = async (cluster: Cluster, key: typeof ALICE) =>
    (await cluster.list(key)).entries.map(({ connectionId }) => connectionId).sort();

  test('an unknown player has no entries', async (t) => {
    const cluster = await open(t);
    const { era, entries } = await cluster.list(ALICE);
    assert.deepEqual(entries, []);
    assert.equal(era, (await cluster.list(ALICE)).era);
  });

  test('a registered connection is listed for its player in its stage, and for no other player or stage', async (t) => {
    const cluster = await open(t);
    assert.equal(await cluster.register(ALICE, entry(cluster, 'a'), expecting(cluster)), undefined);
    assert.deepEqual((await cluster.list(ALICE)).entries, [entry(cluster, 'a')]);
    assert.deepEqual(await idsOf(cluster, BOB), []);
    assert.deepEqual(await idsOf(cluster, ALICE_ELSEWHERE), []);
  });

  test('registering the same connection again changes nothing', async (t) => {
    const cluster = await open(t);
    const expected = expecting(cluster, { maxConnectionsPerPlayer: 1 });
    for (let time = 0; time < 2; time += 1) {
      assert.equal(await cluster.register(ALICE, entry(cluster, 'a'), expected), undefined);
    }
    assert.deepEqual(await idsOf(cluster, ALICE), ['a']);
  });

  test('connections beyond the limit of a player are refused, even when all of them register at once', async (t) => {
    const cluster = await open(t);
    const faults = await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map((id) => cluster.register(ALICE, entry(cluster, id), expecting(cluster))),
    );
    assert.equal(faults.filter((fault) => fault === undefined).length, 3);
    assert.equal(faults.filter((fault) => fault === 'player_full').length, 2);
    assert.equal((await idsOf(cluster, ALICE)).length, 3);
  });

  test('a registration in another era is refused', async (t) => {
    const cluster = await open(t);
    const fault = await cluster.register(ALICE, entry(cluster, 'a'), expecting(cluster, { era: 'another' }));
    assert.equal(fault, 'era_changed');
    assert.deepEqual(await idsOf(cluster, ALICE), []);
  });

  test('only the named connections are unregistered, and an id that is not listed is not an error', async (t) => {
    const cluster = await open(t);
    for (const id of ['a', 'b', 'c']) await cluster.register(ALICE, entry(cluster, id), expecting(cluster));
    await cluster.unregister(ALICE, ['a', 'c', 'never']);
    assert.deepEqual(await idsOf(cluster, ALICE), ['b']);
    await cluster.unregister(BOB, ['b']);
    assert.deepEqual(await idsOf(cluster, ALICE), ['b']);
  });

  test('a listing stays as it is when the directory changes afterwards', async (t) => {
    const cluster = await open(t);
    await cluster.register(ALICE, entry(cluster, 'a'), expecting(cluster));
    const { entries } = await cluster.list(ALICE);
    await cluster.unregister(ALICE, ['a']);
    assert.deepEqual(entries, [entry(cluster, 'a')]);
  });

  /** All pages of the stage's list, each of which begins behind the last player of the one before. */
  async function pagesOf(cluster: Cluster, { limit, prefix }: { limit: number; prefix?: string }) {
    const pages: string[][] = [];
    let from: string | undefined;
    do {
      const { players, last } = await cluster.listStage('stage-1', { limit, prefix, from });
      assert(players.length <= limit);
      pages.push(players.map(({ playerId }) => playerId));
      from = last === undefined ? undefined : `${last}!`;
    } while (from !== undefined);
    return pages;
  }

  test('a stage lists its players in order of their ids, page by page, each with all entries', async (t) => {
    const cluster = await open(t);
    const register = async (playerId: string, connectionId: string, stageId = 'stage-1') =>
      await cluster.register({ stageId, playerId }, entry(cluster, connectionId), expecting(cluster));
    const names = ['alice', 'alice-', 'alice2', 'aliced', 'Bob', '-', '_9', 'zoe'];
    for (const [index, name] of names.entries()) await register(name, `of ${name} ${index}`);
    await register('alice', 'another');
    await register('elsewhere', 'b', 'stage-2');
    const inOrder = ['-', 'Bob', '_9', 'alice', 'alice-', 'alice2', 'aliced', 'zoe'];
    for (const limit of [1, 3, 8, 100]) {
      assert.deepEqual((await pagesOf(cluster, { limit })).flat(), inOrder, `pages of ${limit}`);
      const begun = (await pagesOf(cluster, { limit, prefix: 'alice' })).flat();
      assert.deepEqual(begun, ['alice', 'alice-', 'alice2', 'aliced']);
    }
    assert.deepEqual((await pagesOf(cluster, { limit: 3, prefix: 'nobody' })).flat(), []);
    const { players } = await cluster.listStage('stage-1', { limit: 1, from: 'alice' });
    const ids = players[0]?.entries.map(({ connectionId }) => connectionId).sort();
    assert.deepEqual(ids, ['another', 'of alice 0']);
    assert.deepEqual(await cluster.listStage('stage-3', { limit: 5 }), { players: [], last: undefined });
  });

  test('a player leaves the list of the stage with the last entry, and comes back with the next', async (t) => {
    const cluster = await open(t);
    const register = async (key: typeof ALICE, id: string) =>
      await cluster.register(key, entry(cluster, id), expecting(cluster));
    for (const id of ['a', 'b']) await register(ALICE, id);
    await register(BOB, 'c');
    await cluster.unregister(ALICE, ['a', 'c']);
    assert.deepEqual(await pagesOf(cluster, { limit: 5 }), [['alice', 'bob']]);
    await cluster.unregister(ALICE, ['b']);
    await cluster.unregister(ALICE, ['b', 'never']);
    assert.deepEqual(await pagesOf(cluster, { limit: 5 }), [['bob']]);
    await register(ALICE, 'd');
    assert.deepEqual(await pagesOf(cluster, { limit: 5 }), [['alice', 'bob']]);
    // A player who goes or comes between two pages does not move the others.
    const { last } = await cluster.listStage('stage-1', { limit: 1 });
    await cluster.unregister(ALICE, ['d']);
    const rest = await cluster.listStage('stage-1', { limit: 1, from: `${last}!` });
    assert.deepEqual(
      rest.players.map(({ playerId }) => playerId),
      ['bob'],
    );
  });

  test('the players and connections of a stage are counted, these by node and runtime', async (t) => {
    const cluster = await open(t);
    const register = async (key: typeof ALICE, connectionId: string, runtimeId: string) =>
      await cluster.register(key, { ...entry(cluster, connectionId), runtimeId }, expecting(cluster));
    const counted = async () => {
      const { players, groups } = await cluster.countStage('stage-1');
      const byRuntime: Record<string, number> = {};
      for (const { node, runtimeId, connections } of groups) {
        assert.equal(node, cluster.node);
        byRuntime[runtimeId] = (byRuntime[runtimeId] ?? 0) + connections;
      }
      return { players, byRuntime };
    };
    assert.deepEqual(await counted(), { players: 0, byRuntime: {} });
    await register(ALICE, 'a', 'empty');
    await register(ALICE, 'a', 'empty');
    await register(ALICE, 'b', '0190-1');
    for (const playerId of ['bob', 'carol', 'dave', 'eve']) {
      await register({ stageId: 'stage-1', playerId }, `of ${playerId}`, 'empty');
    }
    await register(ALICE_ELSEWHERE, 'e', 'empty');
    assert.deepEqual(await counted(), { players: 5, byRuntime: { empty: 5, '0190-1': 1 } });
    await cluster.unregister(ALICE, ['b', 'never']);
    await cluster.unregister(BOB, ['of bob']);
    await cluster.unregister(BOB, ['of bob']);
    assert.deepEqual(await counted(), { players: 4, byRuntime: { empty: 4 } });
  });

  const standing = (cluster: Cluster) => ({ era: cluster.era(), node: cluster.node });
  const bar = (version: number, change: Partial<Bar> = {}): Bar => ({
    ...{ version, until: undefined, signedInBefore: undefined, note: 'a|note\n' },
    ...change,
  });
  const asking = (change: Partial<Newcomer> = {}) => ({
    newcomer: { barNames: ['of alice', 'of all'], at: FAR, signedInAt: 500, ...change },
  });
  const registered = async (cluster: Cluster, who = asking(), key = ALICE) =>
    await cluster.register(key, entry(cluster, 'a'), expecting(cluster, who));

  test('a bar keeps out whoever asks about it, and nobody else, until it is lifted', async (t) => {
    const cluster = await open(t);
    const target = { name: 'of alice', player: ALICE };
    await cluster.setBar(target, bar(7), standing(cluster));
    const barred = { barName: 'of alice', until: undefined, note: 'a|note\n' };
    assert.deepEqual(await registered(cluster), barred);
    assert.deepEqual(await cluster.findBar(ALICE, asking().newcomer), barred);
    assert.deepEqual(await idsOf(cluster, ALICE), []);
    assert.equal(await registered(cluster, asking({ barNames: ['of bob', 'of all'] }), BOB), undefined);
    assert.equal(await cluster.findBar(ALICE, asking({ barNames: [] }).newcomer), undefined);
    assert.deepEqual(await cluster.liftBar(target, 6), { hasHeld: false, newer: 7 }, 'an older version');
    assert.deepEqual(await cluster.liftBar(target, 8), { hasHeld: true, newer: undefined });
    assert.deepEqual(await cluster.liftBar(target, 9), { hasHeld: false, newer: undefined }, 'it is lifted already');
    assert.deepEqual(
      await cluster.liftBar({ name: 'of bob', player: BOB }, 9),
      { hasHeld: false, newer: undefined },
      'nobody has set it',
    );
    assert.equal(await registered(cluster), undefined);
    assert.equal(await cluster.findBar(ALICE, asking().newcomer), undefined);
  });

  test('a bar about more than a player in a stage keeps out players wherever they are listed', async (t) => {
    const cluster = await open(t);
    await cluster.setBar({ name: 'of all' }, bar(1), standing(cluster));
    for (const playerId of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
      const fault = await registered(cluster, asking(), { stageId: 'stage-1', playerId });
      assert.equal(typeof fault === 'object' && fault.barName, 'of all', playerId);
    }
    assert.deepEqual(await cluster.liftBar({ name: 'of all' }, 2), { hasHeld: true, newer: undefined });
  });

  test('an older version of a bar, set or lifted, changes nothing', async (t) => {
    const cluster = await open(t);
    const target = { name: 'of alice', player: ALICE };
    await cluster.setBar(target, bar(9, { note: 'newest' }), standing(cluster));
    await cluster.liftBar(target, 8);
    assert.equal(await cluster.setBar(target, bar(10, { note: 'ten' }), standing(cluster)), undefined);
    assert.equal(await cluster.setBar(target, bar(10, { note: 'again' }), standing(cluster)), undefined);
    assert.equal(await cluster.setBar(target, bar(9), standing(cluster)), 10);
    const fault = await registered(cluster);
    assert.equal(typeof fault === 'object' && fault.note, 'ten');
    await cluster.liftBar(target, 12);
    assert.equal(await cluster.setBar(target, bar(11), standing(cluster)), 12);
    assert.equal(await registered(cluster), undefined);
  });

  test('a bar ends by the clock of whoever asks, and one about sign-ins lets in who signed in since', async (t) => {
    const cluster = await open(t);
    await cluster.setBar({ name: 'of alice', player: ALICE }, bar(1, { until: FAR }), standing(cluster));
    const early = await registered(cluster, asking({ at: FAR - 1 }));
    assert.equal(typeof early === 'object' && early.until, FAR);
    await cluster.setBar({ name: 'of all' }, bar(2, { signedInBefore: 500 }), standing(cluster));
    await cluster.setBar({ name: 'of long ago', player: ALICE }, bar(3, { until: 1 }), standing(cluster));
    assert.deepEqual(await cluster.liftBar({ name: 'of long ago', player: ALICE }, 4), {
      hasHeld: false,
      newer: undefined,
    });
    const old = await registered(cluster, asking({ signedInAt: 499 }));
    assert.equal(typeof old === 'object' && old.barName, 'of all');
    assert.equal(await registered(cluster), undefined);
  });

  test('a bar that was read in another era, or by another life of the node, is not set', async (t) => {
    const cluster = await open(t);
    const target = { name: 'of alice', player: ALICE };
    for (const change of [{ era: 'another' }, { node: 'another' }]) {
      await assert.rejects(async () => await cluster.setBar(target, bar(1), { ...standing(cluster), ...change }));
    }
    assert.equal(await registered(cluster), undefined);
  });

  test('a bar ends no connection that is listed, and refuses to list one again', async (t) => {
    const cluster = await open(t);
    assert.equal(await registered(cluster), undefined);
    await cluster.setBar({ name: 'of all' }, bar(1), standing(cluster));
    assert.deepEqual(await idsOf(cluster, ALICE), ['a']);
    assert.equal(typeof (await registered(cluster)), 'object');
    await cluster.unregister(ALICE, ['a']);
    assert.deepEqual(await idsOf(cluster, ALICE), []);
  });

  test('a request reaches its node, and the reply comes back', async (t) => {
    const cluster = await open(t);
    const seen: unknown[] = [];
    cluster.answer('disconnect', async (request) => {
      seen.push(request);
      return { closedIds: ['a'] };
    });
    const request = { player: ALICE, connectionIds: ['a', 'b'], requestId: 'r' };
    assert.deepEqual(await cluster.request(cluster.node, 'disconnect', request, TIMEOUT_MS), { closedIds: ['a'] });
    assert.deepEqual(seen, [request]);
  });

  test('each kind of request has a handler of its own, which can be set only once', async (t) => {
    const cluster = await open(t);
    const closed: string[] = [];
    cluster.answer('disconnect', async ({ connectionIds }) => ({ closedIds: connectionIds }));
    await assert.rejects(
      async () => await cluster.request(cluster.node, 'close_stage', { stageId: 's' }, TIMEOUT_MS),
      /close_stage/,
    );
    cluster.answer('close_stage', async ({ stageId }) => {
      closed.push(stageId);
      return {};
    });
    assert.deepEqual(await cluster.request(cluster.node, 'close_stage', { stageId: 's' }, TIMEOUT_MS), {});
    assert.deepEqual(closed, ['s']);
    const request = { player: ALICE, connectionIds: ['a'], requestId: 'r' };
    assert.deepEqual(await cluster.request(cluster.node, 'disconnect', request, TIMEOUT_MS), { closedIds: ['a'] });
    assert.throws(() => cluster.answer('close_stage', async () => ({})), /already/);
  });

  test('a node knows itself to be alive, and its entries are counted until they are removed', async (t) => {
    const cluster = await open(t);
    assert.equal(await cluster.isAlive(cluster.node), true);
    assert.equal(cluster.size, 0);
    for (const id of ['a', 'b']) await cluster.register(ALICE, entry(cluster, id), expecting(cluster));
    await cluster.register(BOB, entry(cluster, 'c'), expecting(cluster));
    assert.equal(cluster.size, 3);
    await cluster.unregister(ALICE, ['a', 'b']);
    assert.equal(cluster.size, 1);
  });

  test('a request is rejected when its node does not exist, fails or stays silent', async (t) => {
    const cluster = await open(t);
    const request = { stageId: 'stage-1' };
    await assert.rejects(
      async () => await cluster.request(cluster.node, 'close_stage', request, TIMEOUT_MS),
      /close_stage/,
    );
    let answer: () => Promise<Record<string, never>> = async () => {
      throw new Error('the handler failed');
    };
    cluster.answer('close_stage', () => answer());
    await assert.rejects(async () => await cluster.request('another node', 'close_stage', request, TIMEOUT_MS));
    await assert.rejects(
      async () => await cluster.request(cluster.node, 'close_stage', request, TIMEOUT_MS),
      /the handler failed/,
    );
    answer = () => new Promise(() => {});
    await assert.rejects(async () => await cluster.request(cluster.node, 'close_stage', request, 10));
  });

  test('a closed stage refuses further registrations, and each node is asked to close its connections', async (t) => {
    const cluster = await open(t);
    const seen: unknown[] = [];
    cluster.answer('close_stage', async (request) => {
      // The refusal is already in force, so a node that looks now finds all the connections there will ever be.
      assert.equal(await cluster.register(ALICE, entry(cluster, 'b'), expecting(cluster)), 'stage_closed');
      seen.push(request);
      return {};
    });
    await cluster.register(ALICE, entry(cluster, 'a'), expecting(cluster));
    await cluster.closeStage(ALICE.stageId, TIMEOUT_MS);
    assert.deepEqual(seen, [{ stageId: ALICE.stageId }]);
    assert.equal(await cluster.register(ALICE, entry(cluster, 'c'), expecting(cluster)), 'stage_closed');
    assert.equal(await cluster.register(ALICE_ELSEWHERE, entry(cluster, 'd'), expecting(cluster)), undefined);
  });

  test('a stage that is closed stays so, whatever runtime is announced of it later', async (t) => {
    const cluster = await open(t);
    for (const kind of ['close_stage', 'runtime_deployed'] as const) cluster.answer(kind, () => ({}));
    await cluster.closeStage(ALICE.stageId, TIMEOUT_MS);
    await cluster.announceRuntime(ALICE.stageId, '0190-2', TIMEOUT_MS);
    const registration = { ...entry(cluster, 'a'), runtimeId: '0190-2' };
    assert.equal(await cluster.register(ALICE, registration, expecting(cluster)), 'stage_closed');
  });

  test('a stage that has a newer runtime refuses connections on older ones, and each node is told', async (t) => {
    const cluster = await open(t);
    const seen: unknown[] = [];
    cluster.answer('runtime_deployed', (request) => {
      seen.push(request);
      return {};
    });
    const register = (connectionId: string, runtimeId: string) =>
      cluster.register(ALICE, { ...entry(cluster, connectionId), runtimeId }, expecting(cluster));
    await cluster.announceRuntime(ALICE.stageId, '0190-2', TIMEOUT_MS);
    assert.deepEqual(seen, [{ stageId: ALICE.stageId, runtimeId: '0190-2' }]);
    assert.equal(await register('a', 'empty'), 'runtime_changed');
    assert.equal(await register('a', '0190-1'), 'runtime_changed');
    assert.equal(await register('a', '0190-2'), undefined);
    assert.equal(await register('b', '0190-3'), undefined);
    // An older announcement that comes late changes nothing.
    await cluster.announceRuntime(ALICE.stageId, '0190-1', TIMEOUT_MS);
    assert.equal(await register('c', '0190-1'), 'runtime_changed');
  });

  test('a node holds a lease, is among the nodes, and is not proven dead', async (t) => {
    const cluster = await open(t);
    assert.equal(cluster.lease.node, cluster.node);
    assert.equal(cluster.lease.mayAct(), true);
    assert.equal(cluster.isAvailable, true);
    assert.equal(cluster.isProvenDead(cluster.node), false);
    assert.deepEqual(
      (await cluster.nodes()).map(({ node }) => node),
      [cluster.node],
    );
  });

  test('a stage stays closed when a node fails to close its connections, and can be closed again', async (t) => {
    const cluster = await open(t);
    let isBroken = true;
    cluster.answer('close_stage', async () => {
      if (isBroken) throw new Error('not now');
      return {};
    });
    await assert.rejects(cluster.closeStage(ALICE.stageId, TIMEOUT_MS));
    assert.equal(await cluster.register(ALICE, entry(cluster, 'a'), expecting(cluster)), 'stage_closed');
    isBroken = false;
    await cluster.closeStage(ALICE.stageId, TIMEOUT_MS);
  });
}
