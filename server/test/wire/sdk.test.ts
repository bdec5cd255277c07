import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { DisconnectPlayerCommand } from '@aws-sdk/client-gamesparks';
import {
  type ClientEvents,
  type ClientOptions,
  ConnectionClosedError,
  RequestError,
  RequestTimeoutError,
  ResparkClient,
  type TokenStorage,
} from '@respark/client';
import { WebSocket } from 'ws';
import { ManualClock } from '../support/manual-clock.ts';
import {
  assertNothingLeft,
  GAME,
  STAGE,
  startTestServer,
  type TestServer,
  temporaryDirectory,
  until,
} from '../support/server.ts';

function createClient(t: TestContext, server: TestServer, options: Partial<ClientOptions> = {}): ResparkClient {
  const client = new ResparkClient({ url: server.playerUrl, gameKey: server.gameKey, ...options });
  t.after(() => client.close());
  return client;
}

/** A storage as a game would write one; `saves` shows each token that it was given. */
function createStorage(): TokenStorage & { readonly saves: string[] } {
  const saves: string[] = [];
  return {
    saves,
    load: () => saves.at(-1),
    save(token) {
      if (token !== undefined) saves.push(token);
    },
  };
}

function next<Name extends keyof ClientEvents>(client: ResparkClient, name: Name): Promise<ClientEvents[Name]> {
  return new Promise((resolve) => {
    const stop = client.on(name, (event) => {
      stop();
      resolve(event);
    });
  });
}

async function disconnect(server: TestServer, playerId: string | undefined) {
  const { $metadata, ...answer } = await server
    .sdk()
    .send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: playerId }));
  return { ...answer, requestId: $metadata.requestId };
}

