import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Operation } from '../api/operation.ts';
import { ServiceRefusal } from './management-client.ts';
import { createSnapshotCleaning } from './snapshot-cleaning.ts';

/** A server with these snapshots, newest first, whose deletions are refused as `refused` says. */
function fakeServer(snapshots: readonly object[], refused: Readonly<Record<string, string>> = {}) {
  const asked: string[] = [];
  const told: string[] = [];
  const client = {
    async call({ name }: Operation, input: Readonly<Record<string, unknown>>): Promise<unknown> {
      if (name === 'ListSnapshots') return { Snapshots: snapshots };
      const id = String(input.SnapshotId);
      asked.push(id);
      if (refused[id] !== undefined) throw new ServiceRefusal(refused[id], `${refused[id]}: no`);
      return {};
    },
  };
  const cleaning = createSnapshotCleaning({ game: 'Demo', description: 'mine', tell: (text) => void told.push(text) });
  return { client, cleaning, asked, told };
}

const listed = (Id: string, minute: number, Description = 'mine') => {
  return { Id, Description, Created: new Date(minute * 60_000).toISOString() };
};

test('earlier snapshots of the command are deleted, the oldest first, but not the newest and no others', async () => {
  const { client, cleaning, asked } = fakeServer([
    ...[listed('S5', 10), listed('S4', 9.5), listed('S3', 8, 'other'), listed('S2', 7), listed('S1', 6)],
  ]);
  cleaning.made('S5');
  await cleaning.clean(client);
  assert.deepEqual(asked, ['S1', 'S2'], 'S4 is so young that another command may be about to deploy it');
  cleaning.made('S6');
  await cleaning.clean(client);
  assert.deepEqual(asked, ['S1', 'S2', 'S5']);
});

test('one that is still needed is left for later, and one that is gone already is no error', async () => {
  const { client, cleaning, asked, told } = fakeServer([listed('S3', 9), listed('S2', 2), listed('S1', 1)], {
    S1: 'ConflictException',
    S2: 'ResourceNotFoundException',
  });
  cleaning.made('S3');
  await cleaning.clean(client);
  await cleaning.clean(client);
  assert.deepEqual([asked, told], [['S1', 'S2'], []]);
});

test('when it may not delete it says so once, and what may pass is passed on', async () => {
  const denied = fakeServer([listed('S2', 9), listed('S1', 1)], { S1: 'AccessDeniedException' });
  denied.cleaning.made('S2');
  await denied.cleaning.clean(denied.client);
  await denied.cleaning.clean(denied.client);
  assert.deepEqual([denied.asked, denied.told], [['S1'], ['earlier snapshots "mine" stay: AccessDeniedException: no']]);
  const busy = fakeServer([listed('S2', 9), listed('S1', 1)], { S1: 'ThrottlingException' });
  busy.cleaning.made('S2');
  await assert.rejects(busy.cleaning.clean(busy.client), /Throttling/);
  await assert.rejects(busy.cleaning.clean(busy.client), /Throttling/);
});
