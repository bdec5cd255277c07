import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResparkClient } from '@respark/client';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { startTestServer, until } from '../support/server.ts';

const PURCHASES = 5;

/** Raises an event first, and has a thread busy for so long that another one would have come to the event. */
const RAISES_AND_GOES_ON = `
  const player = GameSparks().CurrentPlayer();
  GameSparks().Messaging().RaiseEvent('Deliver', { Number: message.Number });
  const end = Date.now() + 60;
  while (Date.now() < end) player.GetData(['Gold']);
  player.SetData({ ['Paid' + message.Number]: true });
`;

const GAME = scriptedGame({
  requests: {
    Buy: {
      request: { Number: 'Integer' },
      script: `${RAISES_AND_GOES_ON} return GameSparks().Messaging().Response({});`,
    },
    Fail: { request: { Number: 'Integer' }, script: `${RAISES_AND_GOES_ON} throw new Error('too late');` },
    Read: {
      response: { Data: 'Document' },
      script: 'return GameSparks().Messaging().Response({ Data: GameSparks().CurrentPlayer().GetData() });',
    },
  },
  events: {
    Deliver: {
      event: { Number: 'Integer' },
      isFromPlayers: false,
      script: `
        const player = GameSparks().CurrentPlayer();
        const isPaid = player.GetData(['Paid' + message.Number])['Paid' + message.Number] === true;
        GameSparks().Player(player.Id()).SetData({ ['Delivery' + message.Number]: isPaid });`,
    },
  },
});

test('a raised event is handled after the handler that raises it, whatever that has still to do and however it ends', async (t) => {
  const server = await startTestServer(t, { settings: { scriptThreads: 4, scriptMaxCalls: 10_000 } });
  await deploy(server, await createSnapshot(server, fileOf(GAME)));
  const client = new ResparkClient({ url: server.playerUrl, gameKey: server.gameKey });
  t.after(() => client.close());
  await client.connect();
  for (let number = 0; number < PURCHASES; number += 1) {
    await client.request('Custom.Game.Buy', { Number: number });
  }
  await assert.rejects(client.request('Custom.Game.Fail', { Number: PURCHASES }));
  const numbers = Array.from({ length: PURCHASES + 1 }, (_, number) => number);
  const deliveries = async () => {
    const { Data } = await client.request('Custom.Game.Read');
    return numbers.map((number) => (Data as Record<string, unknown>)[`Delivery${number}`]);
  };
  await until(async () => !(await deliveries()).includes(undefined));
  assert.deepEqual(
    await deliveries(),
    numbers.map(() => true),
  );
});
