import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ANYBODY } from '../../test/support/bars.ts';
import { type FakeSocket, openGateway, rest } from '../../test/support/gateway.ts';
import type { Connection } from './connection.ts';

type Opened = { readonly socket: FakeSocket; readonly connection: Connection };

const FULL = 'close 4506 The player has too many connections.';
const MAYBE_FULL = 'close 4006 The player has too many connections, but some of them may be dead.; retryAfterMs=2000';
const REPLACED = 'close 4509 A newer connection of the same player took its place.';
const SILENT = 'close 4002 no answer to a ping, and another connection of the player needs the place';

/** What the server did to the socket last, without the time; that it cut off a closed one goes without saying. */
const last = ({ socket }: Opened) => socket.did.findLast((did) => !did.endsWith('destroy'))?.replace(/^\d+ /, '');

/** A gateway on which the player alice has two connections, as many as allowed. */
async function openFull(settings: NonNullable<Parameters<typeof openGateway>[0]>['settings'] = {}) {
  const world = openGateway({ settings: { heartbeatMs: 60_000, ...settings } });
  const first = await world.connect('alice');
  world.clock.advance(1);
  const second = await world.connect('alice');
  const listed = async () => {
    const { entries } = await world.cluster.list({ stageId: 'stage-1', playerId: 'alice' });
    return entries.map(({ connectionId }) => connectionId);
  };
  const disconnect = (connectionIds: readonly string[]) =>
    world.cluster.request(
      world.cluster.node,
      'disconnect',
      { player: { stageId: 'stage-1', playerId: 'alice' }, connectionIds, requestId: 'r' },
      5_000,
    );
  return { ...world, first, second, listed, disconnect };
}

const pass = async ({ clock }: Pick<ReturnType<typeof openGateway>, 'clock'>, ms: number) => {
  clock.advance(ms);
  await rest();
};

