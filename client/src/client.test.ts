import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type ClientOptions, ResparkClient } from './client.ts';
import { FakeClock, type FakeSocket, fakeNetwork, seededRandom, settle, WELCOME } from './test/fakes.ts';

function setUp(options: Partial<ClientOptions> = {}) {
  const clock = new FakeClock();
  const { sockets, WebSocket } = fakeNetwork();
  const client = new ResparkClient({
    url: 'ws://test:1',
    gameKey: 'key',
    clock,
    WebSocket,
    random: () => 0.5,
    ...options,
  });
  const told: string[] = [];
  client.on('state', (state) => told.push(state));
  client.on('welcome', (welcome) => told.push(`welcome ${welcome.playerId}`));
  client.on('disconnect', (event) => told.push(`disconnect ${event.closeCode} ${event.reconnectInMs}`));
  client.on('error', (error) => told.push(`error ${error.message}`));
  const newest = (): FakeSocket => {
    const socket = sockets.at(-1);
    assert.ok(socket !== undefined, 'no socket was made');
    return socket;
  };
  return { clock, sockets, client, told, newest };
}

async function setUpConnected(options: Partial<ClientOptions> = {}) {
  const all = setUp(options);
  const connected = all.client.connect();
  await settle();
  all.newest().welcomes();
  await connected;
  all.told.length = 0;
  return all;
}

/** The id of the latest request on the socket. */
function requestOn(socket: FakeSocket): string {
  return String(socket.sent.findLast((frame) => frame.kind === 'request')?.id);
}

describe('connect()', () => {
  test('resolves at the welcome and tells who the player is', async () => {
    const { client, newest, told } = setUp();
    assert.equal(client.state, 'closed');
    const connected = client.connect();
    await settle();
    newest().opens();
    assert.deepEqual(newest().sent, [{ kind: 'hello', gameKey: 'key' }]);
    newest().receives(WELCOME);
    const { kind: _, ...welcome } = WELCOME;
    assert.deepEqual(await connected, welcome);
    assert.deepEqual(told, ['connecting', 'connected', 'welcome player-1']);
    assert.deepEqual([client.playerId, client.connectionId, client.state], ['player-1', 'connection-1', 'connected']);
  });

  test('called again, waits for the same attempt, or resolves at once when connected', async () => {
    const { client, newest, sockets } = setUp();
    const first = client.connect();
    const second = client.connect();
    await settle();
    newest().welcomes();
    assert.deepEqual(await first, await second);
    assert.equal((await client.connect()).connectionId, 'connection-1');
    assert.equal(sockets.length, 1);
  });

  test('outlasts failed attempts', async () => {
    const { client, newest, told, clock } = setUp();
    const connected = client.connect();
    await settle();
    newest().fails('refused');
    await clock.advance(250);
    newest().closes(4004, 'full; retryAfterMs=3000');
    await clock.advance(3_500);
    newest().welcomes();
    await connected;
    assert.deepEqual(told, [
      'connecting',
      'waiting',
      'disconnect 1006 250',
      'connecting',
      'waiting',
      'disconnect 4004 3500',
      'connecting',
      'connected',
      'welcome player-1',
    ]);
  });

  test('rejects at a verdict to stop, and may be called again', async () => {
    const { client, newest, told, clock, sockets } = setUp();
    const connected = client.connect();
    const rejected = assert.rejects(connected, {
      name: 'ConnectionClosedError',
      code: 'unknown_game_key',
      closeCode: 4502,
      reason: 'no stage has this game key',
      verdict: 'stop',
    });
    await settle();
    newest().opens();
    newest().closes(4502, 'no stage has this game key');
    await rejected;
    assert.deepEqual(told, ['connecting', 'closed', 'disconnect 4502 undefined']);
    assert.equal(clock.timers, 0);
    const again = client.connect();
    await settle();
    newest().welcomes();
    await again;
    assert.equal(sockets.length, 2);
  });

  test('rejects when the attempts are exhausted', async () => {
    const { client, newest, clock, sockets } = setUp({ reconnect: { maxRetries: 2 } });
    const rejected = assert.rejects(client.connect(), { name: 'ConnectionClosedError', code: 'abnormal' });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await settle();
      newest().closes(1006);
      await clock.advance(30_000);
    }
    await rejected;
    assert.equal(sockets.length, 3);
    assert.equal(client.state, 'closed');
    client.connect().catch(() => {});
    await settle();
    newest().closes(1006);
    assert.equal(client.state, 'waiting', 'asked again, it tries as often again');
  });

  test('rejects when the socket cannot even be made', async () => {
    class Throwing {
      constructor() {
        throw new SyntaxError('mixed content');
      }
    }
    const { client, told } = setUp({ WebSocket: Throwing as never });
    await assert.rejects(client.connect(), { name: 'SyntaxError' });
    assert.deepEqual(told, ['connecting', 'closed', 'error mixed content']);
  });

  test('rejects at close()', async () => {
    const { client, sockets, clock } = setUp();
    const rejected = assert.rejects(client.connect(), { code: 'normal', verdict: 'stop' });
    await client.close();
    await rejected;
    await settle();
    assert.deepEqual([sockets.length, clock.timers, client.state], [0, 0, 'closed']);
  });
});

