import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { browserTokenStorage } from './browser-token-storage.ts';
import { setUp } from './test/client-under-test.ts';
import { FakeClock, type FakeSocket, settle } from './test/fakes.ts';

const SCOPE = { url: 'wss://play.example/connect', gameKey: 'key' };
const OF_P1 = { ...SCOPE, playerId: 'p1' };
const OF_P2 = { ...SCOPE, playerId: 'p2' };

/** A `localStorage` that pages share; `breaks` makes some of its methods throw. */
function fakeStore() {
  const items = new Map<string, string>();
  const breaks = new Set<string>();
  const guard = (method: string) => {
    if (breaks.has(method)) throw new DOMException('no', 'QuotaExceededError');
  };
  return {
    items,
    breaks,
    getItem(key: string) {
      guard('getItem');
      return items.get(key) ?? null;
    },
    setItem(key: string, value: string) {
      guard('setItem');
      items.set(key, value);
    },
    removeItem(key: string) {
      guard('removeItem');
      items.delete(key);
    },
  };
}

/** One lock of each name at a time, as browsers grant them. */
function fakeLocks() {
  const last = new Map<string, Promise<unknown>>();
  return {
    request(name: string, task: () => Promise<void> | undefined) {
      const granted = (last.get(name) ?? Promise.resolve()).then(task);
      last.set(name, granted);
      return granted;
    },
  };
}

function setUpPages({ withLocks = true } = {}) {
  const store = fakeStore();
  const clock = new FakeClock();
  const locks = withLocks ? fakeLocks() : undefined;
  return { store, clock, page: () => browserTokenStorage({ findStore: () => store, clock, findLocks: () => locks }) };
}

describe('a token in the browser', () => {
  test('is there for the next page', async () => {
    const { page } = setUpPages({ withLocks: false });
    page().save('t1', OF_P1);
    assert.equal(page().load(SCOPE), 't1');
    page().save(undefined, OF_P1);
    assert.equal(page().load(SCOPE), undefined);
  });

  test('belongs to one server and one game key, whatever the scheme and the query', async () => {
    const { page, store } = setUpPages({ withLocks: false });
    page().save('t1', OF_P1);
    assert.equal(page().load({ ...SCOPE, url: 'ws://play.example/connect?x=1' }), 't1');
    for (const other of [
      { gameKey: 'other' },
      { url: 'wss://other.example/connect' },
      { url: 'wss://play.example:8443/connect' },
      { url: 'wss://play.example/other/connect' },
    ]) {
      assert.equal(page().load({ ...SCOPE, ...other }), undefined);
    }
    page().save('t2', { ...OF_P2, gameKey: 'other' });
    assert.equal(page().load(SCOPE), 't1');
    assert.equal(store.items.size, 2);
  });

  test('is none if something else lies in its place, which a token then replaces', () => {
    for (const garbage of ['', '{', 'null', '7', '{"token":7}', '{"token":""}', `{"token":"${'t'.repeat(4_097)}"}`]) {
      const { page, store } = setUpPages({ withLocks: false });
      page().save('t1', OF_P1);
      for (const key of store.items.keys()) store.items.set(key, garbage);
      const storage = page();
      assert.equal(storage.load(SCOPE), undefined, garbage);
      storage.save('t2', OF_P2);
      assert.equal(page().load(SCOPE), 't2');
    }
  });
});

