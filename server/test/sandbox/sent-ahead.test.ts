import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Clock, systemClock } from '../../src/clock.ts';
import { loadSettings } from '../../src/config/config.ts';
import { SandboxPool } from '../../src/sandbox/pool.ts';
import { SentAhead } from '../../src/sandbox/sent-ahead.ts';
import { recordedLog } from '../support/domain.ts';
import { until } from '../support/server.ts';

const RUNTIME = {
  id: 'runtime',
  gameId: 'game',
  stageId: 'stage',
  scripts: new Map([
    ['Good', 'return GameSparks().Messaging().Response({});'],
    ['Calls', "GameSparks().Lambda('any').Invoke({}); return GameSparks().Messaging().Response({});"],
    ['Echo', 'return GameSparks().Messaging().Response(message);'],
    ['Waits', "GameSparks().Lambda('any').Invoke({}); return GameSparks().Messaging().Response(message);"],
    // To put back its memory takes the thread a while, after it has given the answer.
    [
      'Large',
      'for (var n = 0; n < 3; n += 1) new ArrayBuffer(1048576); return GameSparks().Messaging().Response(message);',
    ],
    ['Stuck', 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);'],
  ]),
};

const OTHER = { ...RUNTIME, id: 'other runtime', gameId: 'other game', stageId: 'other stage' };

/** To be sent ahead, messages must be quick, and on a busy machine they are not. Here each takes next to nothing. */
function evenClock(): Clock {
  let looks = 0;
  return { ...systemClock, monotonic: () => ++looks / 100 };
}

/** A pool whose threads have the scripts, so that messages are sent ahead. */
async function open(t: TestContext, threads: number, watchdogMs = 300, clock = evenClock()) {
  const settings = loadSettings({
    env: {
      RESPARK_SCRIPT_THREADS: `${threads}`,
      RESPARK_SCRIPT_WATCHDOG_MS: `${watchdogMs}`,
      RESPARK_SCRIPT_MAX_MS: '60000',
    },
  });
  const pool = await SandboxPool.open({ clock, log: recordedLog().log, settings });
  t.after(() => pool.close());
  for (const runtime of [RUNTIME, OTHER]) await pool.prepare(runtime);
  /** Lets the call of a message be answered, by its number. */
  const held = new Map<number, () => void>();
  const calls: number[] = [];
  let sent = 0;
  return {
    pool,
    held,
    /** The numbers of the messages that made a call, once for each. */
    calls,
    async invoke(handler: string, { isHeld = false, runtime = RUNTIME } = {}): Promise<string> {
      sent += 1;
      const number = sent;
      const call = async () => {
        calls.push(number);
        if (isHeld) await new Promise<void>((resolve) => held.set(number, resolve));
        return { result: {} };
      };
      const { ending } = await pool.invoke({ runtime, handler, playerId: 'p', message: {}, call });
      return ending.kind;
    },
  };
}

test('what was sent ahead to a thread that has to be ended runs in another, once', async (t) => {
  const { invoke, calls } = await open(t, 1);
  const stuck = invoke('Stuck');
  const after = [invoke('Calls'), invoke('Calls')];
  assert.equal(await stuck, 'stopped');
  assert.deepEqual(await Promise.all(after), ['returned', 'returned']);
  assert.deepEqual(calls, [2, 3]);
});

test('what was sent ahead to a thread whose script waits is run by one that has nothing to do', async (t) => {
  const { invoke, held, calls } = await open(t, 2);
  const waiting = [invoke('Calls', { isHeld: true }), invoke('Calls', { isHeld: true })];
  const ahead = [invoke('Calls'), invoke('Calls'), invoke('Calls')];
  await until(() => held.size === 2);
  // One thread goes on, and takes over what the other one was sent.
  held.get(1)?.();
  assert.deepEqual(await Promise.all(ahead), ['returned', 'returned', 'returned']);
  held.get(2)?.();
  assert.deepEqual(await Promise.all(waiting), ['returned', 'returned']);
  const later = await Promise.all([invoke('Good'), invoke('Good'), invoke('Good'), invoke('Good')]);
  assert.deepEqual(new Set(later), new Set(['returned']), 'the other thread does not run them as well');
  assert.deepEqual(calls.toSorted(), [1, 2, 3, 4, 5]);
});

