import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@respark/protocol';
import { NO_ANSWERS } from '../../test/support/cloud-code.ts';
import { openGateway, rest } from '../../test/support/gateway.ts';
import type { Lease } from '../cluster/cluster.ts';
import { LocalCluster } from '../cluster/local.ts';
import type { Message } from '../domain/runtime/message.ts';

const PLAYER = { stageId: 'stage-1', playerId: 'alice' };

/** A gateway with one player, one of whose messages waits for its handler. */
async function open() {
  const waiting: Message[] = [];
  let dropped = 0;
  const answers = {
    ...NO_ANSWERS,
    event: (_: unknown, message: Message) => {
      waiting.push(message);
      return new Promise<never>(() => {});
    },
    dropped() {
      dropped += 1;
    },
  };
  const { stageId, playerId } = PLAYER;
  const world = openGateway({
    answers,
    settings: { messagesBurst: 10 },
    admit: async () => ({
      isAdmitted: true,
      player: { stageId, playerId, gameId: 'game-1', signedInAt: 0 },
      runtime: { id: 'runtime-1', stage: { stageId, gameName: 'Demo', stageName: 'Dev' } },
    }),
  });
  const { socket, connection } = await world.connect('alice');
  connection.receive(encode({ kind: 'event', type: 'Custom.Game.Any', payload: {} }));
  await rest();
  const { cluster } = world;
  return {
    ...{ ...world, socket, connection },
    isDropped: () => waiting.map((message) => message.isDropped?.()),
    timesTold: () => dropped,
    disconnect: () => {
      const request = { player: PLAYER, connectionIds: [connection.id], requestId: 'r1' };
      return cluster.request(cluster.node, 'disconnect', request, 5_000);
    },
  };
}

test('what waits for its handler is dropped in the turn in which its player is disconnected', async () => {
  const { isDropped, timesTold, disconnect } = await open();
  assert.deepEqual([isDropped(), timesTold()], [[false], 0]);
  disconnect();
  assert.deepEqual([isDropped(), timesTold()], [[true], 1]);
  disconnect();
  assert.equal(timesTold(), 1);
});

test('it is dropped as well when the connection was ending for another reason, and its end is not proven yet', async () => {
  const { gateway, socket, connection, isDropped, timesTold, disconnect } = await open();
  // The player does not read.
  let settle = () => {};
  socket.close = (_code, _reason, prove) => {
    settle = () => prove('socket_destroyed');
  };
  gateway.close(connection, 'slow_consumer');
  assert.deepEqual([isDropped(), timesTold()], [[false], 0]);
  const closing = disconnect();
  assert.deepEqual([isDropped(), timesTold()], [[true], 1]);
  settle();
  assert.deepEqual(await closing, { closedIds: [connection.id] });
});

test('it is dropped as well when the connection has ended by itself since it was listed', async () => {
  const { gateway, connection, isDropped, timesTold, disconnect } = await open();
  gateway.socketClosed(connection, 1000);
  assert.deepEqual([isDropped(), timesTold(), gateway.counts.listed], [[false], 0, 0]);
  assert.deepEqual(await disconnect(), { closedIds: [connection.id] });
  assert.deepEqual([isDropped(), timesTold()], [[true], 1]);
});

test('so it is when a disconnect job comes to such a connection, unless its player is to come back', async () => {
  const { cluster, gateway, connection, isDropped } = await open();
  gateway.socketClosed(connection, 1000);
  const connections = [{ connectionId: connection.id, playerId: PLAYER.playerId }];
  const end = async (returnWithinMs?: number) => {
    const request = { stageId: PLAYER.stageId, connections, order: { requestId: 'r1' }, returnWithinMs };
    assert.deepEqual(await cluster.request(cluster.node, 'end_connections', request, 5_000), {
      closedIds: [],
      goneIds: [connection.id],
      endedBeforeIds: [],
    });
  };
  await end(1_000);
  assert.deepEqual(isDropped(), [false]);
  await end();
  assert.deepEqual(isDropped(), [true]);
});

test('handlers get what a player has sent who is asked to come back', async () => {
  const { gateway, connection, isDropped, timesTold } = await open();
  gateway.close(connection, 'draining');
  assert.deepEqual([isDropped(), timesTold()], [[false], 0]);
});

test('it is dropped as soon as the lease of the node is over, because other nodes may say that the player is gone', async (t) => {
  const listeners: ((lease: Lease) => void)[] = [];
  t.mock.method(LocalCluster.prototype, 'onLeaseEnd', (listener: (lease: Lease) => void) => listeners.push(listener));
  const { cluster, isDropped, timesTold } = await open();
  assert.deepEqual([isDropped(), timesTold()], [[false], 0]);
  t.mock.method(cluster.lease, 'mayAct', () => false);
  assert.deepEqual([isDropped(), timesTold()], [[true], 0]);
  for (const listener of listeners) listener(cluster.lease);
  assert.deepEqual([isDropped(), timesTold()], [[true], 1]);
});
