import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANYBODY } from '../../test/support/bars.ts';
import { openGateway } from '../../test/support/gateway.ts';
import { EMPTY_RUNTIME_ID } from '../runtime-id.ts';

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

test('a node tells which connections a job has ended before, as long as the job asks for them', async () => {
  const { cluster, gateway, connect } = openGateway();
  const { stageId } = PLAYER;
  const leaving = (await connect('alice')).connection;
  const [left, ended] = [leaving.id, (await connect('alice')).connection.id];
  const endAs = async (requestId: string, ...ids: readonly string[]) => {
    const connections = ids.map((connectionId) => ({ connectionId, playerId: PLAYER.playerId }));
    const request = { stageId, connections, order: { requestId } };
    return await cluster.request(cluster.node, 'end_connections', request, 5_000);
  };
  const describe = async (jobRequestId?: string) => {
    const request = { stageId, connectionIds: [left, ended], jobRequestId };
    return await cluster.request(cluster.node, 'describe_connections', request, 5_000);
  };
  assert.deepEqual(await endAs('job', ended), { closedIds: [ended], goneIds: [], endedBeforeIds: [] });
  gateway.close(leaving, 'normal');
  const gone = { closedIds: [], goneIds: [left, ended] };
  assert.deepEqual(await endAs('job', left, ended), { ...gone, endedBeforeIds: [ended] });
  assert.deepEqual(await endAs('another job', left, ended), { ...gone, endedBeforeIds: [] });
  assert.deepEqual(await describe('job'), { connections: [], endedByJobIds: [ended] });
  assert.deepEqual(await describe(), { connections: [] });
  await endAs('job', left);
  assert.deepEqual(await describe('job'), { connections: [], endedByJobIds: [] });
});

test('a connection whose end takes longer than the job waits counts as ended by the job', async () => {
  const { cluster, connect } = openGateway();
  const { id: connectionId } = (await connect('alice')).connection;
  const unregister = cluster.unregister.bind(cluster);
  cluster.unregister = () => {
    throw new Error('the directory is away');
  };
  const request = {
    ...{ stageId: PLAYER.stageId, connections: [{ connectionId, playerId: PLAYER.playerId }] },
    order: { requestId: 'job' },
  };
  const end = async () => await cluster.request(cluster.node, 'end_connections', request, 5_000);
  assert.deepEqual(await end(), { closedIds: [], goneIds: [], endedBeforeIds: [] });
  cluster.unregister = unregister;
  assert.deepEqual(await end(), { closedIds: [], goneIds: [connectionId], endedBeforeIds: [connectionId] });
});

test('connections stay whose players have signed in at the time that a disconnect names, or later', async () => {
  const { cluster, connect } = openGateway({
    admit: async ({ token = '' }) => ({
      isAdmitted: true,
      player: { ...PLAYER, gameId: 'game-1', signedInAt: Number(token) },
      runtime: { id: EMPTY_RUNTIME_ID, stage: { stageId: PLAYER.stageId, gameName: 'Demo', stageName: 'Dev' } },
    }),
  });
  const [old, young] = [(await connect('999')).connection, (await connect('1000')).connection];
  const request = { player: PLAYER, connectionIds: [old.id, young.id], requestId: 'r1' };
  const disconnect = async (signedInBefore?: number) =>
    await cluster.request(cluster.node, 'disconnect', { ...request, signedInBefore }, 5_000);
  assert.deepEqual(await disconnect(1_000), { closedIds: [old.id], keptIds: [young.id] });
  assert.deepEqual([old.isStopped, young.isStopped], [true, false]);
  assert.deepEqual(await disconnect(), { closedIds: [old.id, young.id] });
});

test('a job is told of no connection that has ended with an incarnation of the node, though its socket is still open', async (t) => {
  const { cluster, connect } = openGateway();
  const { connection } = await connect('alice');
  const ask = async () => {
    const request = { stageId: PLAYER.stageId, selector: {} };
    const search = { ...request, limit: 10, beganAgoMs: -1 };
    const { connections } = await cluster.request(cluster.node, 'match_connections', search, 5_000);
    const counts = await cluster.request(cluster.node, 'count_connections', request, 5_000);
    return [connections.map(({ connectionId }) => connectionId), counts.connections];
  };
  assert.deepEqual(await ask(), [[connection.id], 1]);
  t.mock.method(cluster.lease, 'mayAct', () => false);
  assert.deepEqual(await ask(), [[], 0]);
});

test('a node that closes the connections of a stage remembers nothing of the stage once it has answered', async () => {
  const forgotten: string[] = [];
  const { cluster, connect } = openGateway({ forgetStage: (id) => forgotten.push(id) });
  const { connection } = await connect('alice');
  await cluster.request(cluster.node, 'close_stage', { stageId: PLAYER.stageId }, 5_000);
  assert.deepEqual([forgotten, connection.isStopped], [[PLAYER.stageId], true]);
});
