import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANYBODY } from '../../../test/support/bars.ts';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { LocalCluster } from '../../cluster/local.ts';
import type { ErrorCode } from '../../errors.ts';
import { createSystemRandom } from '../../random.ts';
import type { StageRecord } from '../../store/store.ts';
import { createListTurn } from '../list-turns.ts';
import type { ConnectionFilter } from './connection-filter.ts';
import { createOnline, type Online } from './online.ts';

const NAMED = { gameName: 'Demo', stageName: 'Dev' };
const failsWith = (code: ErrorCode, message: RegExp) => ({ name: 'ServiceError', code, message });

/** A node on which a stage with the runtime `0190-2` has players; `turns` counts how often the rules let others go first. */
function prepare() {
  const clock = new ManualClock();
  const cluster = new LocalCluster({ clock, random: createSystemRandom() });
  const stage: Partial<StageRecord> = { id: 's', state: 'ACTIVE', runtimeId: '0190-2' };
  let turns = 0;
  let looks = 0;
  const addresses = new Map<string, string>();
  const asked: number[] = [];
  cluster.answer('describe_connections', ({ connectionIds }) => {
    asked.push(connectionIds.length);
    return {
      connections: connectionIds.flatMap((connectionId) => {
        const addressGroup = addresses.get(connectionId);
        return addressGroup === undefined ? [] : [{ connectionId, addressGroup }];
      }),
    };
  });
  const online = createOnline({
    store: { games: { find: async () => undefined }, stages: { find: () => stage as StageRecord } },
    cluster: {
      countStage: (stageId) => cluster.countStage(stageId),
      listStage(stageId, page) {
        looks += 1;
        return cluster.listStage(stageId, page);
      },
      request: (...parameters) => cluster.request(...parameters),
    },
    pageTokens: { seal: (position) => position, open: (token) => token },
    ...{ clock, log: recordedLog().log, settings: { disconnectDeadlineMs: 5_000 } },
    turn: createListTurn((task) => {
      turns += 1;
      task();
    }),
  });
  return {
    ...{ online, cluster, addresses, asked },
    counts: () => ({ turns, looks }),
    connect(
      playerId: string,
      connectionId: string,
      { runtimeId = '0190-2', createdAt = 1_000, node = cluster.node } = {},
    ) {
      const expected = { era: cluster.era(), maxConnectionsPerPlayer: 9, newcomer: ANYBODY };
      const entry = { connectionId, node, createdAt, runtimeId };
      assert.equal(cluster.register({ stageId: 's', playerId }, entry, expected), undefined);
      addresses.set(connectionId, '192.0.2.7');
    },
  };
}

