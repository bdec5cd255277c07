import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConflictException,
  CreateGameCommand,
  DeleteGameCommand,
  GetGameCommand,
  ListGamesCommand,
  paginateListGames,
  ResourceNotFoundException,
  UpdateGameCommand,
  ValidationException,
} from '@aws-sdk/client-gamesparks';
import { alterDatabase, createKey } from '../support/administration.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, startTestServer } from '../support/server.ts';

const aws = await findAwsCli();

testEachClient(aws, 'a game is made, read, listed, changed and deleted', async (t, client) => {
  const server = await startTestServer(t, { settings: { region: 'eu-north-1', accountId: '123456789012' } });
  const call = client.open(server);
  const earliest = Date.now();
  const Tags = { team: 'red', 'cost-centre': '4711' };
  const { Game, ...rest } = await call('CreateGame', { GameName: '-Chess_1', Description: 'For two', Tags });
  assert.deepEqual(rest, {});
  const Created = Game?.Created;
  assert(Created instanceof Date && Created.getTime() >= earliest && Created.getTime() <= Date.now());
  const details = {
    Arn: 'arn:aws:gamesparks:eu-north-1:123456789012:game/-Chess_1',
    Created,
    Description: 'For two',
    EnableTerminationProtection: false,
    LastUpdated: Created,
    Name: '-Chess_1',
    State: 'ACTIVE',
    Tags,
  };
  assert.deepEqual(Game, details);
  assert.deepEqual(await call('GetGame', { GameName: '-Chess_1' }), { Game: details });

  const demo = { Name: GAME, Description: 'Made by serve --demo', State: 'ACTIVE' };
  const chess = { Name: '-Chess_1', Description: 'For two', State: 'ACTIVE', Tags };
  const listed = await call('ListGames', {});
  assert.deepEqual(listed, { Games: [chess, demo] });

  const updated = await call('UpdateGame', { GameName: '-Chess_1', Description: 'For four' });
  const LastUpdated = updated.Game?.LastUpdated;
  assert(LastUpdated instanceof Date && LastUpdated >= Created);
  assert.deepEqual(updated, { Game: { ...details, Description: 'For four', LastUpdated } });

  assert.deepEqual(await call('DeleteGame', { GameName: '-Chess_1' }), {});
  assert.deepEqual(await call('DeleteGame', { GameName: '-Chess_1' }), {}, 'what is gone is gone');
  const { Games } = await server.sdk().send(new ListGamesCommand({}));
  assert.deepEqual(Games, [demo]);
});

test('[aws-cli] follows the pages of a list by itself', { skip: aws === undefined }, async (t) => {
  const server = await startTestServer(t);
  const sdk = server.sdk();
  for (const GameName of ['C', 'A', 'B']) await sdk.send(new CreateGameCommand({ GameName }));
  const list = async (...flags: string[]) => {
    const call = { endpoint: server.url, operation: 'ListGames', credentials: ROOT };
    const output = await aws?.({ ...call, flags: ['--query=[Games[].Name,NextToken!=`null`]', ...flags] });
    return output;
  };
  assert.deepEqual(await list('--page-size=1'), [['A', 'B', 'C', GAME], false]);
  assert.deepEqual(await list('--page-size=3', '--max-items=2'), [['A', 'B'], true]);
});

test('[aws-cli] refuses by itself to send an empty name', { skip: aws === undefined }, async (t) => {
  const server = await startTestServer(t);
  const call = { endpoint: server.url, operation: 'ListStages', input: { GameName: '' }, credentials: ROOT };
  await assert.rejects(async () => await aws?.(call), /Invalid length for parameter GameName/);
  assert.equal(server.logged.filter(({ msg }) => msg === 'request answered').length, 0);
});

test('[aws-sdk] refuses by itself to send an empty name', async (t) => {
  const server = await startTestServer(t);
  const call = server.sdk().send(new GetGameCommand({ GameName: '' }));
  await assert.rejects(call, /Empty value provided for input HTTP label: GameName/);
  assert.equal(server.logged.filter(({ msg }) => msg === 'request answered').length, 0);
});

test('[aws-sdk] its paginator gives every game once, and the last page has no token', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  const names = ['E', 'a', 'C', 'B', '_', 'D'];
  for (const GameName of names) await client.send(new CreateGameCommand({ GameName }));
  const pages: string[][] = [];
  const seen = new Set<string | undefined>();
  for await (const { Games = [], NextToken } of paginateListGames({ client, pageSize: 3 }, {})) {
    pages.push(Games.map(({ Name }) => String(Name)));
    assert(!seen.has(NextToken), 'each token once');
    seen.add(NextToken);
    // What is made or deleted meanwhile moves no other game to a page that was or is to come.
    if (pages.length === 1) await client.send(new DeleteGameCommand({ GameName: 'B' }));
  }
  assert.deepEqual(pages, [['B', 'C', 'D'], [GAME, 'E', '_'], ['a']]);
  assert.equal([...seen].at(-1), undefined);
});

