import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setUp, setUpConnected } from './test/client-under-test.ts';
import { FakeClock, settle } from './test/fakes.ts';

describe('where timers fire once a minute, as in a hidden tab', () => {
  test('a connection is kept while the server answers', async () => {
    const { client, clock, newest, told } = await setUpConnected({ clock: new FakeClock(60_000) });
    for (let minute = 0; minute < 60; minute += 1) {
      await clock.advance(60_000);
      newest().receives({ kind: 'heartbeat' });
    }
    assert.deepEqual(
      told.filter((event) => !event.startsWith('error')),
      [],
    );
    assert.equal(client.connectionId, 'connection-1');
  });

  test('a connection that was lost comes back at once, because its wait would be held back too', async () => {
    const { client, newest, clock, told, sockets } = await setUpConnected({ clock: new FakeClock(60_000) });
    while (!told.includes('waiting')) await clock.advance(60_000);
    assert.deepEqual(told.slice(-3), ['waiting', 'disconnect 1006 0', 'connecting']);
    assert.equal(sockets.length, 2);
    newest().welcomes();
    assert.equal(client.state, 'connected');
  });

  test('a listener may close the client before the attempt that would follow at once', async () => {
    const { client, clock, sockets } = await setUpConnected({ clock: new FakeClock(60_000) });
    client.on('disconnect', () => void client.close());
    await clock.advance(600_000);
    assert.deepEqual([client.state, sockets.length, clock.timers], ['closed', 1, 0]);
  });
});

describe('a deadline that fires late, as after a sleep or on a busy page, leaves time for what lies unread', () => {
  test('a welcome', async () => {
    const { client, newest, clock, told } = setUp();
    const connected = client.connect();
    await settle();
    clock.sleep(12_000);
    await clock.advance(0);
    newest().opens();
    await clock.advance(4_999);
    newest().welcomes();
    assert.equal((await connected).connectionId, 'connection-1');
    assert.deepEqual(told, ['connecting', 'connected', 'welcome player-1']);
  });

  test('but no more than five seconds', async () => {
    const { client, clock, told } = setUp();
    client.connect().catch(() => {});
    await settle();
    clock.sleep(12_000);
    await clock.advance(5_000);
    assert.deepEqual(told, ['connecting', 'waiting', 'disconnect 1006 0', 'connecting']);
  });

  test('the answer to a request', async () => {
    const { client, newest, clock } = await setUpConnected();
    const timers = clock.timers;
    const answered = client.request('A');
    const id = String(newest().sent.at(-1)?.id);
    const silent = assert.rejects(client.request('B'), { name: 'RequestTimeoutError' });
    clock.sleep(15_000);
    await clock.advance(4_999);
    newest().receives({ kind: 'response', id, payload: { y: 2 } });
    assert.deepEqual(await answered, { y: 2 });
    await clock.advance(1);
    await silent;
    assert.ok(clock.timers <= timers);
  });

  test('the token from the storage', async () => {
    let finish = (_: string) => {};
    const storage = { load: () => new Promise<string>((resolve) => (finish = resolve)), save() {} };
    const { client, newest, clock, told } = setUp({ storage });
    client.connect().catch(() => {});
    clock.sleep(60_000);
    await clock.advance(4_999);
    finish('saved');
    await settle();
    newest().opens();
    assert.equal(newest().sent[0]?.token, 'saved');
    assert.deepEqual(told, ['connecting']);
  });
});
