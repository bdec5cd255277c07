import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConflictException,
  CreateGameCommand,
  CreateStageCommand,
  DeleteGameCommand,
  DeleteStageCommand,
  DisconnectPlayerCommand,
  GetGameCommand,
  GetPlayerConnectionStatusCommand,
  GetStageCommand,
  ListStagesCommand,
  paginateListStages,
  ResourceNotFoundException,
  UpdateGameCommand,
  UpdateStageCommand,
  ValidationException,
} from '@aws-sdk/client-gamesparks';
import { closeCode } from '@respark/protocol';
import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { ROLE } from '../support/domain.ts';
import { GAME, NO_SEND_LIMITS, STAGE, startTestServer, type TestServer, until } from '../support/server.ts';

const DEV = { GameName: GAME, StageName: STAGE };
const NEW = { GameName: GAME, StageName: 'Live', Role: ROLE };

const aws = await findAwsCli();

testEachClient(aws, 'a stage is made, read, listed, changed and deleted', async (t, client) => {
  const server = await startTestServer(t, { settings: { region: 'eu-north-1', accountId: '123456789012' } });
  const call = client.open(server);
  const earliest = Date.now();
  const Tags = { team: 'red' };
  const { Stage, ...rest } = await call('CreateStage', { ...NEW, Description: 'For all', Tags });
  assert.deepEqual(rest, {});
  const { Created, GameKey = '' } = Stage ?? {};
  assert(Created instanceof Date && Created.getTime() >= earliest && Created.getTime() <= Date.now());
  assert.match(GameKey, /^[A-Za-z0-9]{32}$/);
  const details = {
    Arn: `arn:aws:gamesparks:eu-north-1:123456789012:game/${GAME}/stage/Live`,
    Created,
    Description: 'For all',
    GameKey,
    LastUpdated: Created,
    LogGroup: `/aws/gamesparks/${GAME}/Live`,
    Name: 'Live',
    Role: ROLE,
    State: 'ACTIVE',
    Tags,
  };
  assert.deepEqual(Stage, details);
  const live = { GameName: GAME, StageName: 'Live' };
  assert.deepEqual(await call('GetStage', live), { Stage: details });

  const dev = { Name: STAGE, Description: '', GameKey: server.gameKey, State: 'ACTIVE' };
  const summary = { Name: 'Live', Description: 'For all', GameKey, State: 'ACTIVE', Tags };
  assert.deepEqual(await call('ListStages', { GameName: GAME }), { Stages: [dev, summary] });

  const updated = await call('UpdateStage', { ...live, Role: `${ROLE}2` });
  const LastUpdated = updated.Stage?.LastUpdated;
  assert(LastUpdated instanceof Date && LastUpdated >= Created);
  assert.deepEqual(updated, { Stage: { ...details, Role: `${ROLE}2`, LastUpdated } });

  assert.deepEqual(await call('DeleteStage', live), {});
  const { Stages } = await server.sdk().send(new ListStagesCommand({ GameName: GAME }));
  assert.deepEqual(Stages, [dev]);
});

test('[aws-sdk] its paginator gives every stage of one game once', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  await client.send(new CreateGameCommand({ GameName: 'Other' }));
  for (const StageName of ['A', 'B', 'C']) {
    await client.send(new CreateStageCommand({ GameName: 'Other', StageName, Role: ROLE }));
  }
  const pages: string[][] = [];
  let token = '';
  for await (const { Stages = [], NextToken } of paginateListStages({ client, pageSize: 2 }, { GameName: 'Other' })) {
    pages.push(Stages.map(({ Name }) => String(Name)));
    token = NextToken ?? token;
  }
  assert.deepEqual(pages, [['A', 'B'], ['C']]);
  const inAnotherGame = client.send(new ListStagesCommand({ GameName: GAME, NextToken: token }));
  await assert.rejects(inAnotherGame, ValidationException);
});

test('[aws-sdk] one stage more than maxStages is a conflict', async (t) => {
  const server = await startTestServer(t, { settings: { maxStages: 1 } });
  await assert.rejects(server.sdk().send(new CreateStageCommand(NEW)), (error) => {
    assert(error instanceof ConflictException);
    assert.match(error.message, /1 stages, as many as this server allows/);
    return true;
  });
});

test('[aws-sdk] a ClientToken makes one stage, and is void with it', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  const ClientToken = 't'.repeat(33);
  const create = async (input: object = {}) =>
    (await client.send(new CreateStageCommand({ ...NEW, ClientToken, ...input }))).Stage;
  const made = await create();
  assert.deepEqual(await create(), made);
  await assert.rejects(create({ Role: `${ROLE}2` }), ConflictException);
  const game = await client.send(new CreateGameCommand({ GameName: 'Other', ClientToken }));
  assert.equal(game.Game?.Name, 'Other', 'another operation has tokens of its own');
  await client.send(new DeleteStageCommand({ GameName: GAME, StageName: 'Live' }));
  const remade = await create();
  assert.notEqual(remade?.GameKey, made?.GameKey);
});

/** A player whose close frame is stuck behind what they do not read: their stage is not gone before they are. */
async function connectStuckPlayer(server: TestServer) {
  const player = await server.connect();
  const token = await player.token();
  player.ws.pause();
  const type = '\u0001'.repeat(128);
  for (let sent = 0; sent < 12_000; sent += 1) player.request(String(sent), type);
  // The answers come in turns, and only those that the kernel does not take hold a close frame up.
  await until(() => player.ws.bufferedAmount === 0 && (server.counts().outboxBytes ?? 0) > 1_048_576);
  return { ...player, token };
}