test('[aws-sdk] a token is taken only whole, and only for the list that gave it', async (t) => {
  const server = await startTestServer(t);
  const elsewhere = await startTestServer(t);
  for (const { sdk } of [server, elsewhere]) await sdk().send(new CreateGameCommand({ GameName: 'A' }));
  const list = async ({ sdk }: typeof server, page: { NextToken?: string } = {}) =>
    await sdk().send(new ListGamesCommand({ MaxResults: 1, ...page }));
  const { NextToken: token = '' } = await list(server);
  assert.deepEqual(
    (await list(server, { NextToken: token })).Games?.map(({ Name }) => Name),
    [GAME],
  );
  const { NextToken: foreign = '' } = await list(elsewhere);
  const last = token.endsWith('A') ? 'B' : 'A';
  for (const wrong of [foreign, `${token.slice(0, -1)}${last}`, token.slice(1), `${token}A`, `${token}=`, 'x', '-']) {
    await assert.rejects(list(server, { NextToken: wrong }), ValidationException, wrong);
  }
  const ofStages = rawCall(server, 'GET', `/game/${GAME}/stage?NextToken=${token}`);
  assert.equal((await ofStages).error, 'ValidationException');
});

test('[aws-sdk] a ClientToken makes one game, however often it comes', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  const ClientToken = 'a token of thirty-three characters';
  const game = { GameName: 'Chess', Description: 'For two', Tags: { a: '1', b: '2' }, ClientToken };
  const create = async (input: object = {}, { sdk } = server) =>
    (await sdk().send(new CreateGameCommand({ ...game, ...input }))).Game;

  const made = await create();
  assert.deepEqual(await create(), made);
  assert.deepEqual(await create({ Tags: { b: '2', a: '1' } }), made, 'in another order they are the same tags');
  assert.deepEqual(
    (await Promise.all([create(), create(), create()])).map((again) => again?.Created),
    [made?.Created, made?.Created, made?.Created],
  );
  await client.send(new UpdateGameCommand({ GameName: 'Chess', Description: 'For four' }));
  assert.equal((await create())?.Description, 'For four', 'the game as it is now');

  for (const other of [{ GameName: 'Go' }, { Description: 'x' }, { Tags: { a: '1' } }]) {
    await assert.rejects(create(other), ConflictException);
  }
  await assert.rejects(client.send(new GetGameCommand({ GameName: 'Go' })), ResourceNotFoundException);

  // The token is another principal's own; what it names is taken all the same.
  const credentials = await createKey(server, [{ Effect: 'Allow', Action: '*', Resource: '*' }]);
  const someone = server.sdk({ credentials });
  await assert.rejects(someone.send(new CreateGameCommand(game)), /"Chess" already exists/);
  const go = await someone.send(new CreateGameCommand({ GameName: 'Go', ClientToken }));
  assert.equal(go.Game?.Name, 'Go');

  await client.send(new DeleteGameCommand({ GameName: 'Chess' }));
  const remade = await create({ Description: 'Another' });
  assert.equal(remade?.Description, 'Another', 'with the game its token is void');
  assert.notDeepEqual(remade?.Created, made?.Created);
});

test('[aws-sdk] lengths count characters as people do, not UTF-16 units', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  const longest = '🎮'.repeat(250);
  const { Game } = await client.send(new CreateGameCommand({ GameName: 'G'.repeat(36), Description: longest }));
  assert.equal(Game?.Description, longest);
  await assert.rejects(
    client.send(new CreateGameCommand({ GameName: 'Other', Description: `${longest}🎮` })),
    /length less than or equal to 250/,
  );
});

test('[aws-sdk] an update without a description changes nothing', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  const before = await client.send(new GetGameCommand({ GameName: GAME }));
  const { Game } = await client.send(new UpdateGameCommand({ GameName: GAME }));
  assert.deepEqual(Game, before.Game);
  const emptied = await client.send(new UpdateGameCommand({ GameName: GAME, Description: '' }));
  assert.equal(emptied.Game?.Description, '');
});

test('[aws-sdk] a broken store is told to the log, not to the caller', async (t) => {
  const server = await startTestServer(t);
  alterDatabase(server, 'ALTER TABLE games RENAME TO games_out_of_reach');
  const failure = await server
    .sdk({ maxAttempts: 1 })
    .send(new ListGamesCommand({}))
    .catch((error) => error);
  assert.equal(failure.message, 'The service encountered an internal error.');
  const line = server.logged.find(({ requestId }) => requestId === failure.$metadata.requestId);
  assert.equal(line?.level, 50);
  assert.match(JSON.stringify(line), /no such table: games/);
});
