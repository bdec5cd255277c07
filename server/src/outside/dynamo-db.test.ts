import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { startDynamoDb } from '../../test/support/dynamo-db.ts';
import {
  CREDENTIALS,
  closedPort,
  errorOf,
  openOutside,
  resultOf,
  setAwsEnvironment,
  startWebServer,
} from '../../test/support/outside.ts';

const TABLES = {
  Weapons: {
    AttributeDefinitions: [{ AttributeName: 'Name', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'Name', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
  },
  Scores: {
    AttributeDefinitions: [
      { AttributeName: 'player', AttributeType: 'S' },
      { AttributeName: 'at', AttributeType: 'N' },
      { AttributeName: 'level', AttributeType: 'S' },
    ],
    KeySchema: [
      { AttributeName: 'player', KeyType: 'HASH' },
      { AttributeName: 'at', KeyType: 'RANGE' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'by-level',
        KeySchema: [{ AttributeName: 'level', KeyType: 'HASH' }],
        Projection: { ProjectionType: 'ALL' },
      },
    ],
    BillingMode: 'PAY_PER_REQUEST',
  },
} as const;

async function openTables(t: TestContext) {
  // The SDK's types want arrays that it may change.
  const { client, settings } = await startDynamoDb(
    t,
    structuredClone<object>(TABLES) as Parameters<typeof startDynamoDb>[1],
  );
  return { client, settings, ...openOutside(t, settings) };
}

test('an item comes out as it was put in, as plain values', async (t) => {
  const { outside, client } = await openTables(t);
  const item = {
    Name: 'Axe',
    damage: 12,
    weight: 0.1,
    huge: 1e21,
    tiny: -1.5e-20,
    isRare: false,
    owner: null,
    empty: '',
    text: 'ünï\u0000 🪓',
    list: [1, 'a', null, [], {}],
    map: { inner: { deep: [true] }, constructor: 'a member like any other', length: 3 },
    constructor: { name: 'Set' },
    toString: 'b',
  };
  assert.deepEqual(await resultOf(outside.putItem(['Weapons', item])), {});
  assert.deepEqual(await resultOf(outside.getItem(['Weapons', { Name: 'Axe' }])), { Item: item });
  const { Item } = await client.send(new GetItemCommand({ TableName: 'Weapons', Key: { Name: { S: 'Axe' } } }));
  assert.deepEqual([Item?.damage, Item?.owner, Item?.empty], [{ N: '12' }, { NULL: true }, { S: '' }]);
  assert.deepEqual(Item?.list, { L: [{ N: '1' }, { S: 'a' }, { NULL: true }, { L: [] }, { M: {} }] });
});

test('an item that is not there is absent', async (t) => {
  const { outside } = await openTables(t);
  assert.deepEqual(await resultOf(outside.getItem(['Weapons', { Name: 'Bow' }])), {});
});

test('sets come out as arrays, binary data in base64, and long numbers as the nearest', async (t) => {
  const { outside, client } = await openTables(t);
  await client.send(
    new PutItemCommand({
      TableName: 'Weapons',
      Item: {
        Name: { S: 'Axe' },
        words: { SS: ['a', 'b'] },
        numbers: { NS: ['1', '12345678901234567890'] },
        bytes: { B: Buffer.from('ab') },
        manyBytes: { BS: [Buffer.from([0xff])] },
        long: { N: '12345678901234567890123' },
        inner: { M: { words: { SS: ['c'] } } },
      },
    }),
  );
  const { Item } = (await resultOf(outside.getItem(['Weapons', { Name: 'Axe' }]))) as { Item: Record<string, unknown> };
  assert.deepEqual(new Set(Item.numbers as number[]), new Set([1, 12345678901234567000]));
  assert.deepEqual(
    { ...Item, numbers: 0 },
    {
      ...{ Name: 'Axe', words: ['a', 'b'], numbers: 0, bytes: 'YWI=', manyBytes: ['/w=='] },
      ...{ long: 1.2345678901234568e22, inner: { words: ['c'] } },
    },
  );
});

test('a write whose condition does not hold is an error with the name that DynamoDB gives it', async (t) => {
  const { outside } = await openTables(t);
  const options = { ConditionExpression: 'attribute_not_exists(#n)', ExpressionAttributeNames: { '#n': 'Name' } };
  assert.deepEqual(await resultOf(outside.putItem(['Weapons', { Name: 'Axe', damage: 1 }, options])), {});
  const { code, message } = await errorOf(outside.putItem(['Weapons', { Name: 'Axe', damage: 2 }, options]));
  assert.equal(code, 'ConditionalCheckFailedException');
  assert.match(message, /^ConditionalCheckFailedException: The conditional request failed/);
  assert.deepEqual(await resultOf(outside.getItem(['Weapons', { Name: 'Axe' }])), { Item: { Name: 'Axe', damage: 1 } });
});

test('what was replaced, changed or deleted is answered if it is asked for', async (t) => {
  const { outside } = await openTables(t);
  const old = { ReturnValues: 'ALL_OLD' };
  assert.deepEqual(await resultOf(outside.putItem(['Weapons', { Name: 'Axe', damage: 1 }, old])), {});
  assert.deepEqual(await resultOf(outside.putItem(['Weapons', { Name: 'Axe', damage: 2 }, old])), {
    Attributes: { Name: 'Axe', damage: 1 },
  });
  const update = {
    UpdateExpression: 'SET #name = :text, info = :info ADD damage :more',
    ExpressionAttributeNames: { '#name': 'size' },
    ExpressionAttributeValues: { ':text': 'small', ':info': { by: ['p1'] }, ':more': 3 },
    ReturnValues: 'ALL_NEW',
  };
  const changed = { Name: 'Axe', damage: 5, size: 'small', info: { by: ['p1'] } };
  assert.deepEqual(await resultOf(outside.updateItem(['Weapons', { Name: 'Axe' }, update])), { Attributes: changed });
  const condition = { ConditionExpression: 'damage > :least', ExpressionAttributeValues: { ':least': 4 } };
  const deleted = await resultOf(outside.deleteItem(['Weapons', { Name: 'Axe' }, { ...condition, ...old }]));
  assert.deepEqual(deleted, { Attributes: changed });
  assert.deepEqual(await resultOf(outside.deleteItem(['Weapons', { Name: 'Axe' }])), {});
  assert.deepEqual(await resultOf(outside.getItem(['Weapons', { Name: 'Axe' }])), {});
});

test('a query goes through the items of a key page by page, in either direction', async (t) => {
  const { outside } = await openTables(t);
  for (let at = 1; at <= 5; at += 1) await resultOf(outside.putItem(['Scores', { player: 'p1', at, points: at * 10 }]));
  await resultOf(outside.putItem(['Scores', { player: 'p2', at: 1, points: 7 }]));
  const options = {
    KeyConditionExpression: 'player = :player AND #at BETWEEN :from AND :to',
    ExpressionAttributeNames: { '#at': 'at' },
    ExpressionAttributeValues: { ':player': 'p1', ':from': 2, ':to': 5 },
    ConsistentRead: true,
    ScanIndexForward: false,
    Limit: 3,
  };
  const first = (await resultOf(outside.query(['Scores', options]))) as { LastEvaluatedKey: object };
  assert.deepEqual(first, {
    Items: [5, 4, 3].map((at) => ({ player: 'p1', at, points: at * 10 })),
    ...{ Count: 3, ScannedCount: 3, LastEvaluatedKey: { player: 'p1', at: 3 } },
  });
  const rest = await resultOf(outside.query(['Scores', { ...options, ExclusiveStartKey: first.LastEvaluatedKey }]));
  assert.deepEqual(rest, { Items: [{ player: 'p1', at: 2, points: 20 }], Count: 1, ScannedCount: 1 });
  const none = { ...options, ExpressionAttributeValues: { ':player': 'p3', ':from': 2, ':to': 5 } };
  assert.deepEqual(await resultOf(outside.query(['Scores', none])), { Items: [], Count: 0, ScannedCount: 0 });
});

test('a query may use an index, a filter and a projection', async (t) => {
  const { outside } = await openTables(t);
  for (const [player, points] of [
    ['p1', 5],
    ['p2', 50],
  ] as const) {
    await resultOf(outside.putItem(['Scores', { player, at: 1, points, level: 'forest' }]));
  }
  const options = {
    IndexName: 'by-level',
    KeyConditionExpression: '#level = :level',
    FilterExpression: 'points > :least',
    ProjectionExpression: 'player',
    ExpressionAttributeNames: { '#level': 'level' },
    ExpressionAttributeValues: { ':level': 'forest', ':least': 10 },
  };
  const found = await resultOf(outside.query(['Scores', options]));
  assert.deepEqual(found, { Items: [{ player: 'p2' }], Count: 1, ScannedCount: 2 });
});

test('GetItem takes a projection and a consistent read', async (t) => {
  const { outside } = await openTables(t);
  await resultOf(outside.putItem(['Weapons', { Name: 'Axe', size: 'small', damage: 1 }]));
  const options = {
    ProjectionExpression: '#size',
    ExpressionAttributeNames: { '#size': 'size' },
    ConsistentRead: true,
  };
  assert.deepEqual(await resultOf(outside.getItem(['Weapons', { Name: 'Axe' }, options])), { Item: { size: 'small' } });
});

test('an option that is null counts as not given', async (t) => {
  const { outside } = await openTables(t);
  const options = { ConsistentRead: null, ProjectionExpression: null };
  assert.deepEqual(await resultOf(outside.getItem(['Weapons', { Name: 'Axe' }, options])), {});
  assert.deepEqual(await resultOf(outside.getItem(['Weapons', { Name: 'Axe' }, null])), {});
});

test('what DynamoDB finds wrong in a call reaches the script', async (t) => {
  const { outside } = await openTables(t);
  const error = await errorOf(outside.getItem(['Weapons', { Nam: 'Axe' }]));
  assert.deepEqual(error, {
    code: 'ValidationException',
    message: 'ValidationException: The provided key element does not match the schema',
  });
});

test('a table that is listed and not there is DynamoDB’s own error', async (t) => {
  const { settings } = await startDynamoDb(t, {});
  const { outside } = openOutside(t, { ...settings, dynamodbTables: ['Wea*'] });
  assert.equal((await errorOf(outside.getItem(['Weapons', { Name: 'Axe' }]))).code, 'ResourceNotFoundException');
});

/** A server that must not be asked. */
async function openUnasked(t: TestContext, dynamodbTables: readonly string[]) {
  setAwsEnvironment(t);
  const { url, requests } = await startWebServer(t, (response) => response.end('{}'));
  return { ...openOutside(t, { dynamodbEndpoint: url, dynamodbTables }), requests };
}

test('a table that is not listed is not asked, and the error names the setting', async (t) => {
  const { outside, requests } = await openUnasked(t, ['Weapons2', 'weapons', 'Weap']);
  const refused = {
    code: 'not_allowed',
    message: 'this server does not let scripts use table "Weapons": add Weapons to RESPARK_DYNAMODB_TABLES',
  };
  const key = { Name: 'Axe' };
  assert.deepEqual(await errorOf(outside.getItem(['Weapons', key])), refused);
  assert.deepEqual(await errorOf(outside.putItem(['Weapons', key])), refused);
  assert.deepEqual(await errorOf(outside.updateItem(['Weapons', key, {}])), refused);
  assert.deepEqual(await errorOf(outside.deleteItem(['Weapons', key])), refused);
  assert.deepEqual(await errorOf(outside.query(['Weapons', {}])), refused);
  assert.deepEqual(requests, []);
});

test('only the options of each call pass, and only with values that fit', async (t) => {
  const { outside, requests } = await openUnasked(t, ['*']);
  const key = { Name: 'Axe' };
  const refused = [
    await errorOf(outside.getItem(['T', key, { ReturnConsumedCapacity: 'TOTAL' }])),
    await errorOf(outside.getItem(['T', key, { ConditionExpression: 'a' }])),
    await errorOf(outside.getItem(['T', key, { TableName: 'Other' }])),
    await errorOf(outside.getItem(['T', key, { constructor: 'a' }])),
    await errorOf(outside.getItem(['T', key, { ConsistentRead: 'true' }])),
    await errorOf(outside.getItem(['T', key, { ExpressionAttributeNames: ['a'] }])),
    await errorOf(outside.getItem(['T', key, { ExpressionAttributeNames: { '#a': 1 } }])),
    await errorOf(outside.getItem(['T', key, 'options'])),
    await errorOf(outside.getItem(['T', key, []])),
    await errorOf(outside.putItem(['T', key, { UpdateExpression: 'SET a = :a' }])),
    await errorOf(outside.putItem(['T', key, { Expected: {} }])),
    await errorOf(outside.updateItem(['T', key])),
    await errorOf(outside.updateItem(['T', key, { AttributeUpdates: {} }])),
    await errorOf(outside.updateItem(['T', key, { UpdateExpression: '' }])),
    await errorOf(outside.deleteItem(['T', key, { ExpressionAttributeValues: 5 }])),
    await errorOf(outside.query(['T'])),
    await errorOf(outside.query(['T', { Limit: 0 }])),
    await errorOf(outside.query(['T', { Limit: 1.5 }])),
    await errorOf(outside.query(['T', { Select: 'COUNT' }])),
    await errorOf(outside.query(['T', { ExclusiveStartKey: 'a' }])),
  ];
  assert.deepEqual(
    refused.filter(({ code }) => code !== 'bad_argument'),
    [],
  );
  assert.deepEqual(
    refused[0]?.message,
    'GetItem has no option "ReturnConsumedCapacity": it takes ConsistentRead, ProjectionExpression, ExpressionAttributeNames',
  );
  assert.deepEqual(refused[4]?.message, 'ConsistentRead of GetItem must be true or false, got "true"');
  assert.deepEqual(requests, []);
});

test('keys and items that DynamoDB could not take as they are do not get there', async (t) => {
  const { outside, requests } = await openUnasked(t, ['*']);
  const nested = (levels: number): unknown => (levels === 0 ? 1 : { inner: nested(levels - 1) });
  const refused = [
    await errorOf(outside.getItem(['T', 'Axe'])),
    await errorOf(outside.getItem(['T', null])),
    await errorOf(outside.getItem(['T', ['Axe']])),
    await errorOf(outside.putItem(['T', JSON.parse('{"Name":"Axe","__proto__":1}')])),
    await errorOf(outside.putItem(['T', JSON.parse('{"Name":{"a":[{"__proto__":{}}]}}')])),
    await errorOf(outside.putItem(['T', nested(33)])),
    await errorOf(outside.putItem(['T', nested(5_000)])),
    await errorOf(outside.getItem(['a table', {}])),
    await errorOf(outside.getItem(['arn:aws:dynamodb:eu-central-1:123456789012:table/T', {}])),
    await errorOf(outside.getItem([5, {}])),
    await errorOf(outside.getItem([])),
  ];
  assert.deepEqual(
    refused.filter(({ code }) => code !== 'bad_argument'),
    [],
  );
  assert.equal((await errorOf(outside.putItem(['T', { Name: 'x'.repeat(600_000) }]))).code, 'too_large');
  assert.deepEqual(requests, []);
});

/** A server that answers every call like this. */
async function openAnswering(t: TestContext, status: number, body: string, headers: Record<string, string> = {}) {
  setAwsEnvironment(t);
  const server = await startWebServer(t, (response) =>
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0', ...headers }).end(body),
  );
  return { ...server, ...openOutside(t, { dynamodbEndpoint: server.url, dynamodbTables: ['T'] }) };
}

function fault(name: string, message: string): string {
  return JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${name}`, message });
}

test('a call that is throttled, or fails in DynamoDB, is repeated once and then unavailable', async (t) => {
  for (const [status, name] of [
    [400, 'ProvisionedThroughputExceededException'],
    [400, 'ThrottlingException'],
    [500, 'InternalServerError'],
    [503, 'ServiceUnavailable'],
  ] as const) {
    const { outside, requests } = await openAnswering(t, status, fault(name, 'later'));
    assert.deepEqual(await errorOf(outside.getItem(['T', {}])), {
      code: 'unavailable',
      message: `DynamoDB cannot answer at the moment (${name}, status ${status})`,
    });
    assert.equal(requests.length, 2, name);
  }
});

test('an answer that is no answer of DynamoDB’s is a failure', async (t) => {
  for (const body of ['<html>', '{"Item":', '{"Item":{"a":{"L":"x"}}}', `{"Item":{"a":${'{"L":['.repeat(20_000)}`]) {
    const { outside } = await openAnswering(t, 200, body);
    assert.equal((await errorOf(outside.getItem(['T', {}]))).code, 'failed', body.slice(0, 30));
  }
  const { outside } = await openAnswering(t, 404, '<html>');
  assert.equal((await errorOf(outside.getItem(['T', {}]))).code, 'failed');
});

test('an answer that is too long is cut off', async (t) => {
  const { outside, requests } = await openAnswering(t, 200, `{"Item":{"a":{"S":"${'x'.repeat(262_144)}"}}}`);
  assert.equal((await errorOf(outside.getItem(['T', {}]))).code, 'too_large');
  assert.equal(requests.length, 1);
});

test('neither scripts nor the log learn what AWS says of the credentials', async (t) => {
  const text = `The Canonical String was x-amz-security-token:${CREDENTIALS.AWS_SESSION_TOKEN}`;
  for (const name of ['InvalidSignatureException', 'UnrecognizedClientException', 'AccessDeniedException']) {
    const { outside, lines } = await openAnswering(t, 400, fault(name, text));
    const error = await errorOf(outside.getItem(['T', {}]));
    assert.deepEqual(error, { code: name, message: `DynamoDB refused the call (${name}, status 400)` });
    assert.deepEqual(
      lines.map(({ msg, service, error: logged }) => [msg, service, logged]),
      [['AWS refuses calls of scripts', 'DynamoDB', name]],
    );
    assert.doesNotMatch(JSON.stringify([error, lines]), /nobody-may-see/);
  }
});

test('the code of an error is a name, whatever the endpoint makes of it', async (t) => {
  const { outside } = await openAnswering(t, 400, fault('not a name\n', 'text'));
  assert.equal((await errorOf(outside.getItem(['T', {}]))).code, 'failed');
});

test('an endpoint where nobody listens is unavailable', async (t) => {
  setAwsEnvironment(t);
  const port = await closedPort();
  const { outside } = openOutside(t, { dynamodbEndpoint: `http://127.0.0.1:${port}`, dynamodbTables: ['T'] });
  assert.equal((await errorOf(outside.getItem(['T', {}]))).code, 'unavailable');
});

test('a call without an answer is given up in time', async (t) => {
  setAwsEnvironment(t);
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const { url } = await startWebServer(t, () => asked());
  const { outside, clock } = openOutside(t, { dynamodbEndpoint: url, dynamodbTables: ['T'] });
  const answer = outside.getItem(['T', {}]);
  await isAsked;
  clock.advance(3_000);
  assert.equal((await errorOf(answer)).code, 'timeout');
});
