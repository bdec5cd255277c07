import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DisconnectPlayerCommand } from '@aws-sdk/client-gamesparks';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy, ON_STAGE } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, STAGE, startTestServer, until } from '../support/server.ts';

const SLOW = `
  const player = GameSparks().CurrentPlayer();
  GameSparks().Logging().Info('begun ' + player.Id());
  const end = Date.now() + 100;
  while (Date.now() < end) {}
`;

const MESSAGES = 20;

test('what waits for its handler when its player is disconnected is dropped, and what others have sent is not', async (t) => {
  const server = await startTestServer(t, { settings: { scriptThreads: 1 } });
  const game = scriptedGame({ events: { Slow: { script: SLOW } } });
  await deploy(server, await createSnapshot(server, fileOf(game)));
  const [away, stays] = [await server.connect(), await server.connect()];
  const send = ({ ws }: typeof away) =>
    ws.send(JSON.stringify({ kind: 'event', type: 'Custom.Game.Slow', payload: {} }));
  const begun = async ({ playerId }: typeof away): Promise<number> => {
    const { json } = await rawCall(server, 'GET', `/respark/game/${GAME}/stage/${STAGE}/log-line?MaxResults=100`);
    return JSON.stringify(json).split(`begun ${playerId}`).length - 1;
  };
  for (let sent = 0; sent < MESSAGES; sent += 1) send(away);
  send(stays);
  await until(async () => (await begun(away)) > 0);
  await server.sdk().send(new DisconnectPlayerCommand({ ...ON_STAGE, PlayerId: away.playerId }));
  await until(async () => (await begun(stays)) === 1);
  send(stays);
  await until(async () => (await begun(stays)) === 2);
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  const count = await begun(away);
  assert.ok(count < MESSAGES / 2, `${count} of ${MESSAGES} were handled`);
});
