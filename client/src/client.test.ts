import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setUp, setUpConnected } from './test/client-under-test.ts';
import { type FakeSocket, settle, WELCOME } from './test/fakes.ts';

/** The id of the latest request on the socket. */
function requestOn(socket: FakeSocket): string {
  return String(socket.sent.findLast((frame) => frame.kind === 'request')?.id);
}

describe('connect()', () => {
  test('resolves at the welcome, with the player and the connection', async () => {
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

  test('waits through failed attempts', async () => {
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

  test('rejects at the verdict to stop, and may be called again', async () => {
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

  test('rejects when the socket cannot even be created', async () => {
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

  test('restarts the back-off only if it lasted', async () => {
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

  test('refuses messages at once, with the reason why it was lost', async () => {
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

describe('close()', () => {
  test('sends a close frame, reports the end once, and leaves no timer', async () => {
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

  test('followed at once by connect() opens a new connection, and ignores the old one', async () => {
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

test('what the server says before it closes is a notification, and comes again with the disconnect and the errors', async () => {
  const { client, newest, told } = await setUpConnected({ locale: 'de-AT' });
  const heard: unknown[] = [];
  client.on('notification', ({ type }) => told.push(type));
  client.on('disconnect', ({ farewell }) => heard.push(farewell));
  const request = client.request('Custom.Game.Ask').catch(({ closure }) => closure.farewell);
  const payload = { reason: 'CHEATING', messages: { en: 'Bye', de: 'Tschau' }, until: 1_000, requestId: 'r-1' };
  newest().receives({ kind: 'notification', type: 'Respark.Farewell', payload });
  newest().closes(4500, 'out; requestId=r-1');
  assert.deepEqual(told, ['Respark.Farewell', 'closed', 'disconnect 4500 undefined']);
  const farewell = { reason: 'CHEATING', message: 'Tschau', until: new Date(1_000), requestId: 'r-1' };
  assert.deepEqual([heard, await request], [[farewell], farewell]);

  const connected = client.connect();
  await settle();
  newest().welcomes();
  await connected;
  newest().closes(4500, 'out');
  assert.deepEqual(heard, [farewell, undefined]);
});
