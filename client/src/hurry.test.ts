import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type setUp, setUpConnected } from './test/client-under-test.ts';
import { FakePage, settle } from './test/fakes.ts';

/** A client that has waited through failed attempts, until the next one is more than twenty seconds away. */
async function setUpWaiting(options: Parameters<typeof setUp>[0] = {}) {
  const all = await setUpConnected({ random: () => 0.9, ...options });
  for (let attempt = 0; attempt < 6; attempt += 1) {
    all.newest().closes(1006);
    await all.clock.advance(27_000);
  }
  all.newest().closes(1006);
  all.told.length = 0;
  assert.equal(all.client.state, 'waiting');
  return { ...all, made: all.sockets.length };
}

const RETURNS: Record<string, (page: FakePage) => void> = {
  'the network is back': (page) => page.emit('online'),
  'the page comes out of the history': (page) => page.emit('pageshow'),
  'the page becomes visible': (page) => page.turns('visible'),
};

describe('connect() while waiting', () => {
  test('starts an attempt now, and waits for its welcome', async () => {
    const { client, newest, sockets, made, told } = await setUpWaiting();
    const connected = client.connect();
    assert.equal(client.state, 'connecting');
    await settle();
    assert.equal(sockets.length, made + 1);
    newest().welcomes({ connectionId: 'connection-2' });
    assert.equal((await connected).connectionId, 'connection-2');
    assert.deepEqual(told, ['connecting', 'connected', 'welcome player-1']);
  });

  test('starts the back-off again from its base', async () => {
    const { client, newest, told } = await setUpWaiting();
    client.connect().catch(() => {});
    await settle();
    newest().closes(1006);
    assert.equal(told.at(-1), 'disconnect 1006 450');
  });

  test('does not wait for a timer that should have fired already, however often it was called', async () => {
    const { client, newest, clock } = await setUpWaiting();
    client.connect().catch(() => {});
    await settle();
    newest().closes(1006);
    client.connect().catch(() => {});
    assert.equal(client.state, 'waiting');
    clock.sleep(1_000);
    client.connect().catch(() => {});
    assert.equal(client.state, 'connecting');
  });

  test('leaves no timer of the wait that it cut short', async () => {
    const { client, newest, clock } = await setUpWaiting();
    client.connect().catch(() => {});
    await settle();
    newest().welcomes();
    assert.equal(clock.timers, 3, 'the next heartbeat, the deadline of the server and that of a request');
  });

  test('waits as long as the server asked for, and only the rest is cut short', async () => {
    const { client, newest, sockets, clock } = await setUpConnected({ random: () => 0.9 });
    for (let attempt = 0; attempt < 6; attempt += 1) {
      newest().closes(1006);
      await clock.advance(27_000);
    }
    const made = sockets.length;
    newest().closes(4004, 'full; retryAfterMs=20000');
    await clock.advance(5_000);
    client.connect().catch(() => {});
    assert.equal(client.state, 'waiting');
    await clock.advance(15_449);
    assert.equal(sockets.length, made);
    await clock.advance(1);
    assert.equal(sockets.length, made + 1);
  });

  test('at every disconnect makes no storm', async () => {
    const { client, newest, sockets, clock, made } = await setUpWaiting();
    client.on('disconnect', () => client.connect().catch(() => {}));
    for (let passedMs = 0; passedMs < 600_000; passedMs += 100) {
      client.connect().catch(() => {});
      if (!newest().isGone) newest().closes(1006);
      await clock.advance(100);
    }
    assert.ok(sockets.length - made < 120, `${sockets.length - made} attempts in ten minutes`);
    assert.ok(sockets.length - made > 50, `${sockets.length - made} attempts in ten minutes`);
  });
});

test('connect() while connected checks that the server is still there', async () => {
  const { client, newest, clock, told } = await setUpConnected();
  await clock.advance(4_000);
  assert.equal((await client.connect()).connectionId, 'connection-1');
  assert.equal(newest().sent.at(-1)?.kind, 'heartbeat');
  await clock.advance(5_000);
  assert.deepEqual(told, ['waiting', 'disconnect 1006 250']);
});

for (const [name, happen] of Object.entries(RETURNS)) {
  describe(`when ${name}`, () => {
    test('a waiting client starts an attempt', async () => {
      const page = new FakePage();
      const { client, newest, sockets, made } = await setUpWaiting({ page });
      happen(page);
      await settle();
      assert.equal(sockets.length, made + 1);
      newest().welcomes();
      assert.equal(client.state, 'connected');
    });

    test('a connected client drops a connection that is dead', async () => {
      const page = new FakePage();
      const { newest, clock, told } = await setUpConnected({ page });
      await clock.advance(4_000);
      happen(page);
      assert.equal(newest().sent.at(-1)?.kind, 'heartbeat');
      await clock.advance(5_000);
      assert.deepEqual(told, ['waiting', 'disconnect 1006 250']);
    });

    test('a client that is closed stays closed, and one that stopped stays stopped', async () => {
      const page = new FakePage();
      const { client, newest, sockets, clock } = await setUpConnected({ page });
      newest().closes(4500);
      assert.equal(page.listeners, 0);
      happen(page);
      await clock.advance(60_000);
      client.connect().catch(() => {});
      await settle();
      assert.equal(page.listeners, 3);
      void client.close();
      assert.equal(page.listeners, 0);
      happen(page);
      await clock.advance(60_000);
      assert.deepEqual([client.state, sockets.length, clock.timers], ['closed', 2, 0]);
    });

    test('again and again, the client neither storms nor floods', async () => {
      const page = new FakePage();
      const { newest, sockets, made, clock } = await setUpWaiting({ page });
      for (let flap = 0; flap < 600; flap += 1) {
        happen(page);
        if (!newest().isGone) newest().closes(1006);
        await clock.advance(100);
      }
      assert.ok(sockets.length - made < 18, `${sockets.length - made} attempts in a minute`);
      const otherPage = new FakePage();
      const connected = await setUpConnected({ page: otherPage });
      for (let flap = 0; flap < 600; flap += 1) {
        happen(otherPage);
        connected.newest().receives({ kind: 'heartbeat' });
        await connected.clock.advance(100);
      }
      assert.ok(connected.newest().sent.length < 65);
    });
  });
}

test('a page that becomes hidden changes nothing', async () => {
  const page = new FakePage();
  const { sockets, made } = await setUpWaiting({ page });
  page.turns('hidden');
  await settle();
  assert.equal(sockets.length, made);
});

test('the listeners are added once, however often the client reconnects', async () => {
  const page = new FakePage();
  const { client } = await setUpWaiting({ page });
  assert.equal(page.listeners, 3);
  void client.close();
  assert.equal(page.listeners, 0);
});

test('the window of the platform is used when there is one', async (t) => {
  const page = new FakePage();
  Object.assign(globalThis, { window: page });
  t.after(() => Reflect.deleteProperty(globalThis, 'window'));
  const { sockets, made, client } = await setUpWaiting();
  page.emit('online');
  await settle();
  assert.equal(sockets.length, made + 1);
  void client.close();
  assert.equal(page.listeners, 0);
});

for (const [name, page] of Object.entries({
  'a worker, which has no document': Object.assign(new EventTarget(), {}),
  'React Native, whose window has no events': { document: undefined },
})) {
  test(`nothing is missed in ${name}`, async () => {
    const { client, sockets, made } = await setUpWaiting({ page });
    client.connect().catch(() => {});
    await settle();
    assert.equal(sockets.length, made + 1);
    void client.close();
  });
}
