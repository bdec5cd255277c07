import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeavingBar, ListedBar, NewBar } from './bars.ts';
import { type OpenStore, sampleGame, sampleStage } from './store-samples.ts';

const NOW = 1_700_000_000_000;
const ZOO = sampleGame('Zoo');
const [DEV, LIVE] = [sampleStage(ZOO, 'Dev'), sampleStage(ZOO, 'Live')];

export function testBars(open: OpenStore): void {
  const sample = (name: string, change: Partial<NewBar> = {}): NewBar => ({
    ...{ name, kind: 'block', gameId: ZOO.id, stageId: DEV.id, playerId: 'alice', until: NOW + 1_000 },
    ...{ signedInBefore: undefined, endsConnections: true, reason: 'r', messages: { '': 'out', de: 'raus' } },
    ...{ evidence: 'ünï', actor: 'AKID', requestId: 'request', createdAt: NOW },
    ...change,
  });
  const openGame: OpenStore = async (t) => {
    const store = await open(t);
    await store.games.insert(ZOO);
    for (const stage of [DEV, LIVE]) await store.stages.insert(stage);
    return store;
  };
  const namesOf = (records: readonly ListedBar[]) => records.map(({ name }) => name);

  test('a bar is found as it was set, not enforced yet, and replaced under a greater version', async (t) => {
    const { bars } = await openGame(t);
    const first = await bars.set(sample('a'));
    assert.deepEqual(await bars.find('a'), first);
    const { version, ...rest } = first;
    assert.deepEqual(rest, { ...sample('a'), state: 'SET', isEnforced: false });
    assert(version >= NOW);
    const second = await bars.set(
      sample('a', { until: undefined, stageId: undefined, playerId: undefined, messages: {} }),
    );
    assert(second.version > version);
    assert.deepEqual(await bars.find('a'), second);
    assert.equal(await bars.find('b'), undefined);
  });

  test('tokens that a revocation refuses stay refused by the next one, also if the clock was set back', async (t) => {
    const { bars } = await openGame(t);
    const revoke = async (signedInBefore: number) => {
      const set = await bars.set(sample('a', { kind: 'revocation', signedInBefore }));
      assert.deepEqual(await bars.find('a'), set);
      return set.signedInBefore;
    };
    assert.equal(await revoke(NOW), NOW);
    assert.equal(await revoke(NOW - 5_000), NOW);
    assert.equal(await revoke(NOW + 1), NOW + 1);
    await bars.lift('a', NOW);
    assert.equal(await revoke(NOW - 5_000), NOW - 5_000);
  });

  test('connections that a revocation has still to end are ended by the next one, even if that would keep them', async (t) => {
    const { bars } = await openGame(t);
    const revoke = async (endsConnections: boolean) =>
      await bars.set(sample('a', { kind: 'revocation', signedInBefore: NOW, endsConnections }));
    assert.equal((await revoke(false)).endsConnections, false);
    await revoke(true);
    const { endsConnections, version } = await revoke(false);
    assert.equal(endsConnections, true);
    await bars.markEnforced('a', version);
    assert.equal((await revoke(false)).endsConnections, false);
  });

  test('tokens that an earlier revocation refuses are refused for as long as they live', async (t) => {
    const { bars } = await openGame(t);
    const revoke = async (signedInBefore: number) =>
      await bars.set(sample('a', { kind: 'revocation', signedInBefore, until: signedInBefore + 1_000 }));
    await revoke(NOW);
    assert.equal((await revoke(NOW - 5_000)).until, NOW + 1_000);
  });

  test('a revocation takes the place of one that was made while a clock was far ahead', async (t) => {
    const { bars } = await openGame(t);
    const revoke = async (signedInBefore: number) =>
      (await bars.set(sample('a', { kind: 'revocation', signedInBefore }))).signedInBefore;
    assert.equal(await revoke(NOW + 31_536_000_000), NOW + 31_536_000_000);
    assert.equal(await revoke(NOW), NOW);
    assert.equal(await revoke(NOW + 3_600_001), NOW + 3_600_001);
    assert.equal(await revoke(NOW), NOW);
    assert.equal(await revoke(NOW + 3_600_000), NOW + 3_600_000);
    assert.equal(await revoke(NOW), NOW + 3_600_000);
  });

  test('a bar is enforced or removed only in the version that is meant', async (t) => {
    const { bars } = await openGame(t);
    const { version } = await bars.set(sample('a'));
    const lifted = await bars.lift('a', NOW);
    assert(typeof lifted !== 'number' && lifted.version > version && lifted.state === 'LIFTED');
    assert.deepEqual([await bars.markEnforced('a', version), await bars.remove('a', version)], [false, false]);
    assert.deepEqual(await bars.find('a'), lifted);
    assert.equal(await bars.markEnforced('a', lifted.version), true);
    assert.equal((await bars.find('a'))?.isEnforced, true);
    assert.equal(await bars.remove('a', lifted.version), true);
    const none = await bars.lift('a', NOW);
    assert(typeof none === 'number' && none > lifted.version);
    assert.equal(await bars.find('a'), undefined);
    assert((await bars.set(sample('a'))).version > none, 'versions go on');
  });

  test('a bar gets a version that is greater than another, unless it has changed meanwhile', async (t) => {
    const { bars } = await openGame(t);
    const { version } = await bars.set(sample('a'));
    await bars.markEnforced('a', version);
    assert.equal(await bars.renew('a', version - 1, version + 100), undefined);
    assert.equal(await bars.renew('b', version, version + 100), undefined);
    assert.deepEqual(await bars.renew('a', version, version + 100), await bars.find('a'));
    const { version: renewed, ...rest } = (await bars.find('a')) ?? assert.fail();
    assert(renewed > version + 100);
    assert.deepEqual(rest, { ...sample('a'), state: 'SET', isEnforced: false });
    assert((await bars.set(sample('b'))).version > renewed, 'versions go on');
  });

  test('bars are listed in pages: of a game, of a stage, and all that hold', async (t) => {
    const { bars } = await openGame(t);
    await bars.set(sample('game', { stageId: undefined, until: undefined }));
    await bars.set(sample('dev'));
    await bars.set(sample('live', { stageId: LIVE.id }));
    await bars.set(sample('closure', { kind: 'closure', playerId: undefined }));
    await bars.set(sample('ended', { until: NOW }));
    await bars.set(sample('lifted'));
    await bars.lift('lifted', NOW);
    const ofGame = { gameId: ZOO.id, kind: 'block' } as const;
    const listed = async (...[scope, page]: [Parameters<typeof bars.list>[0], Parameters<typeof bars.list>[2]]) =>
      namesOf((await bars.list(scope, NOW, page)).bars);
    assert.deepEqual(await listed(ofGame, { limit: 9 }), ['dev', 'game', 'live']);
    assert.deepEqual(await listed(ofGame, { after: 'dev', limit: 1 }), ['game']);
    const { evidence: _, ...dev } = { ...(await bars.find('dev')) };
    assert.deepEqual(
      { ...(await bars.list(ofGame, NOW, { limit: 1 })).bars[0], evidence: undefined },
      { ...dev, evidence: undefined },
    );
    assert.deepEqual(await listed({ ...ofGame, stageId: LIVE.id }, { limit: 9 }), ['live']);
    assert.deepEqual(await listed({ ...ofGame, gameId: 'another' }, { limit: 9 }), []);
    assert.deepEqual(namesOf(await bars.listAll({ limit: 3 })), ['closure', 'dev', 'ended']);
    assert.deepEqual(namesOf(await bars.listAll({ after: 'ended', limit: 3 })), ['game', 'live']);
  });

  test('what is unfinished is listed from the oldest on, and what has ended is forgotten when it is enforced', async (t) => {
    const { bars } = await openGame(t);
    const versions = new Map<string, number>();
    for (const name of ['b', 'a', 'c']) versions.set(name, (await bars.set(sample(name))).version);
    assert.deepEqual(namesOf(await bars.listUnfinished(2)), ['b', 'a']);
    for (const name of ['b', 'a']) await bars.markEnforced(name, versions.get(name) ?? 0);
    assert.deepEqual(namesOf(await bars.listUnfinished(2)), ['c']);
    assert.equal(await bars.removeEnded(NOW + 999, 9), 0);
    assert.equal(await bars.removeEnded(NOW + 1_000, 1), 1);
    assert.equal(await bars.removeEnded(NOW + 1_000, 9), 1);
    assert.deepEqual(namesOf(await bars.listAll({ limit: 9 })), ['c']);
  });

  test('the bars of a game are counted by their kind, and those that have ended are forgotten of one game alone', async (t) => {
    const { bars, games } = await openGame(t);
    const other = sampleGame('Farm');
    await games.insert(other);
    for (const [index, change] of [{}, { stageId: undefined }, { stageId: LIVE.id }, { until: undefined }].entries()) {
      await bars.set(sample(`zoo ${index}`, change));
    }
    const { name, version } = await bars.set(sample('farm', { gameId: other.id, stageId: undefined }));
    await bars.markEnforced(name, version);
    await bars.set(sample('revoked', { kind: 'revocation' }));
    await bars.lift('zoo 0', NOW);
    const counts = async () =>
      await Promise.all([
        bars.count({ gameId: ZOO.id, kind: 'block' }),
        bars.count({ gameId: ZOO.id, kind: 'revocation' }),
        bars.count({ gameId: other.id, kind: 'block' }),
        bars.count({ gameId: 'none', kind: 'block' }),
        bars.count({ gameId: ZOO.id, stageId: LIVE.id, kind: 'block' }),
      ]);
    assert.deepEqual(await counts(), [4, 1, 1, 0, 1]);
    assert.equal(await bars.removeEnded(NOW + 1_000, 9, ZOO.id), 0);
    assert.equal(await bars.removeEnded(NOW + 1_000, 9, other.id), 1);
    assert.deepEqual(await counts(), [4, 1, 0, 0, 1]);
  });

  test('those that hold are found behind many that have ended, in steps that look at some hundred', async (t) => {
    const { bars, transaction } = await openGame(t);
    await transaction(async (store) => {
      for (let number = 1_000; number < 2_100; number += 1) await store.bars.set(sample(`${number}`, { until: NOW }));
    });
    await bars.set(sample('1500', { until: undefined }));
    await bars.set(sample('3000', { until: undefined }));
    for (const stageId of [undefined, DEV.id]) {
      const found: string[] = [];
      const steps: (string | undefined)[] = [];
      for (let after: string | undefined = ''; after !== undefined; ) {
        const step: Awaited<ReturnType<typeof bars.list>> = await bars.list(
          { kind: 'block', gameId: ZOO.id, stageId },
          NOW,
          { after, limit: 1 },
        );
        found.push(...namesOf(step.bars));
        after = step.next;
        steps.push(after);
      }
      assert.deepEqual(found, ['1500', '3000']);
      assert.deepEqual(steps, ['1499', '1500', '2000', '3000', undefined]);
    }
  });

  test('all bars of a stage, or of a game, are forgotten in parts, and no others', async (t) => {
    const { bars, games, transaction } = await openGame(t);
    await games.insert(sampleGame('Farm'));
    await bars.set(sample('farm', { gameId: sampleGame('Farm').id, stageId: undefined }));
    await transaction(async (store) => {
      for (let number = 0; number < 401; number += 1) await store.bars.set(sample(`dev ${number}`));
    });
    await bars.set(sample('live', { stageId: LIVE.id }));
    await bars.set(sample('game', { stageId: undefined }));
    let turns = 0;
    let isDone = false;
    const left: string[] = [];
    const leaving = async (some: readonly LeavingBar[]) => void left.push(...some.map(({ name }) => name));
    const removal = bars.removeAll({ gameId: ZOO.id, stageId: DEV.id }, leaving).finally(() => {
      isDone = true;
    });
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      turns += 1;
    }
    await removal;
    assert.ok(turns > 2, 'others have their turn in between');
    assert.equal(new Set(left.splice(0)).size, 401);
    assert.deepEqual(namesOf(await bars.listAll({ limit: 9 })), ['farm', 'game', 'live']);
    const failure = new Error('the directory is away');
    const failing = bars.removeAll({ gameId: ZOO.id }, async () => {
      throw failure;
    });
    await assert.rejects(failing, failure);
    assert.deepEqual(namesOf(await bars.listAll({ limit: 9 })), ['farm', 'game', 'live']);
    await bars.removeAll({ gameId: ZOO.id }, leaving);
    assert.deepEqual(namesOf(await bars.listAll({ limit: 9 })), ['farm']);
    assert.deepEqual(left.sort(), ['game', 'live']);
  });

  test('the bars of a stage go with the stage, and all of them with the game', async (t) => {
    const { bars, stages, games } = await openGame(t);
    await bars.set(sample('dev'));
    await bars.set(sample('game', { stageId: undefined }));
    await stages.remove(DEV.id);
    assert.deepEqual(namesOf(await bars.listAll({ limit: 9 })), ['game']);
    await games.remove(ZOO.id);
    assert.deepEqual(await bars.listAll({ limit: 9 }), []);
  });
}
