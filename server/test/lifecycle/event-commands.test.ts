import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/operations-desk.ts';
import { createWorkplace } from '../support/process.ts';
import { startReceiver } from '../support/webhook-receiver.ts';

const ENV = { RESPARK_WEBHOOK_PRIVATE_HOSTS: '127.0.0.1' };
/** Seen from server/dist/test/lifecycle. */
const PAGE = fileURLToPath(new URL('../../../../docs/webhooks.md', import.meta.url));

test('webhooks are made, shown, changed, tested, replayed and deleted by commands, and events listed and followed', async (t) => {
  const receiver = await startReceiver(t);
  const workplace = createWorkplace(t);
  const server = await workplace.serve(['--demo', '--data-dir', 'data'], { env: ENV });
  const run = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await workplace.respark([...args, '--game', 'Demo', '--data-dir', 'data']);
    return { exitCode, stdout, stderr };
  };
  const said = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await run(...args);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  };
  assert.equal(await said('webhooks', 'list'), 'game Demo has no webhooks\n');
  const made = await said('webhooks', 'create', '--url', receiver.url, '--type', 'connection.opened,connection.closed');
  const [, id = ''] = /^([0-9a-f-]{36}) /m.exec(made) ?? [];
  const [, secret = ''] = /^(whsec_\S+)$/m.exec(made) ?? [];
  receiver.trust(secret);
  assert.match(await said('webhooks', 'list'), new RegExp(`^${id}  ENABLED  ${receiver.url}  all`, 'm'));
  assert.match(await said('webhooks', 'test', '--id', id), /status 204/);

  const words = ['events', '--follow', '--json', '--game', 'Demo', '--data-dir', 'data', '--type', 'connection.opened'];
  const follower = workplace.startRespark(words);
  let player = await server.connect();
  // The stream may begin after the first of them.
  while (!follower.out().includes(player.connectionId)) {
    player = await server.connect();
    await new Promise((resolve) => setImmediate(resolve));
    await receiver.until((events) => events.some(({ data }) => data.connectionId === player.connectionId));
  }
  player.ws.close();
  await receiver.until((events) => events.some(({ type }) => type === 'connection.closed'));
  follower.child.kill('SIGINT');
  await follower.ended();

  const ofDeliveries = ['webhooks', 'deliveries', '--id', id];
  const attempts = await eventually(
    () => said(...ofDeliveries),
    (table) => table.includes('connection.closed'),
  );
  const { Deliveries, Waiting } = JSON.parse(await said(...ofDeliveries, '--json'));
  const [last] = Deliveries;
  assert.deepEqual([last.EventType, last.Status, last.Outcome], ['connection.closed', 204, 'DELIVERED']);
  const facts = `${last.EventId}  connection.closed  ${last.Position} +1 +204 +${last.DurationMillis} ms +delivered`;
  assert.match(attempts, new RegExp(`^TIME +EVENT .*\n${last.Time}  ${facts}`));
  assert.match(attempts, new RegExp(`^events that wait: ${Waiting}$`, 'm'));

  const listed = await said('events', '--type', 'connection.closed', '--json');
  const { Type, Player } = JSON.parse(listed.split('\n')[0] ?? '');
  assert.deepEqual([Type, Player], ['connection.closed', player.playerId]);
  const shown = await said('events', '--player', player.playerId, '--since', '1h');
  assert.match(shown, new RegExp(`connection.closed Dev ${player.playerId} connectionId=${player.connectionId} code=`));
  assert.equal(await said('events', '--player', 'nobody'), 'no events match\n');

  await said('webhooks', 'update', '--id', id, '--disable');
  assert.match(await said('webhooks', 'get', '--id', id), /DISABLED/);
  assert.match(await said('webhooks', 'update', '--id', id, '--enable', '--rotate-secret'), /^whsec_/m);
  const { requests } = receiver;
  await said('webhooks', 'replay', '--id', id, '--since', '1h');
  await receiver.until(() => receiver.requests > requests);
  receiver.answer(500);
  await server.connect();
  await eventually(
    () => said(...ofDeliveries),
    (table) => / 500 +\d+ ms +again at \S+Z +the receiver answers with the status 500\n/.test(table),
  );
  const failed = await run('webhooks', 'test', '--id', id);
  assert.deepEqual([failed.exitCode, failed.stderr], [1, 'the receiver did not accept the test\n']);
  await said('webhooks', 'update', '--id', id, '--disable');
  assert.match(await said(...ofDeliveries), /^no node delivers the webhook at the moment$/m);
  assert.equal(await said('webhooks', 'delete', '--id', id), `deleted webhook ${id}\n`);
  assert.equal((await run('webhooks', 'get', '--id', id)).exitCode, 1);
});

test('the receiver of the documentation takes what is genuine, once, and nothing else', async (t) => {
  const [, program = ''] = /```js\n(.*?)```/s.exec(readFileSync(PAGE, 'utf8')) ?? [];
  const workplace = createWorkplace(t);
  const file = join(workplace.directory, 'receiver.mjs');
  await writeFile(file, program);
  const server = await workplace.serve(['--demo', '--data-dir', 'data'], { env: ENV });
  const create = ['webhooks', 'create', '--game', 'Demo', '--data-dir', 'data', '--url'];
  // The secret is there before the receiver, whose port is known only when it runs.
  const { stdout } = await workplace.respark([...create, 'http://127.0.0.1:9/']);
  const [, id = ''] = /^([0-9a-f-]{36}) /m.exec(stdout) ?? [];
  const [, secret = ''] = /^(whsec_\S+)$/m.exec(stdout) ?? [];
  const receiver = workplace.start([process.execPath, file], { env: { WEBHOOK_SECRET: secret, PORT: '0' } });
  const [, port] = await receiver.printed(/listening on (\d+)/);
  const url = `http://127.0.0.1:${port}/`;
  const ofWebhook = ['--game', 'Demo', '--data-dir', 'data', '--id', id];
  await workplace.respark(['webhooks', 'update', ...ofWebhook, '--url', url]);
  const player = await server.connect();
  await receiver.printed(new RegExp(`connection.opened ${player.playerId}`));
  await workplace.respark(['webhooks', 'replay', ...ofWebhook, '--since', '1h']);
  player.ws.close();
  await receiver.printed(new RegExp(`connection.closed ${player.playerId}`));
  assert.equal(receiver.out().match(/connection\.opened/g)?.length, 1);
  const body = JSON.stringify({ id: 'forged', type: 'connection.opened', player: 'forged' });
  const headers = { 'webhook-id': 'forged', 'webhook-timestamp': `${Math.floor(Date.now() / 1000)}` };
  const forged = { ...headers, 'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')}` };
  assert.equal((await fetch(url, { method: 'POST', body, headers: forged })).status, 401);
  assert.equal((await fetch(url, { method: 'POST', body })).status, 401);
  assert.doesNotMatch(receiver.out(), /forged/);
});
