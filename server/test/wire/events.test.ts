import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { DisconnectPlayerCommand } from '@aws-sdk/client-gamesparks';
import { EVERY_OPERATION } from '../../src/api/every-operation.ts';
import { ManagementClient } from '../../src/cli/management-client.ts';
import { systemClock } from '../../src/clock.ts';
import { administer, alterDatabase, createKey } from '../support/administration.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer, until } from '../support/server.ts';
import { type ReceivedEvent, startReceiver } from '../support/webhook-receiver.ts';

const WATCH = { Effect: 'Allow', Action: 'respark:WatchEvents', Resource: '*' };

type Reply = Readonly<Record<string, unknown>>;

const PRIVATE = { webhookPrivateHosts: ['127.0.0.1'] };

function clientOf({ url }: TestServer, credentials = ROOT) {
  const client = new ManagementClient({ endpoint: url, credentials, region: 'us-east-1' });
  const find = (name: string) => {
    const operation = EVERY_OPERATION.find((row) => row.name === name);
    assert(operation);
    return operation;
  };
  return {
    call: async (name: string, input: object = {}) =>
      (await client.call(find(name), { GameName: GAME, ...input })) as Reply,
    stream: (input: object = {}) => client.stream(find('WatchEvents'), { GameName: GAME, ...input }),
  };
}

test('a webhook is tested once at a time, so that slow receivers do not take the connections of all webhooks', async (t) => {
  const waiting: ServerResponse[] = [];
  const receiver = createServer((_, response) => waiting.push(response)).listen(0, '127.0.0.1');
  t.after(() => receiver.close().closeAllConnections());
  await once(receiver, 'listening');
  const server = await startTestServer(t, { settings: PRIVATE });
  const { call } = clientOf(server);
  const { port } = receiver.address() as AddressInfo;
  const webhook = { WebhookId: idOf(await call('CreateWebhook', { Url: `http://127.0.0.1:${port}/` })) };
  const path = `/respark/game/${GAME}/webhook/${webhook.WebhookId}/test`;
  const first = rawCall(server, 'POST', path);
  await until(() => waiting.length === 1);
  const others = await Promise.all(Array.from({ length: 5 }, () => rawCall(server, 'POST', path)));
  assert.deepEqual(new Set(others.map(({ status }) => status)), new Set([429]));
  assert.equal(waiting.length, 1);
  waiting[0]?.end();
  assert.equal((await first).json.IsAccepted, true);
  const again = rawCall(server, 'POST', path);
  await until(() => waiting.length === 2);
  waiting[1]?.end();
  assert.equal((await again).status, 200);
});

const idOf = (made: Reply) => (made.Webhook as { Id: string }).Id;

const disconnect = (server: TestServer, PlayerId: string) =>
  server.sdk().send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId }));

/** The frames of a stream as they come; the last of a stream that has ended is undefined. */
function framesOf(stream: AsyncIterable<Uint8Array>) {
  const frames: string[] = [];
  let isOver = false;
  const reading = (async () => {
    let text = '';
    for await (const chunk of stream) {
      text += new TextDecoder().decode(chunk);
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      frames.push(...blocks);
    }
    isOver = true;
  })();
  reading.catch(() => {});
  return {
    frames,
    isOver: () => isOver,
    named: (name: string) => frames.filter((frame) => frame.includes(`event: ${name}\n`)),
  };
}

async function start(t: TestContext, settings: Parameters<typeof startTestServer>[1] = {}) {
  const server = await startTestServer(t, { ...settings, settings: { ...PRIVATE, ...settings?.settings } });
  return { server, ...clientOf(server) };
}

