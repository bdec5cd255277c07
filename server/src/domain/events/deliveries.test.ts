import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { createDeliveries, type DeliveriesParts } from './deliveries.ts';
import { createInterest } from './interest.ts';

/** A node without webhooks, whose looks take as long as the store is told to. */
function open() {
  const begun: (() => void)[] = [];
  const parts = {
    ...{ clock: new ManualClock(), log: recordedLog().log, interest: createInterest() },
    store: { webhooks: { listAll: () => new Promise((resolve) => begun.push(() => resolve([]))) } },
    eventLog: { watched: async () => [], cursors: async () => [], owners: async () => [] },
    cluster: { node: 'n1', isAlive: async () => true, answer() {} },
    settings: { nodeRole: 'all', leaseMs: 10_000, eventRetentionDays: 1 },
  };
  return { deliveries: createDeliveries(parts as unknown as DeliveriesParts), begun };
}

test('whoever has a look made while one is under way waits for the next, however many others do', async () => {
  const { deliveries, begun } = open();
  const first = deliveries.look();
  await setImmediate();
  assert.equal(begun.length, 1);
  let isOver = false;
  const others = Array.from({ length: 1_000 }, () => deliveries.look());
  void Promise.all(others).then(() => {
    isOver = true;
  });
  begun[0]?.();
  await first;
  await setImmediate();
  assert.equal(begun.length, 2);
  assert.equal(isOver, false, 'the look that was under way may not have seen what they have changed');
  const later = deliveries.look();
  begun[1]?.();
  await Promise.all(others);
  await setImmediate();
  assert.equal(begun.length, 3, 'who comes while that one is under way waits for another');
  begun[2]?.();
  await later;
  await setImmediate();
  assert.equal(begun.length, 3);
  await deliveries.close();
});

/** Games with ids that begin with such a text. */
function gamesOf(count: number, prefix = 'g') {
  return Array.from({ length: count }, (_, index) => ({ id: `${prefix}${index}`, name: `Game ${1_000 + index}` }));
}

/** The ids of the games whose events are removed in the long run, where there are these games and two that are gone have events. */
async function removedWith(games: ReturnType<typeof gamesOf>): Promise<readonly string[]> {
  const clock = new ManualClock();
  const removed: string[] = [];
  const parts = {
    ...{ clock, log: recordedLog().log, interest: createInterest() },
    store: {
      webhooks: { listAll: async () => [] },
      games: {
        list: async ({ after = '', limit }: { after?: string; limit: number }) =>
          games.filter(({ name }) => name > after).slice(0, limit),
      },
    },
    eventLog: {
      ...{ watched: async () => [], cursors: async () => [], owners: async () => [], removeBefore: async () => {} },
      games: async () => ['gone', ...games.map(({ id }) => id), 'gone too'],
      removeGame: async (id: string) => void removed.push(id),
    },
    cluster: { node: 'n1', isAlive: async () => true, answer() {} },
    settings: { nodeRole: 'both', leaseMs: 10_000, eventRetentionDays: 1 },
  };
  const deliveries = createDeliveries(parts as unknown as DeliveriesParts);
  for (let minutes = 0; minutes <= 90; minutes += 10) {
    await deliveries.look();
    clock.advance(600_000);
  }
  await setImmediate();
  await deliveries.close();
  return [...new Set(removed)];
}

test('events of a game that is gone are removed, which another node had in its journal when the game was deleted', async () => {
  assert.deepEqual(await removedWith(gamesOf(250)), ['gone', 'gone too']);
});

test('no events are removed of games from before all that are there, as when the store has begun anew by mistake', async () => {
  assert.deepEqual(await removedWith([]), []);
  assert.deepEqual(await removedWith(gamesOf(3, 'later ')), []);
});
