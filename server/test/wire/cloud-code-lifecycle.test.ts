import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type ClientEvents, RequestError, ResparkClient } from '@respark/client';
import type { Payload } from '@respark/protocol';
import { fileOf } from '../support/game-document.ts';
import { createWorkplace } from '../support/process.ts';
import { createSnapshot, deploy, type Place } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { alarmsOf, NO_SEND_LIMITS, startTestServer, temporaryDirectory, until } from '../support/server.ts';

const GET_PLAYER_TOKEN = 'GameSparks.Identity.GetPlayerToken';
/** For a busy machine: the test sends more messages than could all be lucky there. */
const PATIENT = { scriptMaxBusyMs: 10_000, scriptWatchdogMs: 10_000 };
const ANSWER = 'return GameSparks().Messaging().Response';

/** The game as its authors deploy it for the first and for the second time. */
function version(number: number) {
  return scriptedGame({
    shapes: { Any: { Map: { Shape: 'Document' } } },
    requests: {
      Version: { response: { Version: 'Integer' }, script: `${ANSWER}({ Version: ${number} });` },
      // The second version has another shape, which the first one's payload does not fit.
      Add: {
        request: number === 1 ? { By: 'Integer' } : { Amount: 'Integer' },
        response: { Total: 'Integer' },
        script: `
          const player = GameSparks().CurrentPlayer();
          for (;;) {
            const total = (player.GetData(['Total']).Total || 0) + (message.By || message.Amount);
            try { player.SetData({ Total: total }); } catch (e) { if (e.code === 'conflict') continue; throw e; }
            GameSparks().Logging().Info('total ' + total);
            ${ANSWER}({ Total: total });
          }`,
      },
      Data: { response: { Data: 'Any' }, script: `${ANSWER}({ Data: GameSparks().CurrentPlayer().GetData() });` },
      Fail: { script: `\n throw new Error('version ${number}');` },
      Refuse: { script: `return GameSparks().Messaging().Error('VERSION_${number}', 'of version ${number}');` },
      Tell: {
        request: { Player: 'String' },
        script: `GameSparks().Messaging().SendNotification('Told', { Version: ${number} }, message.Player); ${ANSWER}({});`,
      },
    },
    events: {
      Count: {
        event: { Id: 'Integer' },
        script: `
          const player = GameSparks().CurrentPlayer();
          player.SetData({ ['Id' + message.Id % 50]: ${number} });
          GameSparks().Messaging().SendNotification('Counted', { Id: message.Id, Version: ${number} });`,
      },
      Off: { script: "GameSparks().Messaging().SendNotification('Told', { Version: -1 });", isEnabled: false },
    },
    notifications: { Told: { Version: 'Integer' }, Counted: { Id: 'Integer', Version: 'Integer' } },
  });
}

async function deployVersion(place: Place, number: number): Promise<void> {
  await deploy(place, await createSnapshot(place, fileOf(version(number))));
}

async function connect(t: TestContext, server: { playerUrl: string; gameKey: string }, token?: string) {
  const client = new ResparkClient({
    url: server.playerUrl,
    gameKey: server.gameKey,
    ...(token === undefined ? {} : { storage: { load: () => token, save: () => {} } }),
  });
  t.after(() => client.close());
  const notifications: ClientEvents['notification'][] = [];
  const errors: Error[] = [];
  client.on('notification', (notification) => void notifications.push(notification));
  client.on('error', (error) => void errors.push(error));
  const { playerId } = await client.connect();
  const ask = (name: string, payload: Payload = {}) => client.request(`Custom.Game.${name}`, payload);
  return {
    ...{ client, ask, notifications, errors, playerId },
    token: async () => String((await client.request(GET_PLAYER_TOKEN)).AuthenticationToken),
    refusal: async (name: string, payload: Payload = {}) => {
      const error = await ask(name, payload).catch((error: unknown) => error);
      assert.ok(error instanceof RequestError, String(error));
      return `${error.code}: ${error.message}`;
    },
  };
}

test('[ws] the SDK: messages under way while another version is deployed are handled once each, by the version of their connection', async (t) => {
  const settings = { ...NO_SEND_LIMITS, ...PATIENT };
  const server = await startTestServer(t, { settings });
  await deployVersion(server, 1);
  const player = await connect(t, server);
  const answers: Promise<Payload>[] = [];
  let sent = 0;
  let isDeployed = false;
  const deployed = deployVersion(server, 2).then(() => {
    isDeployed = true;
  });
  // A few more after the deployment, so that some come before it, some during it and some after it.
  for (let more = 50; more > 0; more -= isDeployed ? 1 : 0) {
    player.client.event('Custom.Game.Count', { Id: sent });
    sent += 1;
    const answer = player.ask('Version');
    answers.push(answer);
    await answer;
  }
  await deployed;
  assert.deepEqual(await Promise.all(answers), Array(sent).fill({ Version: 1 }));
  await until(() => player.notifications.length >= sent);
  const ids = player.notifications.map(({ payload }) => payload.Id);
  assert.deepEqual(new Set(ids), new Set(Array.from({ length: sent }, (_, id) => id)));
  assert.equal(ids.length, sent, 'none was handled twice');
  for (const { payload } of player.notifications) assert.equal(payload.Version, 1);
  assert.deepEqual(await player.ask('Version'), { Version: 1 });
  assert.deepEqual(alarmsOf(server), []);
});