test('[aws-sdk] a webhook tells who came, who was disconnected by which call, and how long each was there', async (t) => {
  const { server, call } = await start(t);
  const receiver = await startReceiver(t);
  const { Secret } = await call('CreateWebhook', { Url: receiver.url, Description: 'a test' });
  receiver.trust(String(Secret));
  const player = await server.connect();
  const { $metadata } = await disconnect(server, player.playerId);
  const other = await server.connect();
  other.ws.close(4321);
  // Those of different players may come in any order.
  await receiver.until((events) => events.length === 5);
  const find = (type: string, playerId: string) =>
    receiver.events.find((event) => event.type === type && event.player === playerId) as ReceivedEvent;
  const opened = find('connection.opened', player.playerId);
  assert.deepEqual([opened.game, opened.stage, opened.data.connectionId], [GAME, STAGE, player.connectionId]);
  const { requestId } = $metadata;
  const { lastedMs, ...closed } = find('connection.closed', player.playerId).data;
  const { connectionId } = player;
  assert.deepEqual(closed, { connectionId, code: 4500, close: 'disconnected', requestId });
  assert.ok(typeof lastedMs === 'number' && lastedMs >= 0 && lastedMs < 60_000);
  const { code, close } = find('connection.closed', other.playerId).data;
  assert.deepEqual({ code, close }, { code: 4321, close: 'client' });
  const facts = { requestId, cause: 'operator', actor: ROOT.accessKeyId, closed: 1, unproven: 0 };
  assert.deepEqual(find('player.disconnect_called', player.playerId).data, facts);
  assert.deepEqual(receiver.forged, []);
});

test('a webhook tells who was blocked and let in again, by which call, and the game’s code for the reason', async (t) => {
  const { server, call } = await start(t);
  const receiver = await startReceiver(t);
  receiver.trust(String((await call('CreateWebhook', { Url: receiver.url })).Secret));
  const player = await server.connect();
  const PlayerId = player.playerId;
  const path = `/respark/game/${GAME}/stage/${STAGE}/player/${PlayerId}/block`;
  const disconnectPath = `/runtime/game/${GAME}/stage/${STAGE}/player/${PlayerId}/disconnect`;
  const kicked = await rawCall(server, 'POST', disconnectPath, { body: { Reason: 'AFK', BlockSeconds: 60 } });
  const forGood = await rawCall(server, 'POST', `/respark/game/${GAME}/player/${PlayerId}/block`);
  const lifted = await rawCall(server, 'DELETE', path);
  await rawCall(server, 'DELETE', path);
  await receiver.until((events) => events.length === 6);
  const told = receiver.events
    .filter(({ player: id, type }) => id === PlayerId && type !== 'connection.opened')
    .map(({ type, stage, data: { lastedMs: _, ...data } }) => ({ type, stage, data }));
  // Events of the whole game have an order of their own.
  const inOrder = [...told.filter(({ stage }) => stage !== undefined), ...told.filter(({ stage }) => !stage)];
  const [by, inGame] = [kicked, forGood].map(({ headers }) => ({
    ...{ requestId: headers['x-amzn-requestid'], actor: ROOT.accessKeyId },
  }));
  const { BlockedUntil: until } = kicked.json;
  const end = { connectionId: player.connectionId, code: 4510, close: 'blocked', requestId: by?.requestId };
  assert.deepEqual(inOrder, [
    { type: 'player.blocked', stage: STAGE, data: { ...by, until, reasonCode: 'AFK' } },
    { type: 'connection.closed', stage: STAGE, data: { ...end, reasonCode: 'AFK' } },
    {
      ...{ type: 'player.disconnect_called', stage: STAGE },
      data: { ...by, cause: 'operator', closed: 1, unproven: 0, reasonCode: 'AFK' },
    },
    {
      ...{ type: 'player.unblocked', stage: STAGE },
      data: { requestId: lifted.headers['x-amzn-requestid'], actor: ROOT.accessKeyId },
    },
    { type: 'player.blocked', stage: undefined, data: inGame },
  ]);
});

