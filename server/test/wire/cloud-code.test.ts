import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { GetPlayerConnectionStatusCommand, ListStageDeploymentsCommand } from '@aws-sdk/client-gamesparks';
import { type ClientEvents, ConnectionClosedError, RequestError, ResparkClient } from '@respark/client';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy, ON_STAGE } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { alarmsOf, startTestServer, type TestServer, temporaryDirectory } from '../support/server.ts';

type Game = Parameters<typeof scriptedGame>[0];

async function deployGame(server: TestServer, game: Game): Promise<void> {
  await deploy(server, await createSnapshot(server, fileOf(scriptedGame(game))));
}

async function connect(t: TestContext, server: TestServer, token?: string) {
  const client = new ResparkClient({
    url: server.playerUrl,
    gameKey: server.gameKey,
    ...(token === undefined ? {} : { storage: { load: () => token, save: () => {} } }),
  });
  t.after(() => client.close());
  const notifications: ClientEvents['notification'][] = [];
  client.on('notification', (notification) => void notifications.push(notification));
  await client.connect();
  const ask = (name: string, payload: object = {}) => client.request(`Custom.Game.${name}`, { ...payload });
  const refusal = async (name: string, payload: object = {}) => {
    const error = await ask(name, payload).then(
      (answer) => assert.fail(`answered: ${JSON.stringify(answer)}`),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof RequestError, String(error));
    return `${error.code}: ${error.message}`;
  };
  const { AuthenticationToken } = await client.request('GameSparks.Identity.GetPlayerToken');
  return { client, ask, refusal, notifications, playerId: client.playerId ?? '', token: String(AuthenticationToken) };
}

async function open(t: TestContext, game: Game, settings: Parameters<typeof startTestServer>[1] = {}) {
  const server = await startTestServer(t, settings);
  await deployGame(server, game);
  return { server, ...(await connect(t, server)) };
}

/** Waits until there is one. */
async function seen<T>(list: readonly T[], index = 0): Promise<T> {
  for (;;) {
    const item = list[index];
    if (item !== undefined) return item;
    await new Promise(setImmediate);
  }
}

test('[ws] the SDK: a request is answered by the deployed script, with the payload that its shape has', async (t) => {
  const { ask, playerId, server } = await open(t, {
    requests: {
      Greet: {
        request: { Name: 'String', Times: 'Integer?' },
        response: { Greeting: 'String', Player: 'String', Times: 'Integer' },
        script: `
          const times = message.Times === undefined || message.Times === null ? 1 : message.Times;
          return GameSparks().Messaging().Response({
            Greeting: 'Hello ' + message.Name, Player: GameSparks().CurrentPlayer().Id(), Times: times,
          });`,
      },
    },
  });
  assert.deepEqual(await ask('Greet', { Name: 'Anna', Times: 3 }), {
    Greeting: 'Hello Anna',
    Player: playerId,
    Times: 3,
  });
  assert.deepEqual(await ask('Greet', { Name: 'é🎮', Extra: [1] }), {
    Greeting: 'Hello é🎮',
    Player: playerId,
    Times: 1,
  });
  assert.deepEqual(alarmsOf(server), []);
});

test('[ws] the SDK: whatever keeps a request from being answered has a code of its own', async (t) => {
  const { refusal, server } = await open(t, {
    requests: {
      Known: { request: { Count: 'Integer' }, response: {}, script: 'return GameSparks().Messaging().Response({});' },
      Unhandled: {},
      Disabled: { script: 'return GameSparks().Messaging().Response({});', isEnabled: false },
      OnlyScripts: { script: 'return GameSparks().Messaging().Response({});', isFromPlayers: false },
      Throws: { script: 'const x = 1;\n  null.foo;' },
      Endless: { script: 'while (true) {}' },
      Nothing: { script: 'return { Not: "a response" };' },
      Misfit: { response: { Count: 'Integer' }, script: 'return GameSparks().Messaging().Response({ Count: "1" });' },
      Refuses: { script: 'return GameSparks().Messaging().Error("NOT_ENOUGH_GOLD", "You need 5 more.");' },
      Pretends: { script: 'return GameSparks().Messaging().Error("busy", "not really");' },
    },
  });
  assert.equal(await refusal('Known', {}), 'bad_request: payload.Count is required');
  assert.equal(
    await refusal('Known', { Count: 'x' }),
    'bad_request: payload.Count must be an Integer of 32 bits, got "x"',
  );
  assert.match(await refusal('Missing'), /^no_handler: no handler for request "Custom.Game.Missing"$/);
  assert.match(await refusal('Unhandled'), /^no_handler: /);
  assert.match(await refusal('Disabled'), /^handler_disabled: /);
  assert.match(await refusal('OnlyScripts'), /^not_allowed: /);
  assert.equal(await refusal('Throws'), 'script_error: the handler of this message failed');
  assert.match(await refusal('Endless'), /^script_stopped: /);
  assert.match(await refusal('Nothing'), /^bad_response: /);
  assert.match(await refusal('Misfit'), /^bad_response: /);
  assert.equal(await refusal('Refuses'), 'NOT_ENOUGH_GOLD: You need 5 more.');
  assert.match(await refusal('Pretends'), /^script_error: /);
  assert.deepEqual(alarmsOf(server), [], 'a script that fails is no alarm of the server');
});

