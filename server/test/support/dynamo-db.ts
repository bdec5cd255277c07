import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { CreateTableCommand, type CreateTableCommandInput, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { setAwsEnvironment } from './outside.ts';

/** A real implementation of DynamoDB's API, with tables of these shapes, and a client of AWS that is not ours. */
export async function startDynamoDb(
  t: TestContext,
  tables: Readonly<Record<string, Omit<CreateTableCommandInput, 'TableName'>>>,
) {
  setAwsEnvironment(t);
  const server = dynalite({ createTableMs: 0 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new DynamoDBClient({ endpoint: url, region: 'eu-central-1' });
  t.after(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  for (const [TableName, table] of Object.entries(tables)) {
    const { TableDescription } = await client.send(new CreateTableCommand({ ...table, TableName }));
    assert.ok(TableDescription);
  }
  return { url, client, settings: { dynamodbEndpoint: url, dynamodbTables: Object.keys(tables) } };
}