test('what was sent ahead is not run when its player has been sent away meanwhile', async (t) => {
  const { pool, invoke, held, calls } = await open(t, 1);
  const waiting = invoke('Calls', { isHeld: true });
  let isDropped = false;
  const called = () => assert.fail('its script began');
  const message = { runtime: RUNTIME, playerId: 'away', message: {}, isDropped: () => isDropped, call: called };
  const ahead = pool.invoke({ ...message, handler: 'Calls' });
  const behind = invoke('Calls');
  await until(() => held.has(1));
  isDropped = true;
  pool.dropped();
  held.get(1)?.();
  assert.equal(await waiting, 'returned');
  assert.equal((await ahead).ending.kind, 'busy');
  assert.equal(await behind, 'returned');
  assert.deepEqual(calls, [1, 2]);
});

test('what its thread begins once the lease of its node is over has no effect, though nobody has said so', async (t) => {
  const { pool, invoke } = await open(t, 1, 10_000);
  let isDropped = false;
  const called = () => assert.fail('its call was carried out');
  const message = { runtime: RUNTIME, playerId: 'away', message: {}, isDropped: () => isDropped, call: called };
  const before = invoke('Good');
  const ahead = pool.invoke({ ...message, handler: 'Calls' });
  const behind = invoke('Calls');
  // The thread has gone on to the message when this one looks at anything again.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  isDropped = true;
  assert.equal(await before, 'returned');
  assert.deepEqual((await ahead).ending, { kind: 'busy', why: 'the player was sent away' });
  assert.equal(await behind, 'returned');
});

test('what was sent ahead is taken over by another thread only if it may still run', async (t) => {
  const { pool, invoke, held } = await open(t, 2, 10_000);
  const waiting = [invoke('Calls', { isHeld: true }), invoke('Calls', { isHeld: true })];
  let isDropped = false;
  const called = () => assert.fail('its script began');
  const message = { runtime: RUNTIME, playerId: 'away', message: {}, isDropped: () => isDropped, call: called };
  const ahead = [pool.invoke({ ...message, handler: 'Calls' }), pool.invoke({ ...message, handler: 'Calls' })];
  await until(() => held.size === 2);
  isDropped = true;
  held.get(1)?.();
  for (const one of ahead) assert.equal((await one).ending.kind, 'busy');
  held.get(2)?.();
  assert.deepEqual(await Promise.all(waiting), ['returned', 'returned']);
});

test('a message for which a thread has to load scripts is not run when its player is sent away meanwhile', async (t) => {
  const { pool, invoke } = await open(t, 1);
  let isDropped = false;
  const runtime = {
    ...{ id: 'unloaded', gameId: 'game', stageId: 'unloaded' },
    // They are read when they are sent to the thread.
    get scripts() {
      isDropped = true;
      pool.dropped();
      return RUNTIME.scripts;
    },
  };
  const called = () => assert.fail('its script began');
  const message = { runtime, playerId: 'away', message: {}, isDropped: () => isDropped, call: called };
  const away = await pool.invoke({ ...message, handler: 'Calls' });
  assert.deepEqual(away.ending, { kind: 'busy', why: 'the player was sent away' });
  assert.equal(await invoke('Good', { runtime: { ...RUNTIME, id: 'unloaded' } }), 'returned');
});

test('a message for which its thread compiles scripts anew is not run when its player is sent away meanwhile', async (t) => {
  const { pool, invoke } = await open(t, 1, 10_000);
  const scripts = new Map([
    ...RUNTIME.scripts,
    // After it, the memory of the scripts cannot be put back.
    ['Greedy', 'for (var all = []; all.length < 8; ) all.push(new ArrayBuffer(1048576)); throw all;'],
    ['Long', 'message(); '.repeat(30_000)],
  ]);
  const runtime = { ...RUNTIME, id: 'with a long script', scripts };
  await pool.prepare(runtime);
  for (let round = 0; round < 3; round += 1) {
    assert.equal(await invoke('Greedy', { runtime }), 'failed');
    let isDropped = false;
    const called = () => assert.fail('its script began');
    const message = { runtime, playerId: 'away', message: {}, isDropped: () => isDropped, call: called };
    const away = pool.invoke({ ...message, handler: 'Calls' });
    const behind = [invoke('Calls', { runtime }), invoke('Calls', { runtime })];
    isDropped = true;
    pool.dropped();
    assert.deepEqual((await away).ending, { kind: 'busy', why: 'the player was sent away' });
    assert.deepEqual(await Promise.all(behind), ['returned', 'returned']);
  }
});

test('what was sent ahead to a thread that is busy is run by one that has nothing to do', async (t) => {
  const { invoke, held } = await open(t, 2, 10_000);
  let isStuck = true;
  const stuck = invoke('Stuck').finally(() => {
    isStuck = false;
  });
  const other = invoke('Calls', { isHeld: true });
  const ahead = [invoke('Good'), invoke('Good')];
  await until(() => held.has(2));
  held.get(2)?.();
  assert.deepEqual(await Promise.all([other, ...ahead]), ['returned', 'returned', 'returned']);
  assert.ok(isStuck, 'none of them waited until the thread was ended');
  void stuck.catch(() => {});
});