describe('without a store that works, memory keeps the token', () => {
  const missing: Record<string, () => never | undefined> = {
    missing: () => undefined,
    blocked() {
      throw new DOMException('denied', 'SecurityError');
    },
  };
  for (const [name, findStore] of Object.entries(missing)) {
    test(`${name}`, async () => {
      const clock = new FakeClock();
      const storage = browserTokenStorage({ findStore, clock, findLocks: fakeLocks });
      assert.equal(await storage.load(SCOPE), undefined);
      storage.save('t1', OF_P1);
      assert.equal(await storage.load(SCOPE), 't1');
      storage.save(undefined, OF_P1);
      assert.equal(await storage.load(SCOPE), undefined);
      assert.equal(clock.timers, 0);
    });
  }

  test('by default too, where there is no localStorage', async () => {
    const storage = browserTokenStorage();
    storage.save('t1', OF_P1);
    assert.equal(await storage.load(SCOPE), 't1');
  });

  test('full', () => {
    const { page, store } = setUpPages({ withLocks: false });
    const storage = page();
    storage.save('t1', OF_P1);
    store.breaks.add('setItem');
    storage.save('t2', OF_P1);
    assert.deepEqual([storage.load(SCOPE), page().load(SCOPE)], ['t2', 't1']);
    store.breaks.clear();
    storage.save('t3', OF_P1);
    assert.deepEqual([storage.load(SCOPE), page().load(SCOPE)], ['t3', 't3']);
  });

  test('full, until another tab stores another token', () => {
    const { page, store } = setUpPages({ withLocks: false });
    const storage = page();
    storage.load(SCOPE);
    store.breaks.add('setItem');
    storage.save('t1', OF_P1);
    store.breaks.clear();
    page().save('t2', OF_P2);
    assert.equal(storage.load(SCOPE), 't2');
  });

  test('a store that cannot be read or emptied', () => {
    const { page, store } = setUpPages({ withLocks: false });
    const storage = page();
    storage.save('t1', OF_P1);
    store.breaks.add('removeItem');
    storage.save(undefined, OF_P1);
    assert.equal(storage.load(SCOPE), undefined);
    store.breaks.add('getItem').add('setItem');
    storage.save('t2', OF_P2);
    assert.equal(storage.load(SCOPE), 't2');
  });

  test('a store that cannot be read for a while does not lose the player', () => {
    const { page, store } = setUpPages({ withLocks: false });
    page().save('t1', OF_P1);
    const storage = page();
    storage.load(SCOPE);
    store.breaks.add('getItem');
    assert.equal(storage.load(SCOPE), 't1');
    storage.save('t2', OF_P1);
    store.breaks.clear();
    assert.equal(page().load(SCOPE), 't2');
  });
});

describe('several tabs', () => {
  test('take up the newest token of their player', () => {
    const { page } = setUpPages({ withLocks: false });
    page().save('t1', OF_P1);
    const [a, b] = [page(), page()];
    assert.deepEqual([a.load(SCOPE), b.load(SCOPE)], ['t1', 't1']);
    a.save('t2', OF_P1);
    assert.equal(b.load(SCOPE), 't2');
    a.save('t3', OF_P1);
    b.save('t4', OF_P1);
    a.save('t5', OF_P1);
    assert.deepEqual([a.load(SCOPE), b.load(SCOPE)], ['t5', 't5']);
  });

  test('do not bring back a player that one of them has forgotten', () => {
    const { page } = setUpPages({ withLocks: false });
    page().save('t1', OF_P1);
    const [a, b] = [page(), page()];
    b.load(SCOPE);
    a.save(undefined, OF_P1);
    b.save('t2', OF_P1);
    b.save('t3', OF_P1);
    assert.equal(a.load(SCOPE), undefined);
    a.save('new', OF_P2);
    b.save('t4', OF_P1);
    assert.deepEqual([a.load(SCOPE), b.load(SCOPE)], ['new', 'new']);
  });

  test('keep the first guest where there are no locks', () => {
    const { page } = setUpPages({ withLocks: false });
    const [a, b] = [page(), page()];
    assert.deepEqual([a.load(SCOPE), b.load(SCOPE)], [undefined, undefined]);
    a.save('guest-1', OF_P1);
    b.save('guest-2', OF_P2);
    assert.deepEqual([a.load(SCOPE), b.load(SCOPE)], ['guest-1', 'guest-1']);
  });

  test('wait for the guest that one of them becomes', async () => {
    const { page, clock } = setUpPages();
    const [a, b, c] = [page(), page(), page()];
    assert.equal(await a.load(SCOPE), undefined);
    const others = Promise.all([b.load(SCOPE), c.load(SCOPE)]);
    await clock.advance(1_000);
    a.save('guest-1', OF_P1);
    assert.deepEqual(await others, ['guest-1', 'guest-1']);
    assert.equal(clock.timers, 0);
  });

  test('do not wait for games of their neighbours', async () => {
    const { page } = setUpPages();
    assert.equal(await page().load(SCOPE), undefined);
    assert.equal(await page().load({ ...SCOPE, gameKey: 'other' }), undefined);
  });

  test('go on without a tab that gets no token within five seconds', async () => {
    const { page, clock } = setUpPages();
    const [a, b] = [page(), page()];
    assert.equal(await a.load(SCOPE), undefined);
    const waiting = b.load(SCOPE);
    let isDone = false;
    void Promise.resolve(waiting).then(() => {
      isDone = true;
    });
    await clock.advance(4_999);
    assert.equal(isDone, false);
    await clock.advance(1);
    assert.deepEqual([isDone, await waiting], [true, undefined]);
    b.save('guest-2', OF_P2);
    a.save('guest-1', OF_P1);
    assert.equal(page().load(SCOPE), 'guest-2');
    assert.equal(clock.timers, 0);
  });

  test('wait six seconds at most, whatever holds the lock', async () => {
    const { store, clock } = setUpPages();
    let granted: () => Promise<void> | undefined = () => undefined;
    const locks = {
      request(_: string, task: () => Promise<void> | undefined) {
        granted = task;
        return new Promise(() => {});
      },
    };
    const storage = browserTokenStorage({ findStore: () => store, clock, findLocks: () => locks });
    const waiting = storage.load(SCOPE);
    await clock.advance(6_000);
    assert.equal(await waiting, undefined);
    assert.equal(granted(), undefined, 'a lock that comes too late is let go at once');
    assert.equal(clock.timers, 0);
  });

  test('do without locks that they may not use', async () => {
    const { store, clock } = setUpPages();
    const locks = { request: () => Promise.reject(new DOMException('opaque', 'SecurityError')) };
    assert.equal(
      await browserTokenStorage({ findStore: () => store, clock, findLocks: () => locks }).load(SCOPE),
      undefined,
    );
    assert.equal(clock.timers, 0);
  });

  test('a page does not wait for itself, but its second client does', async () => {
    const { page } = setUpPages();
    const storage = page();
    const mine = { ...SCOPE };
    assert.deepEqual([await storage.load(mine), await storage.load(mine)], [undefined, undefined]);
    const second = storage.load({ ...SCOPE });
    storage.save('guest-1', OF_P1);
    assert.equal(await second, 'guest-1');
  });
});