/** An address that stays when the server behind it is another one. */
async function openForwarder(t: TestContext) {
  const sockets = new Set<Socket>();
  let target: { host: string; port: number } | undefined;
  const forwarder = createServer((near) => {
    if (target === undefined) return near.destroy();
    const far = connectTcp(target);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    return near.pipe(far).pipe(near);
  });
  forwarder.listen(0, '127.0.0.1');
  await once(forwarder, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  t.after(() => {
    cut();
    forwarder.close();
  });
  return {
    url: `ws://127.0.0.1:${(forwarder.address() as AddressInfo).port}`,
    forwardTo(server: TestServer) {
      const { hostname, port } = new URL(server.playerUrl);
      target = { host: hostname, port: Number(port) };
    },
    /** Breaks every connection as a failing network does: without a close frame. */
    cut,
  };
}

test('[ws] the SDK: a guest connects, and a storage keeps the player when the client starts again', async (t) => {
  const server = await startTestServer(t);
  const storage = createStorage();
  const first = createClient(t, server, { storage });
  const welcome = await first.connect();
  assert.equal(first.state, 'connected');
  assert.equal(first.connectionId, welcome.connectionId);
  await until(() => storage.saves.length === 1);
  await first.close();
  await assertNothingLeft(server);

  const second = createClient(t, server, { storage });
  const again = await second.connect();
  assert.equal(again.playerId, welcome.playerId);
  assert.notEqual(again.connectionId, welcome.connectionId);
  const stranger = createClient(t, server);
  assert.notEqual((await stranger.connect()).playerId, welcome.playerId);
  await Promise.all([second.close(), stranger.close()]);
  await assertNothingLeft(server);
});

test('[ws] the SDK: forgetting the player makes another guest', async (t) => {
  const server = await startTestServer(t);
  const tokens: (string | undefined)[] = [];
  const client = createClient(t, server, {
    storage: { load: () => undefined, save: (token) => void tokens.push(token) },
  });
  const { playerId } = await client.connect();
  await until(() => tokens.length === 1);
  await client.forgetPlayer();
  assert.equal(tokens.at(-1), undefined);
  assert.notEqual((await client.connect()).playerId, playerId);
});

test('[ws] the SDK: after a restart of the server it is back by itself, as the same player', async (t) => {
  const dataDir = temporaryDirectory(t);
  const forwarder = await openForwarder(t);
  const before = await startTestServer(t, { dataDir });
  forwarder.forwardTo(before);
  const storage = createStorage();
  const client = createClient(t, before, { url: forwarder.url, storage, reconnect: { baseMs: 20, capMs: 20 } });
  const welcome = await client.connect();
  await until(() => storage.saves.length === 1);

  const closed = next(client, 'disconnect');
  await before.close();
  assert.equal((await closed).name, 'draining');
  const after = await startTestServer(t, { dataDir });
  assert.equal(after.gameKey, before.gameKey);
  forwarder.forwardTo(after);
  const again = await client.connect();
  assert.equal(again.playerId, welcome.playerId);
  assert.notEqual(again.connectionId, welcome.connectionId);

  const broken = next(client, 'disconnect');
  forwarder.cut();
  assert.equal((await broken).closeCode, 1006);
  assert.equal((await client.connect()).playerId, welcome.playerId);
});

test('[ws] the SDK: a draining server says when to come back, and it waits for that', async (t) => {
  const dataDir = temporaryDirectory(t);
  const forwarder = await openForwarder(t);
  const server = await startTestServer(t, { dataDir });
  forwarder.forwardTo(server);
  const clock = new ManualClock();
  const storage = createStorage();
  const jitter = { random: () => 0.5, reconnect: { baseMs: 800 } };
  const client = createClient(t, server, { url: forwarder.url, storage, clock, ...jitter });
  const { playerId } = await client.connect();
  await until(() => storage.saves.length === 1);

  const closed = next(client, 'disconnect');
  await server.drain();
  const { name, verdict, retryAfterMs = Number.NaN, reconnectInMs = Number.NaN } = await closed;
  assert.deepEqual([name, verdict], ['draining', 'reconnect']);
  assert(retryAfterMs >= 0 && retryAfterMs <= 5_000, String(retryAfterMs));
  assert.equal(reconnectInMs, retryAfterMs + 400);

  await server.close();
  forwarder.forwardTo(await startTestServer(t, { dataDir }));
  clock.advance(reconnectInMs - 1);
  assert.equal(client.state, 'waiting');
  clock.advance(1);
  assert.equal(client.state, 'connecting');
  assert.equal((await client.connect()).playerId, playerId);
});

test('[ws] the SDK: DisconnectPlayer ends every client of the player, and none comes back', async (t) => {
  const server = await startTestServer(t);
  const storage = createStorage();
  const clocks = [new ManualClock(), new ManualClock()] as const;
  const first = createClient(t, server, { storage, clock: clocks[0] });
  const { playerId } = await first.connect();
  await until(() => storage.saves.length === 1);
  const second = createClient(t, server, { storage, clock: clocks[1] });
  assert.equal((await second.connect()).playerId, playerId);
  const bystander = createClient(t, server);
  await bystander.connect();

  const clients = [first, second];
  const ids = clients.map(({ connectionId }) => connectionId).sort();
  const ends = clients.map((client) => next(client, 'disconnect'));
  const { DisconnectSuccesses = [], DisconnectFailures, requestId } = await disconnect(server, playerId);
  assert.deepEqual([...DisconnectSuccesses].sort(), ids);
  assert.deepEqual(DisconnectFailures, []);
  for (const end of await Promise.all(ends)) {
    assert.deepEqual(end, {
      closeCode: 4500,
      name: 'disconnected',
      reason: 'The operator disconnected this player.',
      verdict: 'stop',
      requestId,
      reconnectInMs: undefined,
    });
  }
  for (const [index, client] of clients.entries()) {
    assert.equal(client.state, 'closed');
    assert.equal(clocks[index]?.pending, 0, 'nothing waits for another attempt');
    await assert.rejects(client.request('any'), { name: 'ConnectionClosedError', closeCode: 4500, verdict: 'stop' });
  }
  assert.equal(bystander.state, 'connected');
  assert.equal((await first.connect()).playerId, playerId, 'a person may ask for it');
  await Promise.all([first.close(), bystander.close()]);
  await assertNothingLeft(server);
});

test('[ws] the SDK: a refused token stops it, and it does not become a guest', async (t) => {
  const server = await startTestServer(t);
  const client = createClient(t, server, { token: 'eyJ.a.b' });
  await assert.rejects(client.connect(), { name: 'ConnectionClosedError', code: 'token_refused', verdict: 'stop' });
  assert.equal(client.state, 'closed');
  const elsewhere = createClient(t, server, { gameKey: 'NoSuchKey' });
  await assert.rejects(elsewhere.connect(), { code: 'unknown_game_key', verdict: 'stop' });
  await assertNothingLeft(server);
});

test('[ws] the SDK: what nothing handles is an error of its own, and the connection goes on', async (t) => {
  const server = await startTestServer(t);
  const client = createClient(t, server);
  await client.connect();
  await assert.rejects(client.request('Shop.Buy', { item: 7 }), (error) => {
    assert(error instanceof RequestError);
    assert.deepEqual([error.code, error.message], ['no_handler', 'no handler for request "Shop.Buy"']);
    return true;
  });
  const reported = next(client, 'error');
  client.event('Shop.Look');
  const error = await reported;
  assert(error instanceof RequestError);
  assert.deepEqual([error.code, error.message], ['no_handler', 'no handler for event "Shop.Look"']);
  assert.equal(client.state, 'connected');
});

test('[ws] the SDK: an answer that takes too long is not waited for, and disturbs no other', async (t) => {
  const server = await startTestServer(t);
  const clock = new ManualClock();
  const client = createClient(t, server, { clock, requestTimeoutMs: 3_000 });
  await client.connect();
  const late = client.request('Late');
  clock.advance(3_000);
  await assert.rejects(late, (error) => error instanceof RequestTimeoutError && error.code === 'timeout');
  await assert.rejects(client.request('Next'), { code: 'no_handler', message: 'no handler for request "Next"' });
});

test('[ws] the SDK: requests in flight fail when their connection ends, whoever ends it', async (t) => {
  const server = await startTestServer(t);
  const forwarder = await openForwarder(t);
  forwarder.forwardTo(server);
  const client = createClient(t, server, { url: forwarder.url });
  await client.connect();
  const cutOff = client.request('any');
  forwarder.cut();
  await assert.rejects(cutOff, (error) => error instanceof ConnectionClosedError && error.closeCode === 1006);

  await client.connect();
  const abandoned = client.request('any');
  const closed = client.close();
  await assert.rejects(abandoned, (error) => error instanceof ConnectionClosedError && error.closeCode === 1000);
  await closed;
  await assertNothingLeft(server);
});

test('[ws] the SDK: heartbeats keep an idle player for as long as they like', async (t) => {
  let received = 0;
  class CountingSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      this.on('message', () => {
        received += 1;
      });
    }
  }
  const clock = new ManualClock();
  const server = await startTestServer(t, { settings: { heartbeatMs: 20_000 }, clock });
  const client = createClient(t, server, { clock, WebSocket: CountingSocket });
  const { connectionId, heartbeatMs } = await client.connect();
  // The welcome and the answer to its request for a token.
  await until(() => received === 2);
  for (let period = 1; period <= 10; period += 1) {
    clock.advance(heartbeatMs);
    await until(() => received === 2 + period);
  }
  assert.equal(client.connectionId, connectionId);
});