describe('the url', () => {
  const urls = {
    'ws://host:8080': 'ws://host:8080/connect',
    'wss://host/': 'wss://host/connect',
    'http://127.0.0.1:8080': 'ws://127.0.0.1:8080/connect',
    'https://host': 'wss://host/connect',
    'wss://host/behind/a/proxy': 'wss://host/behind/a/proxy',
    'ws://[::1]:8080?a=b#top': 'ws://[::1]:8080/connect?a=b',
  };
  for (const [url, endpoint] of Object.entries(urls)) {
    test(`${url} means ${endpoint}`, async () => {
      const { client, newest } = setUp({ url });
      client.connect().catch(() => {});
      await settle();
      assert.equal(newest().url, endpoint);
      const closed = client.close();
      newest().closes(1006);
      await closed;
    });
  }

  test('that is none is refused at once', () => {
    assert.throws(() => setUp({ url: 'localhost' }), { code: 'bad_option', message: /got "localhost"$/ });
    assert.throws(() => setUp({ url: 'ftp://host' }), { code: 'bad_option', message: /got "ftp:\/\/host"$/ });
  });
});

describe('a lost connection', () => {
  test('comes back after the back-off', async () => {
    const { newest, client, clock, told, sockets } = await setUpConnected();
    newest().closes(4000, 'draining; retryAfterMs=2000');
    assert.deepEqual(told, ['waiting', 'disconnect 4000 2250']);
    assert.equal(client.connectionId, undefined);
    assert.equal(client.playerId, 'player-1');
    await clock.advance(2_249);
    assert.equal(sockets.length, 1);
    await clock.advance(1);
    newest().welcomes({ connectionId: 'connection-2' });
    assert.equal(client.connectionId, 'connection-2');
  });

  test('starts the back-off afresh only if it lasted', async () => {
    const { newest, clock, told } = await setUpConnected();
    const waits = async (upMs: number) => {
      newest().welcomes();
      await clock.advance(upMs);
      told.length = 0;
      newest().closes(1006);
      await clock.advance(1_000);
      return told[1];
    };
    newest().closes(1006);
    await clock.advance(1_000);
    assert.equal(await waits(0), 'disconnect 1006 500');
    assert.equal(await waits(9_999), 'disconnect 1006 1000');
    assert.equal(await waits(10_000), 'disconnect 1006 250');
  });

  for (const code of [1000, 1002, 1008, 4500, 4503, 4506, 4599]) {
    test(`stays lost after ${code}`, async () => {
      const { newest, clock, told, sockets } = await setUpConnected();
      newest().closes(code, 'why');
      await clock.advance(3_600_000);
      assert.deepEqual(told, ['closed', `disconnect ${code} undefined`]);
      assert.deepEqual([sockets.length, clock.timers], [1, 0]);
    });
  }

  test('refuses messages at once with the reason it was lost for', async () => {
    const { newest, client } = await setUpConnected();
    newest().closes(4001, 'too slow');
    await assert.rejects(client.request('T'), { name: 'ConnectionClosedError', code: 'slow_consumer' });
    assert.throws(() => client.event('T'), { code: 'slow_consumer' });
  });
});

test('messages before the first connection are refused', async () => {
  const { client } = setUp();
  await assert.rejects(client.request('T'), { name: 'ConnectionClosedError', reason: 'not connected' });
  assert.throws(() => client.event('T'), { name: 'ConnectionClosedError' });
});