describe('clients in several tabs', () => {
  const welcome = async (socket: FakeSocket, playerId: string, token: string) => {
    socket.welcomes({ playerId });
    await settle();
    const request = socket.sent.findLast((frame) => frame.kind === 'request');
    socket.receives({ kind: 'response', id: String(request?.id), payload: { AuthenticationToken: token } });
    await settle();
  };

  test('that open at once are one player', async () => {
    const { page } = setUpPages();
    const [a, b] = [setUp({ storage: page() }), setUp({ storage: page() })];
    a.client.connect().catch(() => {});
    b.client.connect().catch(() => {});
    await settle();
    assert.deepEqual([a.sockets.length, b.sockets.length], [1, 0]);
    await welcome(a.newest(), 'p1', 't1');
    b.newest().opens();
    assert.equal(b.newest().sent[0]?.token, 't1');
  });

  test('come back as the player that another tab has become', async () => {
    const { page } = setUpPages();
    const [a, b] = [setUp({ storage: page() }), setUp({ storage: page() })];
    a.client.connect().catch(() => {});
    await settle();
    await welcome(a.newest(), 'p1', 't1');
    b.client.connect().catch(() => {});
    await settle();
    await welcome(b.newest(), 'p1', 't2');
    const forgotten = a.client.forgetPlayer();
    a.newest().closes(1000);
    await forgotten;
    a.client.connect().catch(() => {});
    await settle();
    a.newest().opens();
    assert.equal(a.newest().sent[0]?.token, undefined);
    await welcome(a.newest(), 'p2', 't3');
    b.newest().closes(1006);
    await b.clock.advance(500);
    b.newest().opens();
    assert.equal(b.newest().sent[0]?.token, 't3');
  });

  test('keep the token that was given to one of them', async () => {
    const { page } = setUpPages();
    page().save('t1', OF_P1);
    const { client, newest, clock } = setUp({ storage: page(), token: 'given' });
    client.connect().catch(() => {});
    await settle();
    newest().opens();
    assert.equal(newest().sent[0]?.token, 'given');
    await welcome(newest(), 'p2', 't2');
    newest().closes(1006);
    await clock.advance(500);
    newest().opens();
    assert.equal(newest().sent[0]?.token, 't2');
    assert.equal(page().load(SCOPE), 't1');
    assert.equal(page().load({ url: 'ws://test:1/connect', gameKey: 'key' }), 't2');
  });
});