test('[ws] the SDK: the token is renewed at half of its life, and the newest one is good for longer', async (t) => {
  const lifetimeMs = 120_000;
  const clock = new ManualClock();
  const settings = { playerTokenLifetimeMs: lifetimeMs, heartbeatMs: 3_600_000 };
  const server = await startTestServer(t, { settings, clock });
  const storage = createStorage();
  const client = createClient(t, server, { storage, clock });
  const { playerId } = await client.connect();
  await until(() => storage.saves.length === 1);
  clock.advance(lifetimeMs / 2 - 1);
  assert.equal(storage.saves.length, 1);
  clock.advance(1);
  await until(() => storage.saves.length === 2);
  await client.close();

  clock.advance(lifetimeMs / 2);
  const [old, newest] = storage.saves;
  await assert.rejects(createClient(t, server, { token: old }).connect(), { code: 'token_refused' });
  assert.equal((await createClient(t, server, { token: newest }).connect()).playerId, playerId);
});

test('[ws] the SDK: a burst beyond what the server takes costs what is too much of it, never the connection', async (t) => {
  const server = await startTestServer(t);
  const client = createClient(t, server);
  const { connectionId, messagesBurst, maxRequestsInFlight } = await client.connect();
  const ask = () => client.request('Shop.Buy').then(JSON.stringify, ({ code }) => code);
  const codes = await Promise.all(Array.from({ length: 150 }, ask));
  assert.deepEqual(new Set(codes), new Set(['no_handler', 'busy']));
  // The request for a token is in flight too.
  assert.equal(codes.indexOf('busy'), maxRequestsInFlight - 1);

  let events = 0;
  assert.throws(
    () => {
      for (; events < messagesBurst; events += 1) client.event('Shop.Left');
    },
    { name: 'RequestError', code: 'busy' },
  );
  // The next message that it lets through is answered: the server has taken all of them.
  const later: string[] = [];
  await until(() => {
    void ask().then((code) => later.push(code));
    return later.includes('no_handler');
  });
  assert.equal(client.connectionId, connectionId);
});
