import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type AttributeValue, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { ResparkClient } from '@respark/client';
import type { Payload } from '@respark/protocol';
import { findAwsCli } from '../support/aws-cli.ts';
import { type AwsCall, type AwsClient, testEachClient } from '../support/aws-clients.ts';
import { startDynamoDb } from '../support/dynamo-db.ts';
import { fileOf, realGameDocument } from '../support/game-document.ts';
import { CREDENTIALS, startWebServer } from '../support/outside.ts';
import { createWorkplace } from '../support/process.ts';
import { whenEnded } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';

const STAGE = { GameName: 'FrogRace', StageName: 'Dev' };
const Role = 'arn:aws:iam::123456789012:role/GameDeployment-FrogRace';

/** A game that does what AWS's sample for matchmaking does, with calls of the same forms, in words of its own. */
const RACES = fileOf(
  scriptedGame({
    shapes: {
      RaceState: { Enum: { Description: 'of a ticket', Values: ['Waiting', 'Found', 'GivenUp'] } },
      Track: {
        Structure: {
          Description: '',
          Fields: {
            Host: { Shape: 'String', Cardinality: 'Required' },
            Port: { Shape: 'Integer', Cardinality: 'Required' },
            Name: { Shape: 'String', Cardinality: 'Optional' },
          },
        },
      },
    },
    requests: {
      EnterRace: {
        response: { Ticket: 'String' },
        script: [
          "var answer = GameSparks().Lambda('FindRace').Invoke({ racer: GameSparks().CurrentPlayer().Id() });",
          'var ticket = answer.Payload.Entry.Ticket;',
          "GameSparks().Logging().Debug('ticket ' + JSON.stringify(ticket));",
          'GameSparks().CurrentPlayer().SetData({ Ticket: ticket });',
          'return GameSparks().Messaging().Response({ "Ticket": ticket }); // that is all',
        ].join('\r\n'),
      },
      RaceInfo: {
        request: { Ticket: 'String?' },
        response: { State: 'RaceState', Track: 'Track?' },
        script: `
          let ticket = message.Ticket;
          if (ticket === null || ticket === undefined) ticket = GameSparks().CurrentPlayer().GetData(['Ticket']).Ticket;
          const found = GameSparks().DynamoDB().GetItem('Races', { ticket: ticket });
          const response = { State: found.Item.state };
          if (found.Item.state === 'Found') {
            response.Track = { Host: found.Item.host, Port: parseInt(found.Item.port) };
            if (found.Item.name !== undefined) response.Track.Name = found.Item.name;
          }
          return GameSparks().Messaging().Response(response);`,
      },
    },
  }),
);

/** Creates the game and its stage, imports the document and deploys it. Resolves with the game key. */
async function publish(call: AwsCall, document: Uint8Array): Promise<string> {
  const { GameName } = STAGE;
  await call('CreateGame', { GameName });
  const { Stage } = await call('CreateStage', { ...STAGE, Role });
  await call('ImportGameConfiguration', { GameName, ImportSource: { File: document } });
  const { Snapshot } = await call('CreateSnapshot', { GameName });
  await call('StartStageDeployment', { ...STAGE, SnapshotId: Snapshot?.Id ?? '' });
  const ended = await whenEnded(
    async () => (await call('GetStageDeployment', STAGE)).StageDeployment,
    (deployment) => deployment?.DeploymentState,
  );
  assert.equal(ended?.DeploymentState, 'COMPLETED', JSON.stringify(ended));
  return Stage?.GameKey ?? '';
}

