import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GetPlayerConnectionStatusCommand } from '@aws-sdk/client-gamesparks';
import { systemClock } from '../../src/clock.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { GAME, STAGE, sayHello, startTestServer } from '../support/server.ts';

const PLAYER = { GameName: GAME, StageName: STAGE, PlayerId: 'nobody' };

test('[ws] a connection is as old as its registration, however long before that its socket opened', async (t) => {
  let passedMs = 0;
  const server = await startTestServer(t, { clock: { ...systemClock, now: () => Date.now() + passedMs } });
  const ws = await server.open();
  passedMs = 60_000;
  const earliest = Date.now() + passedMs;
  const { playerId } = await sayHello(ws, server);
  const command = new GetPlayerConnectionStatusCommand({ ...PLAYER, PlayerId: playerId });
  const { Connections = [] } = await server.sdk().send(command);
  assert((Connections[0]?.Created?.getTime() ?? 0) >= earliest, `${Connections[0]?.Created}`);
});

const aws = await findAwsCli();

testEachClient(aws, `a player's connections are listed with their times, and closed`, async (t, client) => {
  const server = await startTestServer(t);
  const call = client.open(server);
  assert.deepEqual(await call('GetPlayerConnectionStatus', PLAYER), { Connections: [] });
  assert.deepEqual(await call('DisconnectPlayer', PLAYER), { DisconnectSuccesses: [], DisconnectFailures: [] });

  const earliest = Date.now();
  const first = await server.connect();
  const second = await server.connect({ token: await first.token() });
  const latest = Date.now();
  const bystander = await server.connect();
  const player = { ...PLAYER, PlayerId: first.playerId };
  const { Connections = [] } = await call('GetPlayerConnectionStatus', player);
  assert.deepEqual(
    Connections.map(({ Id }) => Id),
    [first.connectionId, second.connectionId],
    'oldest first',
  );
  for (const connection of Connections) {
    assert.deepEqual(Object.keys(connection).sort(), ['Created', 'Id']);
    const { Created } = connection;
    assert(Created instanceof Date && Created.getTime() >= earliest && Created.getTime() <= latest, `${Created}`);
  }

  const { DisconnectSuccesses, DisconnectFailures, ...rest } = await call('DisconnectPlayer', player);
  assert.deepEqual(DisconnectSuccesses?.toSorted(), [first.connectionId, second.connectionId].toSorted());
  assert.deepEqual([DisconnectFailures, rest], [[], {}]);
  for (const { closed } of [first, second]) assert.equal((await closed).code, 4500);
  assert.deepEqual(await call('GetPlayerConnectionStatus', player), { Connections: [] });
  assert.equal(server.counts().directory, 1, 'the bystander alone');
  await bystander.token();
});