test('a webhook is changed, tested, switched off, replayed and deleted, and its secret is shown only when it is made', async (t) => {
  const { server, call } = await start(t);
  const receiver = await startReceiver(t);
  const made = await call('CreateWebhook', { Url: receiver.url, EventTypes: ['connection.opened'] });
  const WebhookId = idOf(made);
  assert.match(String(made.Secret), /^whsec_[A-Za-z0-9+/]{43}=$/);
  receiver.trust(String(made.Secret));
  assert.equal((await call('GetWebhook', { WebhookId })).Secret, undefined);
  const before = Date.now();
  const player = await server.connect();
  await disconnect(server, player.playerId);
  await receiver.until((events) => events.length === 1);
  assert.deepEqual(await call('TestWebhook', { WebhookId }), {
    ...{ IsAccepted: true, Message: 'the receiver answers with the status 204', Status: 204 },
  });
  const rotated = await call('UpdateWebhook', { WebhookId, RotateSecret: true, EventTypes: [] });
  await call('ReplayWebhook', { WebhookId, Since: new Date(before).toISOString() });
  await assert.rejects(call('ReplayWebhook', { WebhookId, Since: new Date(before).toISOString() }), {
    errorName: 'ThrottlingException',
  });
  // Both secrets count.
  await receiver.until((events) => events.some(({ type }) => type === 'player.disconnect_called'));
  receiver.trust(String(rotated.Secret));
  await call('UpdateWebhook', { WebhookId, IsEnabled: false });
  await server.connect();
  const { requests } = receiver;
  await call('UpdateWebhook', { WebhookId, IsEnabled: true });
  await receiver.until((events) => events.filter(({ type }) => type === 'connection.opened').length === 2);
  assert.ok(receiver.requests > requests);
  assert.deepEqual(receiver.forged, []);
  await call('DeleteWebhook', { WebhookId });
  assert.deepEqual(await call('ListWebhooks'), { Webhooks: [] });
});

test('a receiver that answers 410 is switched off, and its game is none without a webhook', async (t) => {
  const { server, call } = await start(t);
  const receiver = await startReceiver(t);
  receiver.answer(410);
  const WebhookId = idOf(await call('CreateWebhook', { Url: receiver.url }));
  await server.connect();
  let state: Reply = {};
  await until(async () => {
    state = (await call('GetWebhook', { WebhookId })).Webhook as Reply;
    return state.State === 'DISABLED';
  });
  assert.equal(state.Reason, 'the receiver has answered 410 (Gone)');
  assert.equal(receiver.requests, 1);
});

test('URLs of private networks, and those without TLS, are refused unless the settings list them', async (t) => {
  const { call } = await start(t, { settings: { webhookPrivateHosts: [] } });
  for (const Url of [
    'http://hooks.example/',
    'https://10.0.0.1/',
    'https://[::1]/',
    'http://127.0.0.1/',
    'ftp://a/',
    'x',
  ]) {
    await assert.rejects(call('CreateWebhook', { Url }), { errorName: 'ValidationException' }, Url);
  }
  // What a name stands for is known only when it is used, and names of the own network are not told from unknown ones.
  for (const host of ['localhost', 'unknown.invalid']) {
    const WebhookId = idOf(await call('CreateWebhook', { Url: `https://${host}:1/` }));
    assert.deepEqual(await call('TestWebhook', { WebhookId }), {
      IsAccepted: false,
      Message: `"${host}" has no address of the public internet: check the name, or list it in RESPARK_WEBHOOK_PRIVATE_HOSTS if it is in a private network`,
    });
  }
});

test('a receiver whose answer is too long is told of in words of its own', async (t) => {
  const { call } = await start(t);
  const receiver = createServer((_request, response) => response.end('x'.repeat(70_000))).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.after(() => receiver.close());
  const Url = `http://127.0.0.1:${(receiver.address() as { port: number }).port}/`;
  const { Message } = await call('TestWebhook', { WebhookId: idOf(await call('CreateWebhook', { Url })) });
  assert.equal(Message, 'the receiver answers with more than 65536 bytes: a status is enough');
});

