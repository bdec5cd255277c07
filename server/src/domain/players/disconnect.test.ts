import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import type { Listing } from '../../cluster/cluster.ts';
import { LocalCluster } from '../../cluster/local.ts';
import { createSystemRandom } from '../../random.ts';
import { createDisconnect, type Disconnect } from './disconnect.ts';

const PLAYER = { stageId: 'stage-1', playerId: 'alice' };
const entry = (connectionId: string, node: string) => ({ connectionId, node, createdAt: 1, runtimeId: 'empty' });
const BEFORE: Listing = { era: 'e1', entries: [entry('a', 'n1'), entry('b', 'n2'), entry('c', 'n2')], endedOwners: [] };

/**
 * Disconnects a player of whom node n1 closes what it has, and n2 is silent, or closes some without saying how, as nodes of an
 * earlier version do. The second look at the directory gives `after`.
 */
async function disconnect(
  after: Partial<Listing>,
  deadNodes: readonly string[] = [],
  asking: Partial<Parameters<Disconnect>[0]> = {},
  closedByN2: readonly string[] = [],
) {
  const clock = new ManualClock();
  const cluster = new LocalCluster({ clock, random: createSystemRandom() });
  const asked: unknown[] = [];
  const listings = [BEFORE, { ...BEFORE, ...after }];
  const over = {
    list: (_: unknown, owners?: readonly string[]) => {
      asked.push(owners);
      return listings.shift() ?? assert.fail('the directory is looked at twice at most');
    },
    request: async (
      node: string,
      _kind: string,
      { isDetailed, signedInBefore }: { isDetailed?: boolean; signedInBefore?: number },
    ) => {
      if (signedInBefore !== undefined)
        return node === 'n1' ? { closedIds: ['a'] } : { closedIds: ['b'], keptIds: ['c'] };
      if (node === 'n2' && closedByN2.length > 0) return { closedIds: closedByN2 };
      if (node === 'n2') throw new Error('node n2 is silent');
      const ends = [{ connectionId: 'a', proof: 'socket_destroyed', at: 7 }];
      return isDetailed ? { closedIds: ['a'], ends } : { closedIds: ['a'] };
    },
    isProvenDead: (node: string) => deadNodes.includes(node),
  };
  const parts = {
    cluster: Object.assign(cluster, over as unknown as Partial<LocalCluster>),
    clock,
    log: recordedLog().log,
  };
  const result = await createDisconnect(parts)({
    player: PLAYER,
    order: { requestId: 'r' },
    timeoutMs: 5_000,
    ...asking,
  });
  assert.deepEqual(asked, closedByN2.length === 2 ? [undefined] : [undefined, ['n2']]);
  return result;
}

test('what a silent node still has is a failure, and what it has unlisted a success', async () => {
  assert.deepEqual(await disconnect({ entries: [entry('b', 'n2')] }), { successes: ['a', 'c'], failures: ['b'] });
});

test('what is no longer listed because its owner ended is neither, and so is what a dead node has', async () => {
  const neither = { successes: ['a'], failures: [] };
  // Another node has declared the owner dead and swept its entries, of which this one has not heard yet.
  assert.deepEqual(await disconnect({ entries: [], endedOwners: ['n2'] }), neither);
  assert.deepEqual(await disconnect({}, ['n2']), neither);
});

test('what a node has proven closed stays a success when the node dies before it has closed the rest', async () => {
  const success = { successes: ['a', 'b'], failures: [] };
  assert.deepEqual(await disconnect({ entries: [], endedOwners: ['n2'] }, [], {}, ['b']), success);
  assert.deepEqual(await disconnect({}, ['n2'], {}, ['b']), success);
});

test('an owner that takes all its time leaves enough of it for the last look at the directory', async () => {
  const clock = new ManualClock();
  const listings = [BEFORE, { ...BEFORE, entries: [entry('c', 'n2')] }];
  const cluster = {
    async list() {
      await Promise.resolve();
      if (listings.length === 1) clock.advance(400);
      return listings.shift();
    },
    async request(_node: string, _kind: string, _request: unknown, timeoutMs: number) {
      clock.advance(Math.max(0, timeoutMs - clock.monotonic()));
      throw new Error('no answer in time');
    },
    isProvenDead: () => false,
  } as unknown as LocalCluster;
  const call = { player: PLAYER, order: { requestId: 'r' }, timeoutMs: 5_000 };
  const result = await createDisconnect({ cluster, clock, log: recordedLog().log })(call);
  assert.deepEqual(result, { successes: ['a', 'b'], failures: ['c'] });
});