test('[ws] the SDK: events run their handlers, which notify the player on all connections, and raise other events', async (t) => {
  const { server, client, notifications, token } = await open(t, {
    events: {
      Shout: {
        event: { Text: 'String' },
        script: `
          GameSparks().Messaging().RaiseEvent('Count', { By: message.Text.length });
          GameSparks().Messaging().SendNotification('Heard', { Text: message.Text.toUpperCase() });`,
      },
      Count: {
        event: { By: 'Integer' },
        isFromPlayers: false,
        script: `
          const player = GameSparks().CurrentPlayer();
          const before = player.GetData(['Count']).Count || 0;
          player.SetData({ Count: before + message.By });
          GameSparks().Messaging().SendNotification('Counted', { Total: before + message.By });`,
      },
    },
    notifications: { Heard: { Text: 'String' }, Counted: { Total: 'Integer' } },
  });
  const other = await connect(t, server, token);
  client.event('Custom.Game.Shout', { Text: 'hey' });
  for (const list of [notifications, other.notifications]) {
    await seen(list, 1);
    assert.deepEqual(list.map(({ type, payload }) => [type, payload]).sort(), [
      ['Custom.Game.Counted', { Total: 3 }],
      ['Custom.Game.Heard', { Text: 'HEY' }],
    ]);
  }
});

test('[ws] the SDK: player data survives a restart, is merged by key, and is another player’s own', async (t) => {
  const dataDir = temporaryDirectory(t);
  const game = {
    shapes: { Values: { Map: { Shape: 'Document' } } },
    requests: {
      Set: {
        request: { Values: 'Values', Player: 'String?' },
        script: `
          const player = message.Player ? GameSparks().Player(message.Player) : GameSparks().CurrentPlayer();
          player.SetData(message.Values);
          return GameSparks().Messaging().Response({});`,
      },
      Get: {
        request: { Player: 'String?' },
        response: { Values: 'Values' },
        script: `
          const player = message.Player ? GameSparks().Player(message.Player) : GameSparks().CurrentPlayer();
          return GameSparks().Messaging().Response({ Values: player.GetData() });`,
      },
    },
  };
  const before = await startTestServer(t, { dataDir });
  await deployGame(before, game);
  const first = await connect(t, before);
  await first.ask('Set', { Values: { Gold: 5, Name: 'Anna', Bag: [{ Id: 1 }] } });
  await first.ask('Set', { Values: { Gold: 6, Name: null } });
  const second = await connect(t, before);
  assert.deepEqual(await second.ask('Get'), { Values: {} });
  assert.deepEqual(await second.ask('Get', { Player: first.playerId }), { Values: { Gold: 6, Bag: [{ Id: 1 }] } });
  await second.ask('Set', { Player: first.playerId, Values: { Gift: true } });
  await first.client.close();
  await second.client.close();
  await before.close();

  const after = await startTestServer(t, { dataDir });
  const again = await connect(t, after, first.token);
  assert.equal(again.playerId, first.playerId);
  assert.deepEqual(await again.ask('Get'), { Values: { Gold: 6, Bag: [{ Id: 1 }], Gift: true } });
});