describe('one connection too many', () => {
  test('waits while the others are pinged, and is refused for good once all of them have answered', async () => {
    const world = await openFull();
    const third = await world.connect('alice');
    assert.deepEqual([last(world.first), last(world.second), third.socket.did], ['ping', 'ping', []]);
    await pass(world, 1_000);
    world.first.connection.receivePong();
    await rest();
    assert.deepEqual(third.socket.did, []);
    world.second.connection.receivePong();
    await rest();
    assert.equal(last(third), FULL);
    assert.deepEqual(await world.listed(), [world.first.connection.id, world.second.connection.id]);
  });

  test('takes the place of one that does not answer in time', async () => {
    const world = await openFull();
    const third = await world.connect('alice');
    world.second.connection.receivePong();
    await pass(world, 1_999);
    assert.deepEqual([last(world.first), third.socket.did], ['ping', []]);
    await pass(world, 1);
    assert.deepEqual([last(world.first), last(third)], [SILENT, 'welcome']);
    assert.deepEqual(await world.listed(), [world.second.connection.id, third.connection.id]);
  });

  test('is not the cause of a close when the server was held up and has not read the answers', async () => {
    const world = await openFull({ authTimeoutMs: 60_000 });
    const third = await world.connect('alice');
    world.clock.holdUp(30_000);
    await pass(world, 0);
    for (const each of [world.first, world.second]) {
      assert.equal(last(each), 'ping');
      each.connection.receivePong();
    }
    await pass(world, 1_000);
    assert.deepEqual(await world.listed(), [world.first.connection.id, world.second.connection.id]);
    assert.equal(last(third), MAYBE_FULL);
  });

  test('takes the place of one that ends by itself meanwhile', async () => {
    const world = await openFull();
    const third = await world.connect('alice');
    world.gateway.socketClosed(world.first.connection, 1000);
    world.second.connection.receivePong();
    await rest();
    assert.equal(last(third), 'welcome');
  });

  test('gets one place when there is one, however many come at once', async () => {
    const world = await openFull();
    const newcomers = await Promise.all([world.connect('alice'), world.connect('alice')]);
    world.second.connection.receivePong();
    await pass(world, 2_000);
    // The one without a place is refused once the one that got it has answered too.
    for (const { connection } of [world.second, ...newcomers]) if (connection.isPongAwaited) connection.receivePong();
    await rest();
    assert.deepEqual(newcomers.map(last).sort(), [FULL, 'ping']);
    assert(newcomers.some(({ connection }) => connection.isWelcomed && !connection.isStopped));
    assert.equal((await world.listed()).length, 2);
  });

  test('is not refused for an answer that came before it did', async () => {
    const world = await openFull();
    const third = await world.connect('alice');
    world.first.connection.receivePong();
    // From here on the first one is dead.
    const fourth = await world.connect('alice');
    world.second.connection.receivePong();
    await rest();
    assert.deepEqual([last(third), fourth.socket.did], [FULL, []]);
    world.second.connection.receivePong();
    await pass(world, 2_000);
    assert.deepEqual([last(world.first), last(fourth)], [SILENT, 'welcome']);
  });

  test('stays out when it is closed while it waits', async () => {
    const world = await openFull();
    const third = await world.connect('alice');
    world.gateway.close(third.connection, 'normal');
    await pass(world, 2_000);
    assert.equal(last(third), 'close 1000 The side that closed was done.');
    assert.deepEqual(await world.listed(), []);
  });

  test('is told to come back when the owner of the others does not say whether they are alive', async () => {
    const world = await openFull();
    const player = { stageId: 'stage-1', playerId: 'bob' };
    const expected = { era: world.cluster.era(), maxConnectionsPerPlayer: 2, newcomer: ANYBODY };
    for (const connectionId of ['x', 'y']) {
      const entry = { connectionId, node: 'another', createdAt: 0, runtimeId: '' };
      await world.cluster.register(player, entry, expected);
    }
    const third = await world.connect('bob');
    assert.equal(last(third), MAYBE_FULL);
  });

  test('does not come in by a disconnect that began before, whose answer is true', async () => {
    const world = await openFull();
    const third = await world.connect('alice');
    const ids = await world.listed();
    const { closedIds } = await world.disconnect(ids);
    assert.deepEqual(closedIds, ids);
    assert.deepEqual(
      [last(world.first), last(world.second)].map((did) => did?.slice(0, 10)),
      ['close 4500', 'close 4500'],
    );
    await rest();
    // It is a new connection, which registered after the disconnect had looked.
    assert.equal(last(third), 'welcome');
    assert.deepEqual(await world.listed(), [third.connection.id]);
  });
});

describe('one connection too many, with replace_oldest', () => {
  const settings = { whenPlayerFull: 'replace_oldest' } as const;

  test('takes the place of the oldest at once', async () => {
    const world = await openFull(settings);
    const third = await world.connect('alice');
    assert.deepEqual([last(world.first), last(world.second), last(third)], [REPLACED, 'welcome', 'welcome']);
    assert.deepEqual(await world.listed(), [world.second.connection.id, third.connection.id]);
  });

  test('comes in however many come at once, and no more than allowed stay', async () => {
    const world = await openFull(settings);
    const newcomers = await Promise.all(['alice', 'alice', 'alice', 'alice', 'alice'].map(world.connect));
    await rest();
    const all = [world.first, world.second, ...newcomers];
    assert.equal(all.filter(({ connection }) => !connection.isStopped).length, 2);
    for (const each of all) if (each.connection.isStopped) assert.equal(last(each), REPLACED);
    assert.equal((await world.listed()).length, 2);
  });

  test('comes in when the oldest ends in the same turn', async () => {
    const world = await openFull(settings);
    const connecting = world.connect('alice');
    world.gateway.socketClosed(world.first.connection, 1000);
    assert.equal(last(await connecting), 'welcome');
  });

  test('and a disconnect at the same time leave none of those that were there', async () => {
    const world = await openFull(settings);
    const ids = await world.listed();
    const [{ closedIds }, third] = await Promise.all([world.disconnect(ids), world.connect('alice')]);
    assert.deepEqual(closedIds, ids);
    assert(world.first.connection.isStopped && world.second.connection.isStopped);
    assert.deepEqual(await world.listed(), [third.connection.id]);
  });
});