test('requests, events and notifications go through', async () => {
  const { newest, client, clock } = await setUpConnected({ requestTimeoutMs: 700 });
  const notifications: unknown[] = [];
  client.on('notification', (notification) => notifications.push(notification));
  const answer = client.request('Add', { x: 1 });
  newest().receives({ kind: 'response', id: requestOn(newest()), payload: { sum: 1 } });
  assert.deepEqual(await answer, { sum: 1 });
  client.event('Shout', { text: 'hey' });
  assert.deepEqual(newest().sent.at(-1), { kind: 'event', type: 'Shout', payload: { text: 'hey' } });
  newest().receives({ kind: 'notification', type: 'Heard', payload: { by: 2 } });
  assert.deepEqual(notifications, [{ type: 'Heard', payload: { by: 2 } }]);
  const byDefault = assert.rejects(client.request('Slow'), { name: 'RequestTimeoutError', message: / 700 ms/ });
  const byOption = assert.rejects(client.request('Slow', {}, { timeoutMs: 5 }), { message: / 5 ms/ });
  await clock.advance(700);
  await Promise.all([byDefault, byOption]);
});

describe('the player’s token', () => {
  const answerToken = async (socket: FakeSocket, token: string) => {
    const request = socket.sent.findLast((frame) => frame.type === 'GameSparks.Identity.GetPlayerToken');
    socket.receives({ kind: 'response', id: String(request?.id), payload: { AuthenticationToken: token } });
    await settle();
  };

  test('is asked for after the welcome, saved, and used to come back', async () => {
    const saved: unknown[] = [];
    const storage = { load: () => undefined, save: (token: unknown) => void saved.push(token) };
    const { newest, clock } = await setUpConnected({ storage });
    await answerToken(newest(), 'token-1');
    assert.deepEqual(saved, ['token-1']);
    newest().closes(1006);
    await clock.advance(500);
    newest().opens();
    assert.deepEqual(newest().sent, [{ kind: 'hello', gameKey: 'key', token: 'token-1' }]);
  });

  test('is loaded before the first hello', async () => {
    const { client, newest } = setUp({ storage: { load: async () => 'saved', save() {} } });
    client.connect().catch(() => {});
    await settle();
    newest().opens();
    assert.deepEqual(newest().sent, [{ kind: 'hello', gameKey: 'key', token: 'saved' }]);
  });

  test('is awaited by the next attempt when one is given up while the storage loads', async () => {
    const saved: unknown[] = [];
    let finish = (_: string) => {};
    const load = () => new Promise<string>((resolve) => (finish = resolve));
    const { client, newest, sockets } = setUp({ storage: { load, save: (token) => void saved.push(token) } });
    client.connect().catch(() => {});
    await settle();
    await client.close();
    client.connect().catch(() => {});
    await settle();
    assert.equal(sockets.length, 0);
    finish('saved');
    await settle();
    newest().opens();
    assert.deepEqual(newest().sent, [{ kind: 'hello', gameKey: 'key', token: 'saved' }]);
    assert.deepEqual(saved, []);
  });

  test('is renewed at half of its life', async () => {
    const { newest, clock } = await setUpConnected();
    await answerToken(newest(), 'token-1');
    for (let passedMs = 0; passedMs < 1_800_000; passedMs += 20_000) {
      await clock.advance(20_000);
      newest().receives({ kind: 'heartbeat' });
    }
    assert.equal(newest().sent.filter((frame) => frame.kind === 'request').length, 2);
  });

  test('that is refused is kept, until forgetPlayer() makes way for a new guest', async () => {
    const saved: unknown[] = [];
    const storage = { load: () => 'expired', save: (token: unknown) => void saved.push(token) };
    const { client, newest } = setUp({ storage });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const rejected = assert.rejects(client.connect(), { code: 'token_refused' });
      await settle();
      newest().opens();
      assert.equal(newest().sent[0]?.token, 'expired');
      newest().closes(4503, 'the token is expired');
      await rejected;
    }
    assert.deepEqual(saved, []);
    await client.forgetPlayer();
    assert.deepEqual(saved, [undefined]);
    client.connect().catch(() => {});
    await settle();
    newest().opens();
    assert.deepEqual(newest().sent, [{ kind: 'hello', gameKey: 'key' }]);
  });

  test('whose storage fails costs an error event, not the connection', async () => {
    const fail = () => Promise.reject(new Error('disk'));
    const { client, newest, told } = setUp({ storage: { load: fail, save: fail } });
    const connected = client.connect();
    await settle();
    newest().welcomes();
    await connected;
    assert.equal(told[1], 'error the stored token could not be loaded; playing as a guest');
    assert.equal(client.state, 'connected');
  });
});