test('each message gets its own answer, also one that its thread is slow to come to while others are sent behind it', async (t) => {
  const { pool } = await open(t, 2, 10_000);
  let asked = 0;
  const ask = async (handler: string, answered: Promise<unknown> = Promise.resolve()) => {
    asked += 1;
    const message = { asked };
    const call = async () => {
      await answered;
      return { result: {} };
    };
    const { ending } = await pool.invoke({ runtime: RUNTIME, handler, playerId: `${asked}`, message, call });
    assert.deepEqual(ending, { kind: 'returned', response: JSON.stringify(message) });
  };
  for (let round = 0; round < 200; round += 1) {
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const large = ask('Large');
    const waiting = ask('Waits', answered);
    const others = [ask('Echo')];
    await large;
    others.push(ask('Echo'));
    answer();
    await waiting;
    await Promise.all([...others, ask('Echo'), ask('Echo'), ask('Echo')]);
  }
});

test('a thread that has left a message out is ended, and nobody gets the answer to another’s message', async (t) => {
  const { pool } = await open(t, 1, 10_000);
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const ask = async (handler: string, asked: number) => {
    const call = () => answered.then(() => ({ result: {} }));
    const { ending } = await pool.invoke({ runtime: RUNTIME, handler, playerId: 'p', message: { asked }, call });
    assert.equal(ending.kind === 'returned' && ending.response, JSON.stringify({ asked }));
  };
  const next = SentAhead.prototype.next;
  const planted = t.mock.method(SentAhead.prototype, 'next', function (this: SentAhead) {
    const number = next.call(this);
    // The thread takes the second message for one that was taken back.
    if (planted.mock.callCount() === 1) new Int32Array(this.memory)[number % 2] = 0;
    return number;
  });
  const all = [ask('Waits', 1), ask('Echo', 2), ask('Echo', 3)];
  await until(() => planted.mock.callCount() === 2);
  answer();
  const outcomes = await Promise.allSettled(all);
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.message : 'its own')),
    ['its own', 'a thread for scripts ended', 'a thread for scripts ended'],
  );
  await ask('Echo', 4);
});

test('a pool that is closed lets go of what was sent ahead', async (t) => {
  const { pool, invoke, held } = await open(t, 1);
  const all = [invoke('Calls', { isHeld: true }), invoke('Good'), invoke('Good')];
  const settled = Promise.allSettled(all);
  await until(() => held.size === 1);
  await pool.close();
  const names = (await settled).map((result) => (result.status === 'rejected' ? result.reason.name : result.value));
  assert.deepEqual(names, ['Interrupted', 'Interrupted', 'Interrupted']);
});

test('what was sent ahead to a thread whose script waits has its turn, however much another stage has to do', async (t) => {
  const { invoke, held } = await open(t, 2);
  const waiting = invoke('Calls', { isHeld: true });
  const other = invoke('Calls', { isHeld: true, runtime: OTHER });
  const ahead = invoke('Good');
  let ended = 0;
  const flood = Array.from({ length: 200 }, async () => {
    assert.equal(await invoke('Good', { runtime: OTHER }), 'returned');
    ended += 1;
  });
  await until(() => held.size === 2);
  held.get(2)?.();
  assert.equal(await ahead, 'returned');
  assert.ok(ended <= 100, `it waited for ${ended} messages of the other stage`);
  held.get(1)?.();
  assert.deepEqual(await Promise.all([waiting, other]), ['returned', 'returned']);
  await Promise.all(flood);
});

test('a pool that is closed lets go of what was sent ahead to a thread that has to be ended just then', async (t) => {
  const deadlines: (() => void)[] = [];
  const clock: Clock = {
    ...evenClock(),
    after(ms, task) {
      if (ms === 60_000) deadlines.push(task);
      return systemClock.after(ms, task);
    },
  };
  const { pool, invoke, held } = await open(t, 1, 300, clock);
  const all = [invoke('Calls', { isHeld: true }), invoke('Good')];
  await until(() => held.size === 1);
  // The thread that could run it instead is busy.
  all.push(invoke('Calls', { isHeld: true, runtime: OTHER }));
  await until(() => held.size === 2);
  const settled = Promise.allSettled(all);
  const closed = pool.close();
  deadlines[0]?.();
  const names = (await settled).map((result) => (result.status === 'rejected' ? result.reason.name : result.value));
  assert.deepEqual(names, ['stopped', 'Interrupted', 'Interrupted']);
  await closed;
});