test('[ws] the SDK: writes that rest on what was read meet no lost update, however many handlers run at once', async (t) => {
  const { ask } = await open(t, {
    requests: {
      Increment: {
        response: { Count: 'Integer' },
        script: `
          const player = GameSparks().CurrentPlayer();
          for (let attempt = 0; attempt < 50; attempt += 1) {
            const count = (player.GetData(['Count']).Count || 0) + 1;
            try { player.SetData({ Count: count }); } catch (e) { if (e.code === 'conflict') continue; throw e; }
            return GameSparks().Messaging().Response({ Count: count });
          }`,
      },
    },
  });
  const counts = await Promise.all(Array.from({ length: 20 }, () => ask('Increment')));
  assert.deepEqual(
    counts.map(({ Count }) => Number(Count)).sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
});

test('[ws] the SDK: a script closes every connection of a player, on record, and says which', async (t) => {
  const { server, ask } = await open(t, {
    requests: {
      Kick: {
        request: { Player: 'String' },
        response: { Closed: 'Integer', Left: 'Integer' },
        script: `
          const result = GameSparks().Player(message.Player).Disconnect('You were voted out');
          return GameSparks().Messaging().Response({
            Closed: result.DisconnectSuccesses.length, Left: result.DisconnectFailures.length,
          });`,
      },
    },
  });
  const victim = await connect(t, server);
  const elsewhere = await connect(t, server, victim.token);
  const closed = [victim, elsewhere].map(
    ({ client }) => new Promise<ClientEvents['disconnect']>((resolve) => client.on('disconnect', resolve)),
  );
  assert.deepEqual(await ask('Kick', { Player: victim.playerId }), { Closed: 2, Left: 0 });
  for (const event of await Promise.all(closed)) assert.match(JSON.stringify(event), /You were voted out/);
  const { Connections } = await server
    .sdk()
    .send(new GetPlayerConnectionStatusCommand({ ...ON_STAGE, PlayerId: victim.playerId }));
  assert.deepEqual(Connections, []);
});

test('[ws] the SDK: a script that disconnects too many players gets an error that it can catch', async (t) => {
  const { ask } = await open(
    t,
    {
      requests: {
        KickAll: {
          response: { Done: 'Integer', Code: 'String' },
          script: `
          for (let done = 0; ; done += 1) {
            try { GameSparks().Player('nobody').Disconnect(); }
            catch (e) { return GameSparks().Messaging().Response({ Done: done, Code: e.code }); }
          }`,
        },
      },
    },
    { settings: { scriptDisconnectsPerSecond: 2 } },
  );
  const { Done, Code } = await ask('KickAll');
  assert.equal(Code, 'throttled');
  assert.ok(Number(Done) >= 10 && Number(Done) <= 50, `${Done} disconnects`);
});

test('[ws] the SDK: a script that fills the quota of its stage gets an error that it can catch, and can remove data', async (t) => {
  const { server, ask } = await open(
    t,
    {
      requests: {
        Fill: {
          response: { Players: 'Integer', Code: 'String', Text: 'String' },
          script: `
            for (let number = 0; ; number += 1) {
              try { GameSparks().Player('p' + number).SetData({ a: 'x'.repeat(100000) }); } catch (e) {
                return GameSparks().Messaging().Response({ Players: number, Code: e.code, Text: e.message });
              }
            }`,
        },
        MakeRoom: {
          response: { Left: 'Integer' },
          script: `
            GameSparks().Player('p0').SetData({ a: null });
            GameSparks().CurrentPlayer().SetData({ a: 1 });
            return GameSparks().Messaging().Response({ Left: Object.keys(GameSparks().Player('p0').GetData()).length });`,
        },
      },
    },
    { settings: { playerDataMaxBytesPerStage: 1_048_576 } },
  );
  const { Players, Code, Text } = await ask('Fill');
  assert.deepEqual([Players, Code], [10, 'quota_exceeded']);
  assert.match(
    String(Text),
    /1101441 bytes, of which a stage may have 1048576: remove .* RESPARK_PLAYER_DATA_MAX_BYTES_PER_STAGE$/,
  );
  assert.deepEqual(await ask('MakeRoom'), { Left: 0 });
  assert.deepEqual(alarmsOf(server), [], 'a script that writes too much is no alarm of the server');
});

test('[ws] the SDK: a player stays on the handlers that were deployed when they came; a newcomer gets the new ones', async (t) => {
  const version = (number: number): Game => ({
    requests: {
      Version: {
        response: { Version: 'Integer' },
        script: `return GameSparks().Messaging().Response({ Version: ${number} });`,
      },
    },
  });
  const { server, ask, token } = await open(t, version(1));
  const asked = Array.from({ length: 50 }, () => ask('Version'));
  await deployGame(server, version(2));
  assert.deepEqual(await Promise.all(asked), Array(50).fill({ Version: 1 }));
  assert.deepEqual(await ask('Version'), { Version: 1 });
  const newcomer = await connect(t, server, token);
  assert.deepEqual(await newcomer.ask('Version'), { Version: 2 });
  const { StageDeployments } = await server.sdk().send(new ListStageDeploymentsCommand(ON_STAGE));
  assert.equal(StageDeployments?.length, 2);
});

test('[ws] the SDK: a script that disconnects its own player ends that player’s request', async (t) => {
  const { ask } = await open(t, {
    requests: {
      Leave: { script: 'GameSparks().CurrentPlayer().Disconnect(); return GameSparks().Messaging().Response({});' },
    },
  });
  await assert.rejects(ask('Leave'), ConnectionClosedError);
});

test('a stop that ends many handlers and messages that wait for them logs no error', async (t) => {
  const { server, client } = await open(t, { requests: { Wait: { script: 'for (;;) {}' } } });
  const closed = Array.from({ length: 40 }, () => assert.rejects(client.request('Custom.Game.Wait', {})));
  // The first answer shows that all have come: the server reads them in one turn.
  await Promise.race(closed);
  await server.close();
  await Promise.all(closed);
  const errors = server.logged.filter(({ level }) => Number(level) >= 50);
  assert.deepEqual(errors, []);
});