test('a game has ten webhooks at most', async (t) => {
  const { call } = await start(t);
  for (let count = 0; count < 10; count += 1) await call('CreateWebhook', { Url: 'https://hooks.example/' });
  const again = call('CreateWebhook', { Url: 'https://hooks.example/' });
  await assert.rejects(again, { errorName: 'ServiceQuotaExceededException' });
});

test('a watcher sees what happens from now on, goes on behind a position, and hears why its stream ends', async (t) => {
  const { server, call, stream } = await start(t);
  const first = framesOf(await stream());
  await until(() => first.frames.length > 0);
  const player = await server.connect();
  await until(() => first.named('connection.opened').length === 1);
  const [frame = ''] = first.named('connection.opened');
  const position = Number(/^id: (\d+)$/m.exec(frame)?.[1]);
  const event: ReceivedEvent = JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? '');
  assert.deepEqual([event.player, event.data.connectionId], [player.playerId, player.connectionId]);
  await disconnect(server, player.playerId);
  await until(() => first.named('connection.closed').length === 1);
  const second = framesOf(await stream({ After: position, Types: 'connection.closed', PlayerId: player.playerId }));
  await until(() => second.named('connection.closed').length === 1);
  assert.deepEqual(second.named('connection.opened'), []);
  const listed = await call('ListEvents', { After: position - 1, MaxResults: 1 });
  assert.deepEqual((listed.Events as { Id: string }[])[0]?.Id, event.id);
  assert.equal(listed.IsEnd, false);
  const hurry = Promise.resolve();
  await server.turnAway(hurry);
  await server.drain();
  for (const watcher of [first, second]) {
    await until(watcher.isOver);
    assert.match(watcher.named('end').join(), /"reason":"draining"/);
  }
});

test('a node has only so many watchers, and one that goes away makes room', async (t) => {
  const { server, stream } = await start(t, { settings: { eventsMaxWatchers: 1 } });
  const iterator = (await stream())[Symbol.asyncIterator]();
  await iterator.next();
  await assert.rejects(stream(), { errorName: 'ThrottlingException' });
  await iterator.return?.();
  await until(() => server.counts().inFlight === 0);
  const again = (await stream())[Symbol.asyncIterator]();
  assert.equal((await again.next()).done, false);
  await again.return?.();
});

test('one key has ten streams at most, also of those that come at once, and a stream that fails takes no place', async (t) => {
  const { server, stream } = await start(t, { settings: { eventsMaxWatchers: 12 } });
  const other = clientOf(server, await createKey(server, [WATCH]));
  const open = async (streams: Promise<AsyncIterable<Uint8Array>>[]) =>
    (await Promise.allSettled(streams)).filter(({ status }) => status === 'fulfilled').length;
  const unknown = Array.from({ length: 12 }, () => stream({ GameName: 'None' }));
  for (const each of unknown) await assert.rejects(each);
  assert.equal(await open(Array.from({ length: 20 }, () => stream())), 10);
  assert.equal(await open(Array.from({ length: 20 }, () => other.stream())), 2);
});

test('a stream ends when its key is revoked, or may no longer watch', async (t) => {
  const { server } = await start(t);
  const [revoked, changed, kept] = [await createKey(server, [WATCH]), await createKey(server, [WATCH]), ROOT];
  const streams: ReturnType<typeof framesOf>[] = [];
  for (const key of [revoked, changed, kept]) streams.push(framesOf(await clientOf(server, key).stream()));
  await until(() => streams.every(({ frames }) => frames.length > 0));
  await administer(server, (access) => access.revokeKey(revoked.accessKeyId));
  const statement = { ...WATCH, Action: 'respark:ListEvents' };
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  alterDatabase(server, `UPDATE access_keys SET policy = '${policy}' WHERE id = '${changed.accessKeyId}'`);
  await until(() => streams[0]?.isOver() === true && streams[1]?.isOver() === true);
  for (const { named } of streams.slice(0, 2)) assert.match(named('end').join(), /"reason":"access"/);
  assert.equal(streams[2]?.isOver(), false);
});

