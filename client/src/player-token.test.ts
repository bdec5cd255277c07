import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Payload } from '@respark/protocol';
import { PlayerToken, type TokenStorage } from './player-token.ts';
import { FakeClock, settle } from './test/fakes.ts';

const SCOPE = { url: 'ws://test/connect', gameKey: 'key' };

function setUp({ token, storage }: { token?: string; storage?: TokenStorage } = {}) {
  const clock = new FakeClock();
  const reports: string[] = [];
  const report = (error: Error & { code: string }) => reports.push(error.code);
  return { clock, reports, playerToken: new PlayerToken({ token, storage, scope: SCOPE, clock, report }) };
}

function memoryStorage(initial?: string): TokenStorage & { readonly saved: (string | undefined)[] } {
  const saved: (string | undefined)[] = [];
  return {
    saved,
    load: () => initial,
    save(token) {
      saved.push(token);
    },
  };
}

/** Answers `token-1`, `token-2`, … */
function tokens(): () => Promise<Payload> {
  let made = 0;
  return async () => {
    made += 1;
    return { AuthenticationToken: `token-${made}` };
  };
}

describe('loading', () => {
  test('reads the saved token once', async () => {
    let loads = 0;
    const { playerToken, clock } = setUp({
      storage: {
        load: async () => {
          loads += 1;
          return 'saved';
        },
        save() {},
      },
    });
    assert.deepEqual([await playerToken.load(1_000), await playerToken.load(1_000)], ['saved', 'saved']);
    assert.equal(loads, 1);
    assert.equal(clock.timers, 0);
  });

  test('from a shared storage counts less than what could not be saved there, until it holds something else', async () => {
    let held: string | undefined;
    const load = () => held;
    const save = () => {
      throw new Error('full');
    };
    const { playerToken, reports } = setUp({ storage: { isShared: true, load, save } });
    assert.equal(await playerToken.load(1_000), undefined);
    playerToken.startRenewing(tokens(), 'player', 60_000);
    await settle();
    playerToken.stopRenewing();
    assert.equal(await playerToken.load(1_000), 'token-1');
    held = 'of another tab';
    assert.equal(await playerToken.load(1_000), 'of another tab');
    await playerToken.forget();
    assert.equal(await playerToken.load(1_000), undefined, 'the player is forgotten all the same');
    assert.deepEqual(reports, ['storage', 'storage']);
  });

  test('does not ask the storage when a token was given', async () => {
    const storage = { load: () => assert.fail('not needed'), save() {} };
    assert.equal(await setUp({ token: 'given', storage }).playerToken.load(1_000), 'given');
  });

  test('from a storage that throws is reported, and a guest never overwrites what the storage holds', async () => {
    const storage = memoryStorage();
    storage.load = () => {
      throw new Error('locked');
    };
    const { playerToken, reports } = setUp({ storage });
    assert.equal(await playerToken.load(1_000), undefined);
    playerToken.startRenewing(tokens(), 'player-1', 3_600_000);
    await settle();
    assert.equal(await playerToken.load(1_000), 'token-1');
    assert.deepEqual(reports, ['storage']);
    assert.deepEqual(storage.saved, []);
    playerToken.stopRenewing();
  });

  test('from a storage that hangs gives up after the time-out', async () => {
    const storage = memoryStorage();
    storage.load = () => new Promise(() => {});
    const { playerToken, reports, clock } = setUp({ storage });
    const loaded = playerToken.load(1_000);
    await clock.advance(1_000);
    assert.equal(await loaded, undefined);
    assert.deepEqual(reports, ['storage']);
  });
});

describe('a shared storage', () => {
  test('is loaded before each attempt, and decides which player it is', async () => {
    const held = ['saved', 'of another tab', undefined];
    const storage: TokenStorage = { isShared: true, load: () => held.shift(), save() {} };
    const { playerToken } = setUp({ storage });
    const loaded = [await playerToken.load(1_000), await playerToken.load(1_000), await playerToken.load(1_000)];
    assert.deepEqual(loaded, ['saved', 'of another tab', undefined]);
  });

  test('that could not be read at first, and is empty, takes the guest of this client', async () => {
    const storage = { ...memoryStorage(), isShared: true };
    const loads = [() => assert.fail('locked'), () => undefined];
    storage.load = () => loads.shift()?.();
    const { playerToken } = setUp({ storage });
    await playerToken.load(1_000);
    playerToken.startRenewing(tokens(), 'player-1', 3_600_000);
    await settle();
    assert.deepEqual(storage.saved, []);
    assert.equal(await playerToken.load(1_000), 'token-1');
    playerToken.startRenewing(tokens(), 'player-1', 3_600_000);
    await settle();
    assert.deepEqual(storage.saved, ['token-1']);
    playerToken.stopRenewing();
  });

  test('that cannot be read for a while does not lose the player', async () => {
    const loads = [() => 'saved', () => assert.fail('locked')];
    const { playerToken, reports } = setUp({ storage: { isShared: true, load: () => loads.shift()?.(), save() {} } });
    assert.deepEqual([await playerToken.load(1_000), await playerToken.load(1_000)], ['saved', 'saved']);
    assert.deepEqual(reports, ['storage']);
  });

  test('counts again once a player that was given has been forgotten', async () => {
    const storage: TokenStorage = { isShared: true, load: () => 'of another tab', save() {} };
    const { playerToken } = setUp({ token: 'given', storage });
    assert.equal(await playerToken.load(1_000), 'given');
    await playerToken.forget();
    assert.equal(await playerToken.load(1_000), 'of another tab');
  });
});

