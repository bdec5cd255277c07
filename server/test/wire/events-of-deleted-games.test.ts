import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import Libsql from 'libsql';
import { EVERY_OPERATION } from '../../src/api/every-operation.ts';
import { ManagementClient } from '../../src/cli/management-client.ts';
import { EVENTS_FILE } from '../../src/store/events/sqlite.ts';
import { rawCall } from '../support/raw-call.ts';
import { ROOT, startTestServer, type TestServer, until } from '../support/server.ts';

const NAME = 'Again';

async function makeGame(server: TestServer): Promise<string> {
  await rawCall(server, 'POST', '/game', { body: { GameName: NAME } });
  const role = 'arn:aws:iam::123456789012:role/R';
  const made = await rawCall(server, 'POST', `/game/${NAME}/stage`, { body: { StageName: 'Dev', Role: role } });
  return (made.json.Stage as { GameKey: string }).GameKey;
}

/** What a stream of the game's events has said so far, and whether it has ended. */
async function watch(server: TestServer) {
  const client = new ManagementClient({ endpoint: server.url, credentials: ROOT, region: 'us-east-1' });
  const operation = EVERY_OPERATION.find(({ name }) => name === 'WatchEvents');
  assert(operation);
  const stream = await client.stream(operation, { GameName: NAME });
  const said = { text: '', isOver: false };
  void (async () => {
    for await (const chunk of stream) said.text += new TextDecoder().decode(chunk);
    said.isOver = true;
  })().catch(() => {});
  return said;
}

test('a stream of events ends with its game, and one of the same name that is made later leaves nothing in its place', async (t) => {
  const server = await startTestServer(t);
  const gameKey = await makeGame(server);
  const said = await watch(server);
  const player = await server.connect({ gameKey });
  await until(() => said.text.includes('connection.opened'));
  await rawCall(server, 'DELETE', `/game/${NAME}`);
  await player.closed;
  const again = await makeGame(server);
  await until(() => said.isOver);
  assert.match(said.text, /event: end\ndata: \{"reason":"deleted"\}/);

  // Nobody watches the new game, so it has no events, and none is kept in the place of the old one.
  await wait(2_500);
  const { connectionId } = await server.connect({ gameKey: again });
  await wait(1_000);
  assert.ok(!said.text.includes(connectionId));
  const database = new Libsql(join(server.dataDir, EVENTS_FILE));
  t.after(() => database.close());
  assert.deepEqual(database.prepare('SELECT body FROM events').all(), []);
});