async function idsOn(online: Online, filter: ConnectionFilter, maxResults?: number) {
  const pages: string[][] = [];
  let nextToken: string | undefined;
  do {
    const page = await online.connections(NAMED, filter, { maxResults, nextToken });
    pages.push(page.items.map(({ connectionId }) => connectionId));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return pages;
}

test('a player’s connections may be spread over pages, in the order in which they were made', async () => {
  const { online, connect } = prepare();
  for (const id of ['c', 'a', 'd', 'b']) connect('alice', id);
  connect('bob', '0');
  for (const [size, pages] of [
    [1, [['a'], ['b'], ['c'], ['d'], ['0']]],
    [
      3,
      [
        ['a', 'b', 'c'],
        ['d', '0'],
      ],
    ],
    [4, [['a', 'b', 'c', 'd'], ['0']]],
    [5, [['a', 'b', 'c', 'd', '0']]],
  ] as const) {
    assert.deepEqual(await idsOn(online, {}, size), pages, `pages of ${size}`);
  }
});

test('what comes and goes between two pages moves nobody else to another', async () => {
  const { online, connect, cluster } = prepare();
  for (const id of ['b', 'd']) connect('alice', id);
  connect('carol', 'f');
  const { nextToken } = await online.connections(NAMED, {}, { maxResults: 1 });
  cluster.unregister({ stageId: 's', playerId: 'alice' }, ['b']);
  connect('alice', 'a');
  connect('alice', 'c');
  connect('Bob', 'e');
  const { items } = await online.connections(NAMED, {}, { nextToken });
  assert.deepEqual(
    items.map(({ connectionId }) => connectionId),
    ['c', 'd', 'f'],
  );
});

test('runtimes are told apart by the stage’s, and players are described by the connections that are meant', async () => {
  const { online, connect } = prepare();
  connect('alice', 'a', { runtimeId: 'empty', createdAt: 1_000 });
  connect('alice', 'b', { runtimeId: '0190-1', createdAt: 2_000 });
  connect('alice', 'c', { createdAt: 3_000 });
  connect('bob', 'd', { createdAt: 4_000 });
  const players = async (filter: ConnectionFilter) => (await online.players(NAMED, filter, {})).items;
  const alice = { playerId: 'alice', connections: 2, since: 1_000 };
  assert.deepEqual(await players({ runtime: 'OLDER' }), [alice]);
  assert.deepEqual(await players({ runtime: 'CURRENT' }), [
    { playerId: 'alice', connections: 1, since: 3_000 },
    { playerId: 'bob', connections: 1, since: 4_000 },
  ]);
  assert.deepEqual(await players({ connectedBefore: 3_000, connectedSince: 2_000 }), [
    { ...alice, connections: 1, since: 2_000 },
  ]);
  const { byRuntime, currentRuntimeId, ...counts } = await online.count(NAMED);
  assert.deepEqual([counts.players, counts.connections, currentRuntimeId], [2, 4, '0190-2']);
  assert.deepEqual(Object.fromEntries(byRuntime), { empty: 1, '0190-1': 1, '0190-2': 2 });
});

test('a call looks at so many players and no more, lets others go first, and the pages go on behind them', async () => {
  const { online, connect, counts } = prepare();
  for (let number = 0; number < 2_500; number += 1) connect(`p${String(number).padStart(4, '0')}`, `c${number}`);
  const first = await online.players(NAMED, { node: 'another' }, {});
  assert.deepEqual([first.items, counts()], [[], { turns: 10, looks: 10 }]);
  assert.notEqual(first.nextToken, undefined);
  assert.deepEqual(await idsOn(online, { node: 'another' }), [[], [], []]);
  const all = await idsOn(online, {}, 37);
  assert.equal(new Set(all.flat()).size, 2_500);
  assert.equal(all.flat().length, 2_500);
});

test('addresses are asked of owners, and a list by address is complete or none', async () => {
  const { online, connect, addresses, asked } = prepare();
  connect('alice', 'a');
  connect('bob', 'b');
  connect('carol', 'c', { node: 'cut off' });
  addresses.set('b', '2001:db8:0:1::/64');
  const shown = async () => {
    const { items } = await online.connections(NAMED, {}, {});
    return items.map(({ addressGroup }) => addressGroup);
  };
  assert.deepEqual(await shown(), ['192.0.2.7', '2001:db8:0:1::/64', '']);
  await online.players(NAMED, {}, {});
  assert.deepEqual(asked, [2]);
  const ranged = (filter: ConnectionFilter) => online.players(NAMED, { addresses: '192.0.2.0/24', ...filter }, {});
  await assert.rejects(ranged({}), failsWith('internal', /^The node cut off is not available\. Try again\.$/));
  // No node is asked about a player whom another part of the filter leaves out.
  assert.deepEqual((await ranged({ playerIdPrefix: 'a' })).items.length, 1);
  addresses.delete('a');
  assert.deepEqual((await ranged({ playerIdPrefix: 'a' })).items, []);
  for (const text of ['192.0.2', '2001:db8::/65']) {
    await assert.rejects(ranged({ addresses: text }), failsWith('validation', /IP address or a CIDR range/));
  }
});