/** Everything that a studio has: a function, a table, a server that may use both, and the game on it; and a player. */
async function openStudio(
  t: TestContext,
  aws: AwsClient,
  { document, lambda, table, key }: { document: Uint8Array; lambda: string; table: string; key: string },
  answerOfLambda: object,
) {
  const functions = await startWebServer(t, (response) => response.end(JSON.stringify(answerOfLambda)));
  const dynamoDb = await startDynamoDb(t, {
    [table]: {
      AttributeDefinitions: [{ AttributeName: key, AttributeType: 'S' }],
      KeySchema: [{ AttributeName: key, KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    },
  });
  const server = await createWorkplace(t).serve([], {
    env: {
      ...CREDENTIALS,
      RESPARK_LAMBDA_ENDPOINT: functions.url,
      RESPARK_LAMBDA_FUNCTIONS: lambda,
      RESPARK_DYNAMODB_ENDPOINT: dynamoDb.url,
      RESPARK_DYNAMODB_TABLES: table,
    },
  });
  const gameKey = await publish(aws.open(server, { credentials: server.credentials }), document);
  const client = new ResparkClient({ url: server.playerUrl, gameKey });
  t.after(() => client.close());
  const { playerId } = await client.connect();
  return {
    playerId,
    requests: functions.requests,
    ask: (name: string, payload: Payload = {}) => client.request(`Custom.Game.${name}`, payload),
    /** What the matchmaker writes of a ticket; numbers are text that DynamoDB takes for numbers. */
    put: (item: Readonly<Record<string, AttributeValue>>) =>
      dynamoDb.client.send(new PutItemCommand({ TableName: table, Item: item })),
  };
}

testEachClient(await findAwsCli(), 'a game with matchmaking is imported, deployed and played', async (t, aws) => {
  const names = { lambda: 'FindRace', table: 'Races', key: 'ticket' };
  const { playerId, requests, ask, put } = await openStudio(
    t,
    aws,
    { document: RACES, ...names },
    {
      Entry: { Ticket: 'ticket-1' },
    },
  );

  assert.deepEqual(await ask('EnterRace'), { Ticket: 'ticket-1' });
  assert.deepEqual(
    requests.map(({ method, url, body }) => [method, url, JSON.parse(body)]),
    [['POST', '/2015-03-31/functions/FindRace/invocations', { racer: playerId }]],
  );

  const refused = { code: 'script_error' };
  await assert.rejects(ask('RaceInfo'), refused, 'the matchmaker has not written the ticket');
  await put({ ticket: { S: 'ticket-1' }, state: { S: 'Waiting' } });
  assert.deepEqual(await ask('RaceInfo'), { State: 'Waiting' });
  assert.deepEqual(await ask('RaceInfo', { Ticket: 'ticket-1' }), { State: 'Waiting' });
  await assert.rejects(ask('RaceInfo', { Ticket: 'ticket-2' }), refused, 'there is no such ticket');

  const track = { host: { S: '10.0.0.1' }, port: { N: '7777' }, name: { S: 'Pond' } };
  await put({ ticket: { S: 'ticket-1' }, state: { S: 'Found' }, ...track });
  assert.deepEqual(await ask('RaceInfo'), { State: 'Found', Track: { Host: '10.0.0.1', Port: 7777, Name: 'Pond' } });
  await put({ ticket: { S: 'ticket-1' }, state: { S: 'NotOfTheEnum' } });
  await assert.rejects(ask('RaceInfo'), { code: 'bad_response' });
});

const real = realGameDocument();
if (real !== undefined) {
  testEachClient(await findAwsCli(), 'MegaFrogRace, as AWS has exported it, is imported and played', async (t, aws) => {
    const names = { lambda: 'RequestMatchmakingFunction', table: 'MatchmakingTicket', key: 'ticketId' };
    const { playerId, requests, ask, put } = await openStudio(
      t,
      aws,
      { document: real, ...names },
      {
        MatchmakingTicket: { TicketId: 'ticket-1' },
      },
    );
    assert.deepEqual(await ask('StartMatchmaking'), { TicketId: 'ticket-1' });
    assert.deepEqual(
      requests.map(({ body }) => JSON.parse(body)),
      [{ currentPlayerId: playerId }],
    );
    const ticket = { ticketId: { S: 'ticket-1' } };
    await put({ ...ticket, matchmakingStatus: { S: 'MatchmakingSearching' } });
    assert.deepEqual(await ask('GetMatchmakingInfo'), { Status: 'MatchmakingSearching' });
    const server = {
      ip: { S: '10.0.0.1' },
      port: { N: '7777' },
      dnsName: { S: 'a.example' },
      playerSessionId: { S: 's' },
    };
    await put({ ...ticket, matchmakingStatus: { S: 'MatchmakingSucceeded' }, ...server });
    assert.deepEqual(await ask('GetMatchmakingInfo', { TicketId: 'ticket-1' }), {
      Status: 'MatchmakingSucceeded',
      ConnectionInfo: { Port: 7777, IPAddress: '10.0.0.1', DNSName: 'a.example', PlayerSessionID: 's' },
    });
  });
}
