import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResparkClient } from '@respark/client';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { startTestServer, temporaryDirectory } from '../support/server.ts';

const GAME = scriptedGame({
  requests: {
    Buy: {
      request: { Number: 'Integer' },
      script: `
        const player = GameSparks().CurrentPlayer();
        player.SetData({ ['Paid' + message.Number]: true });
        GameSparks().Messaging().RaiseEvent('Deliver', { Number: message.Number });
        const end = Date.now() + 50;
        while (Date.now() < end) {}
        player.SetData({ ['Item' + message.Number]: true });
        return GameSparks().Messaging().Response({});`,
    },
    Read: {
      response: { Data: 'Document' },
      script: 'return GameSparks().Messaging().Response({ Data: GameSparks().CurrentPlayer().GetData() });',
    },
  },
  events: {
    Deliver: {
      event: { Number: 'Integer' },
      script: `GameSparks().CurrentPlayer().SetData({ ['Delivered' + message.Number]: true });`,
    },
  },
});

test('what has come before a drain is handled to its end, with the events that it raises', async (t) => {
  const dataDir = temporaryDirectory(t);
  const server = await startTestServer(t, { dataDir, settings: { scriptThreads: 2 } });
  await deploy(server, await createSnapshot(server, fileOf(GAME)));
  const connect = async ({ playerUrl: url, gameKey }: typeof server, token?: string) => {
    const client = new ResparkClient({ url, gameKey, token, reconnect: { maxRetries: 0 } });
    t.after(() => client.close());
    await client.connect();
    return client;
  };
  const client = await connect(server);
  const { AuthenticationToken: token } = await client.request('GameSparks.Identity.GetPlayerToken');
  const numbers = [1, 2, 3, 4, 5, 6];
  await client.request('Custom.Game.Buy', { Number: 0 });
  const asked = numbers.map((number) => client.request('Custom.Game.Buy', { Number: number }));
  // They were sent at once, so when one is answered, all have come, and most still wait for a thread.
  await Promise.any(asked);
  await server.drain();
  await Promise.allSettled(asked);
  await server.close();

  const later = await startTestServer(t, { dataDir });
  const { Data } = await (await connect(later, String(token))).request('Custom.Game.Read');
  const whole = [0, ...numbers].flatMap((number) => [`Delivered${number}`, `Item${number}`, `Paid${number}`]);
  assert.deepEqual(Object.keys(Data as object).sort(), whole.sort());
});
