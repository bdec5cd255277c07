import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rest } from '../../../test/support/gateway.ts';
import { Departures } from './departures.ts';
import { Entries } from './entries.ts';
import type { OpenSession } from './kept-session.ts';
import { PartitionKeys } from './keys.ts';
import type { ScriptReply } from './link.ts';
import type { Joined } from './partition-parts.ts';

const ALICE = { stageId: 'stage-1', playerId: 'alice' };

test('while the directory is away, what it was never asked to list is gone at once, and what it may list is waited for', async () => {
  const entries = new Entries();
  const departures = new Departures({
    ...{ node: 'one', keys: new PartitionKeys('respark', 0), entries },
    findJoined: () => undefined,
    pause: async () => {},
    refused: () => assert.fail(),
  });
  for (let count = 0; count < 100; count += 1) await departures.unregister(ALICE, [`refused ${count}`], '');
  assert.equal(entries.size, 0);
  const entry = { connectionId: 'unknown', node: 'one', createdAt: 0, runtimeId: 'runtime-1' };
  entries.add({ key: ALICE, entry, state: 'unknown', sentIn: 'era', listedIn: undefined });
  let isGone = false;
  const gone = departures.unregister(ALICE, ['refused', 'unknown'], 'era').then(() => {
    isGone = true;
  });
  await rest();
  assert.deepEqual([isGone, entries.size], [false, 1]);
  const [leaving] = entries.leavings();
  if (leaving !== undefined) entries.left(leaving);
  await gone;
});

test('the removals that have waited for the directory are sent a hundred at a time, until the connection is lost', async () => {
  const entries = new Entries();
  const keys = new PartitionKeys('respark', 0);
  let sent = 0;
  const session: Pick<OpenSession, 'isLost' | 'run'> & { isLost: boolean } = {
    isLost: false,
    run: () => {
      sent += 1;
      return new Promise<ScriptReply>(() => {});
    },
  };
  const pauses: (() => void)[] = [];
  const departures = new Departures({
    ...{ node: 'one', keys, entries, findJoined: () => undefined, refused: () => assert.fail() },
    pause: () => new Promise((resolve) => pauses.push(resolve)),
  });
  for (let count = 0; count < 350; count += 1) {
    const key = { stageId: 'stage-1', playerId: `player-${count}` };
    const entry = { connectionId: `${count}`, node: 'one', createdAt: 0, runtimeId: 'runtime-1' };
    entries.add({ key, entry, state: 'listed', sentIn: 'era', listedIn: 'era' });
    void departures.unregister(key, [`${count}`], 'era');
  }
  const joined = { session: session as OpenSession, era: 'era', keys: keys.of('era'), link: '2' } satisfies Joined;
  const done = departures.sendAll(joined);
  const nextBatch = async () => {
    pauses.shift()?.();
    await rest();
  };
  assert.equal(sent, 100);
  // What has been acknowledged meanwhile is not sent again.
  for (const leaving of entries.leavings().slice(100, 110)) entries.left(leaving);
  await nextBatch();
  assert.equal(sent, 190);
  await nextBatch();
  assert.equal(sent, 290);
  session.isLost = true;
  await nextBatch();
  await done;
  assert.equal(sent, 290);
});