test('[ws] the SDK: two versions side by side have shapes, errors and notifications of their own, and one player’s data', async (t) => {
  const server = await startTestServer(t);
  await deployVersion(server, 1);
  const old = await connect(t, server);
  assert.deepEqual(await old.ask('Add', { By: 2 }), { Total: 2 });
  await deployVersion(server, 2);
  const young = await connect(t, server, await old.token());
  assert.equal(young.playerId, old.playerId);

  assert.deepEqual(await young.ask('Add', { Amount: 3 }), { Total: 5 });
  assert.deepEqual(await old.ask('Add', { By: 4 }), { Total: 9 });
  assert.match(await young.refusal('Add', { By: 4 }), /^bad_request: payload\.Amount is required/);
  assert.match(await old.refusal('Add', { Amount: 4 }), /^bad_request: payload\.By is required/);
  assert.equal(await old.refusal('Refuse'), 'VERSION_1: of version 1');
  assert.equal(await young.refusal('Refuse'), 'VERSION_2: of version 2');
  assert.match(await old.refusal('Fail'), /^script_error: /);

  const Player = old.playerId;
  await old.ask('Tell', { Player });
  await young.ask('Tell', { Player });
  for (const { notifications } of [old, young]) {
    await until(() => notifications.length === 2);
    assert.deepEqual(
      notifications.map(({ type, payload }) => [type, payload.Version]),
      [
        ['Custom.Game.Told', 1],
        ['Custom.Game.Told', 2],
      ],
      'every connection of the player is told, in order',
    );
  }
  old.client.event('Custom.Game.Off');
  await until(() => old.errors.length === 1);
  assert.match(String(old.errors[0]), /disabled/);
  assert.equal(old.notifications.length, 2);
});

test('[ws] the SDK: after a restart, players are on the newest version, with the data and the log as they were', async (t) => {
  const dataDir = temporaryDirectory(t);
  const before = await startTestServer(t, { dataDir });
  await deployVersion(before, 1);
  const player = await connect(t, before);
  const token = await player.token();
  await player.ask('Add', { By: 7 });
  assert.match(await player.refusal('Fail'), /^script_error/);
  await deployVersion(before, 2);
  await player.client.close();
  await before.close();

  const after = await startTestServer(t, { dataDir });
  const again = await connect(t, after, token);
  assert.equal(again.playerId, player.playerId);
  assert.deepEqual(await again.ask('Version'), { Version: 2 });
  assert.deepEqual(await again.ask('Add', { Amount: 1 }), { Total: 8 });
  assert.match(await again.refusal('Fail'), /^script_error/);
  assert.deepEqual(alarmsOf(after), []);
});

test('[ws] the SDK: what SetData has written before an answer is there after the server was killed, and so is the log', async (t) => {
  const place = createWorkplace(t);
  const server = await place.serve(['--demo']);
  await deployVersion(server, 1);
  const players = await Promise.all(Array.from({ length: 5 }, () => connect(t, server)));
  const tokens = await Promise.all(players.map((player) => player.token()));
  const totals = players.map(() => 0);
  const running = players.map(async ({ ask, client }, index) => {
    for (;;) {
      const answer = await ask('Add', { By: 1 }).catch(() => undefined);
      if (answer === undefined) return await client.close();
      totals[index] = Number(answer.Total);
    }
  });
  await until(() => totals.every((total) => total >= 20));
  server.child.kill('SIGKILL');
  await Promise.all(running);
  await server.ended();

  const again = await place.serve(['--demo', '--data-dir', server.dataDir]);
  for (const [index, token] of tokens.entries()) {
    const { ask } = await connect(t, again, token);
    const { Data } = await ask('Data');
    const { Total } = Data as { Total: number };
    const acknowledged = totals[index] ?? 0;
    assert.ok(Total === acknowledged || Total === acknowledged + 1, `${Total} after ${acknowledged} was acknowledged`);
  }
  const named = ['--game', 'Demo', '--stage', 'Dev', '--data-dir', server.dataDir];
  const { stdout } = await place.respark(['logs', ...named, '--limit', '1000']);
  assert.match(stdout, /total 1\b/);
});

test('[ws] the SDK: a handler overrides a request that every stage answers, or leaves the answer to the stage', async (t) => {
  const server = await startTestServer(t);
  const overridden = (Script: string, Enabled = true) => {
    const sections = version(1);
    const handlers = sections['GameSparks.Core.RequestHandlers'] as object;
    const handler = { Enabled, Code: { Script, ScriptLanguage: 'Javascript_ES5_1' } };
    return fileOf({ ...sections, 'GameSparks.Core.RequestHandlers': { ...handlers, [GET_PLAYER_TOKEN]: handler } });
  };
  const open = async (document: Uint8Array) => {
    await deploy(server, await createSnapshot(server, document));
    return await connect(t, server);
  };

  const counting = await open(overridden('GameSparks().CurrentPlayer().SetData({ Asked: true });'));
  const own = await connect(t, server, await counting.token());
  assert.equal(own.playerId, counting.playerId, 'the stage has answered, with a token that is good');
  assert.deepEqual(await counting.ask('Data'), { Data: { Asked: true } });

  const replaced = await open(
    overridden(`${ANSWER}({ AuthenticationToken: 'for ' + GameSparks().CurrentPlayer().Id() });`),
  );
  assert.equal(await replaced.token(), `for ${replaced.playerId}`);
  const misfit = await open(overridden(`${ANSWER}({ AuthenticationToken: 5 });`));
  await assert.rejects(misfit.token(), { code: 'bad_response' });
  const refused = await open(overridden("return GameSparks().Messaging().Error('NO_GUESTS', 'Sign in first.');"));
  await assert.rejects(refused.token(), { code: 'NO_GUESTS' });
  const failing = await open(overridden('null.x;'));
  await assert.rejects(failing.token(), { code: 'script_error' });
  const off = await open(overridden('null.x;', false));
  assert.equal((await connect(t, server, await off.token())).playerId, off.playerId);
  assert.deepEqual(alarmsOf(server), []);
});
