import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobProgress, NewDisconnectJob } from './disconnect-jobs.ts';
import { DEV, FOREIGN_KEY_FAILURE, idsOf, isConflict, LIVE, type OpenStore, openZoo } from './store-samples.ts';

const NOW = 1_700_000_000_000;

const TARGET = { node: 'node-a', playerId: 'alice', connectionId: 'c-1' };
const NOTHING: JobProgress = { closed: 0, gone: 0, unproven: 0, inFlight: [], failures: [], silentNodes: [] };
const SOME: JobProgress = {
  ...{ closed: 3, gone: 2, unproven: 1, inFlight: [TARGET] },
  ...{ failures: [{ ...TARGET, connectionId: 'c-2' }], silentNodes: ['node-b'] },
};

/** Holds one implementation to the promises about jobs that end connections. */
export function testDisconnectJobs(open: OpenStore): void {
  const sample = (id: string, change: Partial<NewDisconnectJob> = {}): NewDisconnectJob => ({
    ...{ id, stageId: DEV.id, state: 'PENDING', request: '{"ratePerSecond":5}', playerIds: undefined },
    ...{ actor: 'AKID', requestId: 'request', connections: 7, players: 6, createdAt: NOW, updatedAt: NOW },
    ...change,
  });

  test('a job is found in its stage as it was inserted, and has done nothing', async (t) => {
    const { disconnectJobs } = await openZoo(open, t);
    await disconnectJobs.insert(sample('J1', { playerIds: ['alice', 'bob'] }));
    const { playerIds: _, ...inserted } = sample('J1');
    const unset = { wish: 'RUN', claimedBy: undefined, confirmedBy: undefined, begunAt: undefined } as const;
    const found = { ...inserted, gameId: DEV.gameId, ...unset, ...NOTHING, namedPlayers: 2 };
    assert.deepEqual(await disconnectJobs.find(DEV.id, 'J1'), found);
    assert.equal(await disconnectJobs.find(LIVE.id, 'J1'), undefined);
    assert.deepEqual(await disconnectJobs.playerIds('J1'), ['alice', 'bob']);
    await disconnectJobs.insert(sample('J2'));
    assert.equal(await disconnectJobs.playerIds('J2'), undefined);
    assert.equal((await disconnectJobs.find(DEV.id, 'J2'))?.namedPlayers, undefined);
    await assert.rejects(disconnectJobs.insert(sample('J1')), isConflict);
    await assert.rejects(disconnectJobs.insert(sample('J3', { stageId: 'none' })), FOREIGN_KEY_FAILURE);
  });

  test('jobs are listed in pages, newest first, and those at work oldest first', async (t) => {
    const { disconnectJobs } = await openZoo(open, t);
    for (const id of ['J2', 'J3', 'J1']) await disconnectJobs.insert(sample(id));
    await disconnectJobs.insert(sample('J9', { stageId: LIVE.id }));
    assert.deepEqual(await idsOf(disconnectJobs.list(DEV.id, { limit: 2 })), ['J3', 'J2']);
    assert.deepEqual(await idsOf(disconnectJobs.list(DEV.id, { after: 'J2', limit: 2 })), ['J1']);
    await disconnectJobs.update('J2', { state: 'PAUSED', updatedAt: NOW });
    await disconnectJobs.update('J3', { state: 'CANCELLED', updatedAt: NOW });
    assert.deepEqual(await idsOf(disconnectJobs.listUnfinished()), ['J1', 'J9']);
    assert.deepEqual([await disconnectJobs.countOpen(DEV.id), await disconnectJobs.countOpen(LIVE.id)], [2, 1]);
  });

  test('jobs that have awaited their confirmation for too long are found in all stages, and no others', async (t) => {
    const { disconnectJobs } = await openZoo(open, t);
    const state = 'AWAITING_CONFIRMATION';
    await disconnectJobs.insert(sample('J2', { state }));
    await disconnectJobs.insert(sample('J1', { state, stageId: LIVE.id }));
    await disconnectJobs.insert(sample('J3', { state: 'PAUSED' }));
    await disconnectJobs.insert(sample('J4', { state, updatedAt: NOW + 1 }));
    assert.deepEqual(await idsOf(disconnectJobs.listUnconfirmed(NOW, 9)), []);
    assert.deepEqual(await idsOf(disconnectJobs.listUnconfirmed(NOW + 1, 9)), ['J1', 'J2']);
    assert.deepEqual(await idsOf(disconnectJobs.listUnconfirmed(NOW + 1, 1)), ['J1']);
    await disconnectJobs.update('J1', { state: 'CANCELLED', updatedAt: NOW });
    assert.deepEqual(await idsOf(disconnectJobs.listUnconfirmed(NOW + 1, 9)), ['J2']);
  });

  test('only a job at work is claimed; its first claim is its beginning, unless it is cancelled', async (t) => {
    const { disconnectJobs } = await openZoo(open, t);
    for (const id of ['J1', 'J2', 'J3']) await disconnectJobs.insert(sample(id));
    assert.equal(await disconnectJobs.claim('J1', 'a', NOW + 1), true);
    assert.equal(await disconnectJobs.claim('J1', 'b', NOW + 2), true);
    const { state, claimedBy, begunAt, updatedAt } = (await disconnectJobs.find(DEV.id, 'J1')) ?? {};
    assert.deepEqual([state, claimedBy, begunAt, updatedAt], ['IN_PROGRESS', 'b', NOW + 1, NOW + 2]);
    await disconnectJobs.update('J2', { wish: 'CANCEL', updatedAt: NOW });
    assert.equal(await disconnectJobs.claim('J2', 'a', NOW + 1), true);
    assert.equal((await disconnectJobs.find(DEV.id, 'J2'))?.begunAt, undefined);
    await disconnectJobs.update('J3', { state: 'AWAITING_CONFIRMATION', updatedAt: NOW });
    assert.equal(await disconnectJobs.claim('J3', 'a', NOW + 1), false);
  });

  test('only the owner advances a job, and hears what is wanted of it', async (t) => {
    const { disconnectJobs } = await openZoo(open, t);
    await disconnectJobs.insert(sample('J1'));
    await disconnectJobs.claim('J1', 'a', NOW);
    assert.equal(await disconnectJobs.advance('J1', 'b', SOME, NOW + 1), undefined);
    assert.equal(await disconnectJobs.advance('J1', 'a', SOME, NOW + 1), 'RUN');
    await disconnectJobs.update('J1', {
      wish: 'PAUSE',
      confirmedBy: 'BKID',
      connections: 9,
      players: 8,
      updatedAt: NOW,
    });
    assert.equal(await disconnectJobs.advance('J1', 'a', SOME, NOW + 2), 'PAUSE');
    const job = await disconnectJobs.find(DEV.id, 'J1');
    const { confirmedBy, connections, players, updatedAt, ...rest } = job ?? assert.fail();
    assert.deepEqual([confirmedBy, connections, players, updatedAt], ['BKID', 9, 8, NOW + 2]);
    for (const [name, value] of Object.entries(SOME)) assert.deepEqual(rest[name as keyof typeof rest], value, name);
  });

  test('a job ends for its owner alone, and only while what is wanted of it is still the same', async (t) => {
    const { disconnectJobs } = await openZoo(open, t);
    await disconnectJobs.insert(sample('J1'));
    await disconnectJobs.claim('J1', 'a', NOW);
    const end = { state: 'COMPLETED', wish: 'RUN', progress: { ...SOME, inFlight: [] }, at: NOW + 5 } as const;
    assert.equal(await disconnectJobs.end('J1', 'b', end), false);
    await disconnectJobs.update('J1', { wish: 'CANCEL', updatedAt: NOW });
    assert.equal(await disconnectJobs.end('J1', 'a', end), false);
    assert.equal((await disconnectJobs.find(DEV.id, 'J1'))?.closed, 0);
    assert.equal(await disconnectJobs.end('J1', 'a', { ...end, state: 'CANCELLED', wish: 'CANCEL' }), true);
    const { state, claimedBy, closed, inFlight } = (await disconnectJobs.find(DEV.id, 'J1')) ?? {};
    assert.deepEqual([state, claimedBy, closed, inFlight], ['CANCELLED', 'a', 3, []]);
    assert.equal(await disconnectJobs.end('J1', 'a', { ...end, wish: 'CANCEL' }), false);
    assert.equal(await disconnectJobs.advance('J1', 'a', SOME, NOW), undefined);
    assert.equal(await disconnectJobs.claim('J1', 'a', NOW), false);
  });

  test('an end stays with the node that has to tell of it until that has told, or another one takes it', async (t) => {
    const { disconnectJobs } = await openZoo(open, t);
    const end = { state: 'COMPLETED', wish: 'RUN', progress: NOTHING, at: NOW + 5 } as const;
    for (const id of ['J1', 'J2', 'J3', 'J4']) await disconnectJobs.insert(sample(id));
    for (const id of ['J2', 'J3', 'J4']) await disconnectJobs.claim(id, 'a', NOW);
    await disconnectJobs.update('J1', { state: 'CANCELLED', claimedBy: 'a', updatedAt: NOW });
    await disconnectJobs.end('J2', 'a', end);
    await disconnectJobs.end('J3', 'a', { ...end, state: 'PAUSED' });
    assert.deepEqual(await idsOf(disconnectJobs.listUntold(9)), ['J1', 'J2'], 'and none that is paused or at work');
    assert.deepEqual(await idsOf(disconnectJobs.listUntold(1)), ['J1']);
    assert.equal(await disconnectJobs.handOverTelling('J2', 'b', 'c'), false);
    assert.equal(await disconnectJobs.handOverTelling('J2', 'a', 'b'), true);
    assert.equal(await disconnectJobs.handOverTelling('J4', 'a', 'b'), false, 'it is still at work');
    await disconnectJobs.markTold('J2', 'a');
    assert.deepEqual(await idsOf(disconnectJobs.listUntold(9)), ['J1', 'J2']);
    await disconnectJobs.markTold('J2', 'b');
    assert.deepEqual(await idsOf(disconnectJobs.listUntold(9)), ['J1']);
    assert.equal((await disconnectJobs.find(DEV.id, 'J2'))?.claimedBy, undefined);
  });

  test('whom a job names is forgotten when it ends, and not before', async (t) => {
    const { disconnectJobs } = await openZoo(open, t);
    const names = async (id: string) => (await disconnectJobs.playerIds(id))?.includes('alice');
    const end = { wish: 'RUN', progress: NOTHING, at: NOW + 5 } as const;
    for (const id of ['J1', 'J2']) await disconnectJobs.insert(sample(id, { playerIds: ['alice'] }));
    await disconnectJobs.claim('J1', 'a', NOW);
    await disconnectJobs.end('J1', 'a', { ...end, state: 'PAUSED' });
    await disconnectJobs.update('J1', { state: 'PENDING', updatedAt: NOW });
    await disconnectJobs.claim('J1', 'a', NOW);
    await disconnectJobs.end('J1', 'b', { ...end, state: 'COMPLETED' });
    assert.equal(await names('J1'), true);
    await disconnectJobs.end('J1', 'a', { ...end, state: 'COMPLETED' });
    assert.deepEqual([await names('J1'), await names('J2')], [false, true], 'it means no player then, rather than all');
    await disconnectJobs.update('J2', { state: 'CANCELLED', updatedAt: NOW });
    assert.equal(await names('J2'), false);
  });

  test('jobs that have ended are forgotten but for the newest, and all with their stage', async (t) => {
    const { disconnectJobs, stages } = await openZoo(open, t);
    for (const id of ['J1', 'J2', 'J3', 'J4']) {
      await disconnectJobs.insert(sample(id, { state: id === 'J2' ? 'PAUSED' : 'COMPLETED', playerIds: ['alice'] }));
    }
    await disconnectJobs.insert(sample('J0', { stageId: LIVE.id, state: 'FAILED' }));
    await disconnectJobs.prune(DEV.id, 1);
    assert.deepEqual(await disconnectJobs.playerIds('J4'), ['alice']);
    assert.equal(await disconnectJobs.playerIds('J1'), undefined);
    assert.deepEqual(await idsOf(disconnectJobs.list(DEV.id, { limit: 9 })), ['J4', 'J2']);
    assert.deepEqual(await idsOf(disconnectJobs.list(LIVE.id, { limit: 9 })), ['J0']);
    await stages.remove(DEV.id);
    assert.deepEqual(await idsOf(disconnectJobs.list(DEV.id, { limit: 9 })), []);
  });
}