const SLOW_DELETION = {
  maxRequestsInFlight: 10_000,
  ...NO_SEND_LIMITS,
  ...{ maxOutboxBytes: 64 * 1_048_576, closeFlushMs: 60_000, closeGraceMs: 60_000, disconnectDeadlineMs: 100 },
  writeCallsBurst: 10_000,
};

test('[aws-sdk] a stage being deleted keeps its name, and the next of that name is another stage', async (t) => {
  const server = await startTestServer(t, { settings: SLOW_DELETION });
  const client = server.sdk({ maxAttempts: 1 });
  const before = (await client.send(new GetStageCommand(DEV))).Stage;
  const player = await connectStuckPlayer(server);
  const named = { ...DEV, PlayerId: player.playerId };

  await client.send(new DeleteStageCommand(DEV));
  const deleting = (await client.send(new GetStageCommand(DEV))).Stage;
  assert.deepEqual({ ...deleting, LastUpdated: before?.LastUpdated }, { ...before, State: 'DELETING' });
  const { Stages } = await client.send(new ListStagesCommand({ GameName: GAME }));
  assert.deepEqual(
    Stages?.map(({ State }) => State),
    ['DELETING'],
  );
  await client.send(new DeleteStageCommand(DEV));
  const create = () => client.send(new CreateStageCommand({ ...DEV, Role: ROLE }));
  await assert.rejects(create(), ConflictException);
  await assert.rejects(create(), /"Dev" is still being deleted: try again later/);
  for (const command of [new GetPlayerConnectionStatusCommand(named), new DisconnectPlayerCommand(named)]) {
    await assert.rejects(client.send(command as DisconnectPlayerCommand), ResourceNotFoundException);
  }
  await assert.rejects(client.send(new UpdateStageCommand({ ...DEV, Description: 'x' })), ResourceNotFoundException);
  await assert.rejects(server.connect(), new RegExp(`closed with ${closeCode('stage_deleted')}`));

  player.ws.terminate();
  await until(() => server.counts().sockets === 0);
  const { Stage } = await untilCreated(create);
  assert.notEqual(Stage?.GameKey, server.gameKey);
  await assert.rejects(server.connect(), new RegExp(`closed with ${closeCode('unknown_game_key')}`));
  const hello = { gameKey: Stage?.GameKey ?? '' };
  await assert.rejects(
    server.connect({ ...hello, token: player.token }),
    new RegExp(`closed with ${closeCode('token_refused')}`),
  );
  const guest = await server.connect(hello);
  assert.notEqual(guest.playerId, player.playerId);
});

/** Asks until the name is free again. */
async function untilCreated<Answer>(create: () => Promise<Answer>): Promise<Answer> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      return await create();
    } catch (error) {
      if (!(error instanceof ConflictException) || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

test('[aws-sdk] a game being deleted keeps its name and its stages’ players out', async (t) => {
  const server = await startTestServer(t, { settings: SLOW_DELETION });
  const client = server.sdk({ maxAttempts: 1 });
  const player = await connectStuckPlayer(server);

  await client.send(new DeleteGameCommand({ GameName: GAME }));
  assert.equal((await client.send(new GetGameCommand({ GameName: GAME }))).Game?.State, 'DELETING');
  assert.equal((await client.send(new GetStageCommand(DEV))).Stage?.State, 'DELETING');
  const create = () => client.send(new CreateGameCommand({ GameName: GAME }));
  await assert.rejects(create(), ConflictException);
  await assert.rejects(client.send(new CreateStageCommand(NEW)), ConflictException);
  const update = new UpdateGameCommand({ GameName: GAME, Description: 'x' });
  await assert.rejects(client.send(update), ResourceNotFoundException);
  const disconnect = new DisconnectPlayerCommand({ ...DEV, PlayerId: player.playerId });
  await assert.rejects(client.send(disconnect), ResourceNotFoundException);
  await client.send(new DeleteGameCommand({ GameName: GAME }));

  player.ws.terminate();
  await until(() => server.counts().sockets === 0);
  await untilCreated(create);
  const { Stages } = await client.send(new ListStagesCommand({ GameName: GAME }));
  assert.deepEqual(Stages, []);
});

test('[aws-sdk] deleting a game closes the players of all its stages, and nobody else’s', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  const { Stage: live } = await client.send(new CreateStageCommand(NEW));
  await client.send(new CreateGameCommand({ GameName: 'Other' }));
  const { Stage: other } = await client.send(new CreateStageCommand({ ...NEW, GameName: 'Other' }));
  const bystander = await server.connect({ gameKey: other?.GameKey ?? '' });
  const players = [await server.connect(), await server.connect({ gameKey: live?.GameKey ?? '' })];

  await client.send(new DeleteGameCommand({ GameName: GAME }));
  for (const { closed } of players) assert.equal((await closed).code, closeCode('stage_deleted'));
  await assert.rejects(client.send(new GetStageCommand(DEV)), ResourceNotFoundException);
  await assert.rejects(client.send(new ListStagesCommand({ GameName: GAME })), ResourceNotFoundException);
  await bystander.token();
});
