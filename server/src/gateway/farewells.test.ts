import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatCloseReason } from '@respark/protocol';
import { openGateway } from '../../test/support/gateway.ts';
import type { DisconnectOrder } from '../disconnect-order.ts';

const PLAYER = { stageId: 'stage-1', playerId: 'alice' };
const CLOSE = `close 4500 ${formatCloseReason('The operator disconnected this player.', { requestId: 'r1' })}`;

/** A gateway with one player of whom a disconnect of another node's, or of this one's, may ask. */
async function open(settings: Parameters<typeof openGateway>[0] = {}) {
  const world = openGateway(settings);
  const { cluster } = world;
  const { socket, connection } = await world.connect('alice');
  const disconnect = (
    order: Partial<Omit<DisconnectOrder, 'requestId'>> & { isDetailed?: boolean },
    connectionIds = [connection.id],
  ) => cluster.request(cluster.node, 'disconnect', { player: PLAYER, connectionIds, requestId: 'r1', ...order }, 5_000);
  return { ...world, socket, connection, disconnect };
}

test('a welcomed player hears why, right before the close frame', async () => {
  const { socket, disconnect } = await open();
  await disconnect({ farewell: { reason: 'CHEATING', message: 'Wait a day.' } });
  assert.deepEqual(socket.did, ['0 welcome', '0 Respark.Farewell', `0 ${CLOSE}`]);
});

test('an order without words closes as ever', async () => {
  const { socket, connection, disconnect } = await open();
  assert.deepEqual(await disconnect({}), { closedIds: [connection.id] });
  assert.deepEqual(socket.did, ['0 welcome', `0 ${CLOSE}`]);
});

test('what a node of the version before asks for still closes, with its words in the close frame', async () => {
  const { socket, disconnect } = await open();
  await disconnect({ reason: 'see you' });
  assert.deepEqual(socket.did.at(-1), '0 close 4500 see you; requestId=r1');
});

test('a block closes with its own code, and says until when', async () => {
  const { socket, disconnect } = await open();
  await disconnect({ close: 'blocked', farewell: { until: 1_800_000_000_000 } });
  const reason = formatCloseReason('The player is blocked.', { requestId: 'r1', until: 1_800_000_000_000 });
  assert.deepEqual(socket.did, ['0 welcome', '0 Respark.Farewell', `0 close 4510 ${reason}`]);
});

test('a code that only a node of a later version knows closes as any disconnect', async () => {
  const { socket, disconnect } = await open();
  await disconnect({ close: 'banished' as 'blocked' });
  assert.deepEqual(socket.did.at(-1), `0 ${CLOSE}`);
});

test('a player whose outbox has no room for it gets the close frame alone', async () => {
  const { socket, disconnect } = await open({ settings: { maxOutboxBytes: 1_000 } });
  socket.bufferedBytes = 950;
  await disconnect({ farewell: { reason: 'CHEATING' } });
  assert.deepEqual(socket.did, ['0 welcome', `0 ${CLOSE}`]);
});

test('a player who has not been welcomed gets no farewell', async () => {
  const { cluster, connect } = openGateway();
  // The directory has the connection, and does not answer.
  Object.assign(cluster, { register: () => new Promise(() => {}) });
  const { socket, connection } = await connect('alice');
  const request = { player: PLAYER, connectionIds: [connection.id], requestId: 'r1', farewell: { reason: 'CHEATING' } };
  void cluster.request(cluster.node, 'disconnect', request, 5_000);
  assert.deepEqual(socket.did, [`0 ${CLOSE}`]);
});

test('the owner says of each connection how its end was proven, and when, also to a second call', async () => {
  const { socket, clock, connection, disconnect } = await open();
  let settle = (_: 'socket_destroyed') => {};
  socket.close = (_code, _reason, onEnd) => {
    settle = onEnd;
  };
  const calls = [disconnect({ isDetailed: true }, [connection.id, 'gone']), disconnect({ isDetailed: true })];
  clock.advance(70);
  const at = clock.now();
  settle('socket_destroyed');
  clock.advance(5);
  const [first, second] = await Promise.all(calls);
  const end = { connectionId: connection.id, proof: 'socket_destroyed', at };
  assert.deepEqual(second, { closedIds: [connection.id], ends: [end] });
  assert.deepEqual(first?.closedIds, [connection.id, 'gone']);
  assert.deepEqual(first?.ends?.[0], end);
  const { proof } = first?.ends?.[1] ?? {};
  assert.equal(proof, 'already_ended');
});