describe('renewing', () => {
  test('asks at once and at half of each lifetime, and saves each token', async () => {
    const storage = memoryStorage();
    const { playerToken, clock } = setUp({ storage });
    await playerToken.load(1_000);
    playerToken.startRenewing(tokens(), 'player-1', 60_000);
    await clock.advance(29_999);
    assert.deepEqual(storage.saved, ['token-1']);
    await clock.advance(1);
    assert.deepEqual(storage.saved, ['token-1', 'token-2']);
    assert.equal(await playerToken.load(1_000), 'token-2');
  });

  test('stops with the connection, also while an answer is on its way', async () => {
    const storage = memoryStorage();
    const { playerToken, clock, reports } = setUp({ storage });
    playerToken.startRenewing(tokens(), 'player-1', 60_000);
    playerToken.stopRenewing();
    await clock.advance(120_000);
    playerToken.startRenewing(() => Promise.reject(new Error('closed')), 'player-1', 60_000);
    playerToken.stopRenewing();
    await clock.advance(120_000);
    assert.deepEqual([storage.saved, reports, clock.timers], [[], [], 0]);
  });

  test('stops when whoever hears that it has failed closes the client', async () => {
    const clock = new FakeClock();
    let heard = 0;
    const report = () => {
      heard += 1;
      playerToken.stopRenewing();
    };
    const playerToken = new PlayerToken({ token: 'old', storage: undefined, scope: SCOPE, clock, report });
    playerToken.startRenewing(() => Promise.reject(new Error('no handler')), 'player-1', 60_000);
    await settle();
    assert.deepEqual([heard, clock.timers], [1, 0]);
  });

  for (const [name, answer] of Object.entries({
    'an error': Promise.reject(new Error('no handler')),
    'no token': Promise.resolve({}),
    'a number': Promise.resolve({ AuthenticationToken: 7 }),
    'a token that no hello may carry': Promise.resolve({ AuthenticationToken: 't'.repeat(4097) }),
  })) {
    answer.catch(() => {});
    test(`that is answered by ${name} is reported and tried again after a minute`, async () => {
      const { playerToken, clock, reports } = setUp({ token: 'old' });
      const ask = tokens();
      let asked = 0;
      playerToken.startRenewing(
        () => {
          asked += 1;
          return asked === 1 ? answer : ask();
        },
        'player-1',
        3_600_000,
      );
      await clock.advance(59_999);
      assert.deepEqual(reports, ['token']);
      assert.equal(await playerToken.load(1_000), 'old');
      await clock.advance(1);
      assert.equal(await playerToken.load(1_000), 'token-1');
      playerToken.stopRenewing();
    });
  }

  test('never asks more than once a second, however short the lifetimes', async () => {
    const { playerToken, clock } = setUp();
    let asked = 0;
    playerToken.startRenewing(
      async () => {
        asked += 1;
        return { AuthenticationToken: 't' };
      },
      'player-1',
      1,
    );
    await clock.advance(3_500);
    assert.equal(asked, 4);
    playerToken.stopRenewing();
  });
});

describe('saving', () => {
  test('that fails is reported and changes nothing else', async () => {
    const storage = memoryStorage();
    storage.save = () => Promise.reject(new Error('full'));
    const { playerToken, reports } = setUp({ storage });
    await playerToken.load(1_000);
    playerToken.startRenewing(tokens(), 'player-1', 60_000);
    await settle();
    assert.deepEqual(reports, ['storage']);
    assert.equal(await playerToken.load(1_000), 'token-1');
    playerToken.stopRenewing();
  });

  test('that throws at once is reported, and keeps no later token from being saved or forgotten', async () => {
    const storage = memoryStorage();
    const { save } = storage;
    let isFull = true;
    storage.save = (token, scope) => {
      if (isFull) throw new Error('full');
      return save(token, scope);
    };
    const { playerToken, clock, reports } = setUp({ storage });
    playerToken.startRenewing(tokens(), 'player-1', 60_000);
    await settle();
    assert.deepEqual(reports, ['storage']);
    isFull = false;
    await clock.advance(30_000);
    assert.deepEqual(storage.saved, ['token-2']);
    await playerToken.forget();
    assert.deepEqual(storage.saved, ['token-2', undefined]);
  });

  test('waits for the save before it, and then saves only the newest token', async () => {
    const started: (string | undefined)[] = [];
    const finish: (() => void)[] = [];
    const save = (token: string | undefined) => {
      started.push(token);
      return new Promise<void>((resolve) => finish.push(resolve));
    };
    const { playerToken, clock } = setUp({ storage: { load: () => undefined, save } });
    playerToken.startRenewing(tokens(), 'player-1', 60_000);
    await clock.advance(60_000);
    assert.deepEqual(started, ['token-1']);
    finish[0]?.();
    await settle();
    assert.deepEqual(started, ['token-1', 'token-3']);
    finish[1]?.();
    await clock.advance(30_000);
    assert.deepEqual(started, ['token-1', 'token-3', 'token-4']);
    playerToken.stopRenewing();
  });

  test('undefined is how a player is forgotten', async () => {
    const storage = memoryStorage('saved');
    const { playerToken } = setUp({ storage });
    await playerToken.load(1_000);
    await playerToken.forget();
    assert.deepEqual(storage.saved, [undefined]);
    assert.equal(await playerToken.load(1_000), undefined);
  });

  test('undefined during a load leaves the loaded token unused', async () => {
    const storage = memoryStorage();
    let finish = (_: string) => {};
    storage.load = () => new Promise((resolve) => (finish = resolve));
    const { playerToken } = setUp({ storage });
    const loaded = playerToken.load(1_000);
    await settle();
    await playerToken.forget();
    finish('saved');
    assert.deepEqual([await loaded, await playerToken.load(1_000)], [undefined, undefined]);
  });
});