test('another era of the directory proves nothing', async () => {
  const failures = { successes: ['a'], failures: ['b', 'c'] };
  assert.deepEqual(await disconnect({ era: 'e2', entries: [], endedOwners: [] }), failures);
  assert.deepEqual(await disconnect({ era: 'e2', entries: [], endedOwners: ['n2'] }), failures);
});

test('a call that asks for it is told what became of each connection, and how that is known', async () => {
  const asking = { isDetailed: true };
  const [node, createdAt] = ['n2', 1];
  const a = {
    ...{ connectionId: 'a', outcome: 'closed', proof: 'socket_destroyed', closedAt: 7 },
    ...{ node: 'n1', createdAt },
  };
  const c = { connectionId: 'c', outcome: 'closed', proof: 'not_listed', node, createdAt };
  assert.deepEqual(await disconnect({ entries: [entry('b', 'n2')] }, [], asking), {
    ...{ successes: ['a', 'c'], failures: ['b'] },
    connections: [a, { connectionId: 'b', outcome: 'unproven', node, createdAt }, c],
  });
  const { connections } = await disconnect({}, ['n2'], asking);
  const dead = { outcome: 'gone_already', proof: 'owner_dead', node, createdAt };
  assert.deepEqual(connections, [a, { connectionId: 'b', ...dead }, { connectionId: 'c', ...dead }]);
});

test('a connection that stays because its player has signed in late enough is in neither list', async () => {
  const asking = { signedInBefore: 5, isDetailed: true };
  const { connections = [], ...lists } = await disconnect({}, [], asking, ['b', 'c']);
  assert.deepEqual(lists, { successes: ['a', 'b'], failures: [] });
  assert.deepEqual(
    connections.map(({ connectionId }) => connectionId),
    ['a', 'b'],
  );
});

test('what a node of an earlier version has closed is closed, though nothing says how', async () => {
  const { connections = [], ...lists } = await disconnect({}, [], { isDetailed: true }, ['b', 'c']);
  assert.deepEqual(lists, { successes: ['a', 'b', 'c'], failures: [] });
  const found = connections.map(({ connectionId, outcome, proof, closedAt }) => [
    connectionId,
    outcome,
    proof,
    closedAt,
  ]);
  assert.deepEqual(found, [
    ['a', 'closed', 'socket_destroyed', 7],
    ['b', 'closed', undefined, undefined],
    ['c', 'closed', undefined, undefined],
  ]);
});

test('what is not selected is left alone, and what the player does not have is gone already', async () => {
  const only = ['b', 'elsewhere', 'b', 'nowhere'];
  const { connections, ...lists } = await disconnect({}, [], { isDetailed: true, selection: { only } });
  assert.deepEqual(lists, { successes: [], failures: ['b'] });
  const absent = { outcome: 'gone_already', proof: 'not_listed' };
  assert.deepEqual(connections, [
    { connectionId: 'b', outcome: 'unproven', node: 'n2', createdAt: 1 },
    { connectionId: 'elsewhere', ...absent },
    { connectionId: 'nowhere', ...absent },
  ]);
  assert.deepEqual(await disconnect({}, [], { selection: { except: ['b'] } }), { successes: ['a'], failures: ['c'] });
});

test('what is not meant any more when it is listed is left alone, and not said to have ended', async () => {
  const cluster = new LocalCluster({ clock: new ManualClock(), random: createSystemRandom() });
  const over = { list: () => BEFORE, request: () => assert.fail('no node is asked') };
  const parts = { clock: new ManualClock(), log: recordedLog().log };
  const disconnect = createDisconnect({ ...parts, cluster: Object.assign(cluster, over) });
  const call = { player: PLAYER, order: { requestId: 'r' }, timeoutMs: 5_000, isStillMeant: () => false };
  assert.deepEqual(await disconnect(call), { successes: [], failures: ['a', 'b', 'c'] });
  const { connections = [], ...lists } = await disconnect({ ...call, isDetailed: true });
  assert.deepEqual(lists, { successes: [], failures: ['a', 'b', 'c'] });
  assert(connections.length === 3 && connections.every(({ outcome }) => outcome === 'unproven'));
});