test('a key that has expired signs no call any more, and its stream ends', async (t) => {
  let lateMs = 0;
  const server = await startTestServer(t, { clock: { ...systemClock, now: () => systemClock.now() + lateMs } });
  const body = { Role: 'operator', LifetimeSeconds: 60 };
  const { json } = await rawCall(server, 'POST', '/respark/access-key', { body });
  const { AccessKeyId: accessKeyId } = json.AccessKey as { AccessKeyId: string };
  const credentials = { accessKeyId, secretAccessKey: String(json.SecretAccessKey) };
  const { frames, named, isOver } = framesOf(await clientOf(server, credentials).stream());
  await until(() => frames.length > 0);
  const call = () => rawCall(server, 'GET', '/respark/server', { credentials });
  assert.equal((await call()).status, 200, 'the look-up of the key is remembered from here on');
  lateMs = 60_000;
  assert.equal((await call()).error, 'UnrecognizedClientException');
  await until(isOver);
  assert.match(named('end').join(), /"reason":"access"/);
});

test('what a stream writes counts as bytes of its key, and leaves some of them to the key’s calls', async (t) => {
  const settings = { replyBytesBurst: 65_536, replyBytesPerSecond: 65_536, disconnectCallsBurst: 1_000 };
  const { server, call } = await start(t, { settings: { ...settings, disconnectCallsPerSecond: 1_000 } });
  await call('CreateWebhook', { Url: 'https://hooks.example/', EventTypes: ['job.finished'] });
  const count = 300;
  const path = (index: number) => `/runtime/game/${GAME}/stage/${STAGE}/player/nobody-${index}/disconnect`;
  for (let index = 0; index < count; index += 1) await rawCall(server, 'POST', path(index));
  const reader = clientOf(server, await createKey(server, [{ ...WATCH, Action: 'respark:*' }]));
  const none = { After: 0, Types: 'job.finished' };
  for (let moved = 0; moved < count; ) moved = Number((await call('ListEvents', none)).Cursor);
  const startedAt = performance.now();
  const { frames, named } = framesOf(await reader.stream({ After: 0 }));
  await until(() => frames.length > 1);
  await reader.call('ListWebhooks');
  await until(() => named('player.disconnect_called').length === count);
  assert.ok(performance.now() - startedAt > 500, 'more than the key may have at once came at once');
});

test('watchers that come at different times, and from different positions, get each event once and in order', async (t) => {
  const { server, stream } = await start(t);
  const streams = [framesOf(await stream()), framesOf(await stream({ Types: 'connection.opened' }))];
  const path = (index: number) => `/runtime/game/${GAME}/stage/${STAGE}/player/nobody-${index}/disconnect`;
  const count = 120;
  for (let index = 0; index < count; index += 1) {
    if (index % 20 === 0) streams.push(framesOf(await stream({ After: 0 })));
    await rawCall(server, 'POST', path(index));
  }
  await server.connect();
  await until(() => streams.every(({ named }) => named('connection.opened').length === 1));
  const ids = Array.from({ length: count + 1 }, (_, index) => index + 1);
  for (const [index, { frames }] of streams.entries()) {
    const told = frames.flatMap((frame) => /^id: (\d+)$/m.exec(frame)?.[1] ?? []).map(Number);
    assert.deepEqual(told, index === 1 ? [count + 1] : ids, `stream ${index}`);
  }
});

test('a call is answered as fast as ever while the receiver holds every request', async (t) => {
  const { server, call } = await start(t, { settings: { webhookTimeoutMs: 60_000 } });
  const held = connectionsThatHold(t);
  await call('CreateWebhook', { Url: await held });
  const player = await server.connect();
  const startedAt = performance.now();
  await disconnect(server, player.playerId);
  assert.ok(performance.now() - startedAt < 5_000);
});

/** A receiver that takes requests and never answers. */
async function connectionsThatHold(t: TestContext): Promise<string> {
  const { createServer } = await import('node:net');
  const sockets = new Set<ReturnType<typeof connect>>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
}