describe('close()', () => {
  test('says goodbye, tells so once, and leaves no timer', async () => {
    const { newest, client, clock, told } = await setUpConnected();
    const inFlight = assert.rejects(client.request('T'), { code: 'normal', reason: 'closed by this client' });
    const closed = client.close();
    assert.deepEqual(told, ['closed', 'disconnect 1000 undefined']);
    newest().closes(1000);
    await Promise.all([closed, client.close(), inFlight]);
    assert.equal(newest().closedWith, 1000);
    assert.equal(clock.timers, 0);
    assert.equal(told.length, 2);
  });

  test('while waiting ends the wait', async () => {
    const { newest, client, clock, sockets } = await setUpConnected();
    newest().closes(1006);
    await client.close();
    await clock.advance(3_600_000);
    assert.deepEqual([sockets.length, clock.timers, client.state], [1, 0, 'closed']);
  });

  test('of a closed client does nothing', async () => {
    const { client, told } = setUp();
    await client.close();
    assert.deepEqual(told, []);
  });

  test('from a listener of the welcome leaves nothing behind', async () => {
    const { client, newest, clock } = setUp();
    client.on('state', (state) => {
      if (state === 'connected') void client.close();
    });
    const connected = client.connect();
    await settle();
    newest().welcomes();
    await connected;
    newest().closes(1000);
    await clock.advance(3_600_000);
    assert.deepEqual([client.state, clock.timers], ['closed', 0]);
  });

  test('and connect() at once open another connection, deaf to the old one', async () => {
    const { newest, client, sockets, told } = await setUpConnected();
    const closed = client.close();
    const connected = client.connect();
    await settle();
    newest().welcomes({ connectionId: 'connection-2' });
    await connected;
    told.length = 0;
    sockets[0]?.closes(4500, 'too late to matter');
    await closed;
    assert.deepEqual([told, client.connectionId], [[], 'connection-2']);
  });
});

/** One step of the world around a client; `seed` picks details. */
type Step = { readonly kind: string; readonly seed: number };

async function take({ kind, seed }: Step, { client, newest, clock, sockets }: ReturnType<typeof setUp>) {
  const socket = sockets.length > 0 && !newest().isGone ? newest() : undefined;
  if (kind === 'connect') client.connect().catch(() => {});
  else if (kind === 'close') void client.close();
  else if (kind === 'request') client.request('T').catch(() => {});
  else if (kind === 'advance') await clock.advance(seed % 60_000);
  else if (kind === 'open') socket?.opens();
  else if (kind === 'welcome') socket?.welcomes();
  else if (kind === 'frame') socket?.receives({ kind: 'heartbeat' });
  else if (kind === 'garbage') socket?.receives('{');
  else if (kind === 'reconnect') socket?.closes([1006, 1012, 4000, 4004][seed % 4] ?? 0, 'r; retryAfterMs=5');
  else socket?.closes([1000, 1002, 4500, 4507][seed % 4] ?? 0);
  await settle();
}

test('whatever happens, one connection at most is open, what was stopped stays so, and close() leaves nothing', async () => {
  const kinds = 'connect close request advance open welcome frame garbage reconnect stop'.split(' ');
  const step = fc.record({ kind: fc.constantFrom(...kinds), seed: fc.nat() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(), async (steps, seed) => {
      const world = setUp({ random: seededRandom(seed) });
      const { client, sockets, clock, newest } = world;
      for (const step of steps) {
        const before = { made: sockets.length, state: client.state };
        await take(step, world);
        const open = sockets.filter((socket) => !socket.isGone && socket.closedWith === undefined);
        assert.ok(open.length <= 1, 'one connection');
        assert.equal(client.state === 'connected' || client.state === 'connecting', open.length === 1, 'state');
        if (before.state === 'closed' && step.kind !== 'connect') assert.equal(sockets.length, before.made, 'stopped');
        const closing = sockets.filter((socket) => !socket.isGone && socket.closedWith !== undefined);
        if (client.state === 'waiting') assert.equal(clock.timers, 1 + closing.length, 'the back-off and goodbyes');
      }
      const closed = client.close();
      await clock.advance(1_000);
      await closed;
      assert.equal(clock.timers, 0, 'no timer');
      assert.ok(sockets.length === 0 || newest().isGone || newest().closedWith !== undefined);
    }),
    { numRuns: 300 },
  );
});
