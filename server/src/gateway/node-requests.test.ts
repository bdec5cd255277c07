import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANYBODY } from '../../test/support/bars.ts';
import { openGateway } from '../../test/support/gateway.ts';

const PLAYER = { stageId: 'stage-1', playerId: 'alice' };

test('a connection that has ended here is called closed only once the directory no longer lists it', async () => {
  const { cluster, connect } = openGateway();
  const { connection } = await connect('alice');
  const ghost = { connectionId: 'ended before', node: cluster.node, createdAt: 0, runtimeId: 'empty' };
  cluster.register(PLAYER, ghost, { era: cluster.era(), maxConnectionsPerPlayer: 2, newcomer: ANYBODY });
  const request = { player: PLAYER, connectionIds: [ghost.connectionId], requestId: 'r1' };
  const disconnect = () => cluster.request(cluster.node, 'disconnect', request, 5_000);
  const unregister = cluster.unregister.bind(cluster);
  cluster.unregister = () => {
    throw new Error('the directory is away');
  };
  assert.deepEqual(await disconnect(), { closedIds: [] });
  cluster.unregister = unregister;
  assert.deepEqual(await disconnect(), { closedIds: [ghost.connectionId] });
  assert.deepEqual(
    cluster.list(PLAYER).entries.map(({ connectionId }) => connectionId),
    [connection.id],
  );
});
