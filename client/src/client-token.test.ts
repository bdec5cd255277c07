import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setUp, setUpConnected } from './test/client-under-test.ts';
import { type FakeSocket, settle } from './test/fakes.ts';

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

  test('is awaited by the next attempt if one is given up while the storage loads', async () => {
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

  test('is renewed at half of its lifetime', async () => {
    const { newest, clock } = await setUpConnected();
    await answerToken(newest(), 'token-1');
    for (let passedMs = 0; passedMs < 1_800_000; passedMs += 20_000) {
      await clock.advance(20_000);
      newest().receives({ kind: 'heartbeat' });
    }
    assert.equal(newest().sent.filter((frame) => frame.kind === 'request').length, 2);
  });

  test('is kept when it is refused, until forgetPlayer() makes way for a new guest', async () => {
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

  test('is forgotten before the next connect(), also for a game that does not wait for forgetPlayer()', async () => {
    const saved: unknown[] = [];
    const storage = { load: () => undefined, save: (token: unknown) => void saved.push(token) };
    const { client, newest } = await setUpConnected({ storage });
    await answerToken(newest(), 'token-1');
    client.forgetPlayer().catch(() => {});
    client.connect().catch(() => {});
    await settle();
    newest().opens();
    assert.deepEqual(newest().sent, [{ kind: 'hello', gameKey: 'key' }]);
    assert.deepEqual(saved, ['token-1', undefined]);
  });

  test('is forgotten, with its source, before a listener that hears of the end connects again', async () => {
    const { client, newest, sockets } = await setUpConnected({ token: async () => 'theirs' });
    assert.equal(newest().sent[0]?.token, 'theirs');
    const off = client.on('disconnect', () => {
      off();
      client.connect().catch(() => {});
    });
    client.forgetPlayer().catch(() => {});
    await settle();
    assert.equal(sockets.length, 2);
    newest().opens();
    assert.deepEqual(newest().sent, [{ kind: 'hello', gameKey: 'key' }]);
  });

  test('causes an error event, but does not end the connection, if its storage fails', async () => {
    const fail = () => Promise.reject(new Error('disk'));
    const { client, newest, told } = setUp({ storage: { load: fail, save: fail } });
    const connected = client.connect();
    await settle();
    newest().welcomes();
    await connected;
    assert.equal(told[1], 'error the stored token could not be loaded; connecting as a guest');
    assert.equal(client.state, 'connected');
  });

  test('comes from the game itself before each attempt, and is then neither renewed nor stored', async () => {
    const storage = { load: () => assert.fail('not needed'), save: () => assert.fail('not to be stored') };
    let made = 0;
    const token = () => {
      made += 1;
      return `theirs-${made}`;
    };
    const { client, newest, clock, told } = setUp({ token, storage });
    const connected = client.connect();
    await settle();
    newest().welcomes();
    await connected;
    assert.deepEqual(newest().sent, [{ kind: 'hello', gameKey: 'key', token: 'theirs-1' }]);
    newest().closes(1006);
    await clock.advance(500);
    newest().opens();
    assert.deepEqual(newest().sent, [{ kind: 'hello', gameKey: 'key', token: 'theirs-2' }]);
    assert.deepEqual(
      told.filter((line) => line.startsWith('error')),
      [],
    );
  });

  test('is asked of the game once more when the server refuses it, and again after the next welcome', async () => {
    const asked: boolean[] = [];
    const token = async ({ wasRefused }: { wasRefused: boolean }) => {
      asked.push(wasRefused);
      return wasRefused ? 'fresh' : 'old';
    };
    const { client, newest, clock, told, sockets } = setUp({ token });
    const connected = client.connect();
    await settle();
    newest().opens();
    newest().closes(4503, 'the token has expired');
    await clock.advance(500);
    newest().welcomes();
    await connected;
    assert.equal(newest().sent[0]?.token, 'fresh');
    assert.ok(told.includes('disconnect 4503 250'), told.join());
    newest().closes(1006);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await clock.advance(2_000);
      newest().opens();
      newest().closes(4503, 'the token has expired');
    }
    await clock.advance(60_000);
    assert.deepEqual([client.state, sockets.length, asked], ['closed', 4, [false, true, false, true]]);
  });

  test('that the game cannot give now is asked for again, and nobody else is connected meanwhile', async () => {
    let isOnline = false;
    const token = async () => (isOnline ? 'theirs' : Promise.reject(new Error('offline')));
    const { client, newest, clock, told, sockets } = setUp({ token });
    const connected = client.connect();
    await settle();
    assert.equal(sockets.length, 0);
    assert.ok(told.includes("error the game's own function gave no token: offline"), told.join());
    isOnline = true;
    await clock.advance(500);
    newest().welcomes();
    await connected;
    assert.equal(newest().sent[0]?.token, 'theirs');
  });

  test('that the game does not give in time, or that is none, ends an attempt', async () => {
    for (const token of [() => new Promise<string>(() => {}), () => '', () => 'x'.repeat(4_097)]) {
      const { client, clock, sockets, told } = setUp({ token, connectTimeoutMs: 1_000, reconnect: { maxRetries: 0 } });
      const rejected = assert.rejects(client.connect(), /gave no token/);
      await clock.advance(1_000);
      await rejected;
      assert.equal(sockets.length, 0, told.join());
      assert.equal(clock.timers, 0);
    }
  });

  test('of the game is forgotten with the player, who is then a new guest', async () => {
    const { client, newest } = setUp({ token: () => 'theirs' });
    await client.forgetPlayer();
    client.connect().catch(() => {});
    await settle();
    newest().opens();
    assert.deepEqual(newest().sent, [{ kind: 'hello', gameKey: 'key' }]);
  });
});
