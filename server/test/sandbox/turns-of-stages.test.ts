import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../src/clock.ts';
import { loadSettings } from '../../src/config/config.ts';
import { SandboxPool } from '../../src/sandbox/pool.ts';
import type { ScriptedRuntime } from '../../src/sandbox/sandbox.ts';
import { recordedLog } from '../support/domain.ts';

const SCRIPTS = new Map([
  ['Good', 'return GameSparks().Messaging().Response({});'],
  ['Endless', 'for (;;) {}'],
  ['Stuck', 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);'],
  ['Waiting', "GameSparks().Lambda('slow').Invoke({}); return GameSparks().Messaging().Response({});"],
]);

/** The engine looks through all names of a scope for each one, so this takes it many seconds to compile. */
const names = (count: number) => Array.from({ length: count }, (_, n) => `let a${n};`).join('');
const SLOW_TO_LOAD = new Map([['Good', names(90_000)]]);

/** A pool, and the endings of its invocations as they come: `stage player handler ending`. */
async function open(t: TestContext, threads: number, clock = systemClock, watchdogMs = 400) {
  const settings = loadSettings({
    env: {
      RESPARK_SCRIPT_THREADS: `${threads}`,
      RESPARK_SCRIPT_MAX_TICKS: '100000',
      RESPARK_SCRIPT_WATCHDOG_MS: `${watchdogMs}`,
    },
  });
  const pool = await SandboxPool.open({ clock, log: recordedLog().log, settings });
  t.after(() => pool.close());
  const ended: string[] = [];
  const held: (() => void)[] = [];
  return {
    ended,
    /** Lets the calls that wait be answered. */
    release: () => {
      for (const answer of held.splice(0)) answer();
    },
    prepare: (runtime: ScriptedRuntime) => pool.prepare(runtime),
    async invoke(
      stageId: string,
      playerId: string,
      handler: string,
      gameId = `game of ${stageId}`,
      scripts = SCRIPTS,
    ): Promise<string> {
      const runtime = { id: `runtime of ${stageId}`, gameId, stageId, scripts };
      const call = () => new Promise<{ result: unknown }>((resolve) => held.push(() => resolve({ result: {} })));
      const { ending } = await pool.invoke({ runtime, handler, playerId, message: {}, call });
      ended.push(`${stageId} ${playerId} ${handler} ${ending.kind}`);
      return ending.kind;
    },
  };
}

test('a stage with a thousand messages that wait lets another’s be served among the first', async (t) => {
  // Turns depend on what each message took, which differs much on a busy machine. Here each takes the same.
  let looks = 0;
  const even = { ...systemClock, monotonic: () => ++looks / 100 };
  const { invoke, ended } = await open(t, 1, even);
  // While scripts are loaded, others run in another thread, however many.
  for (const stage of ['flood', 'other']) await invoke(stage, 'p', 'Good');
  const flood = Array.from({ length: 1_000 }, (_, index) => invoke('flood', `p${index % 50}`, 'Good'));
  for (let count = 1; count <= 5; count += 1) {
    const before = ended.length;
    assert.equal(await invoke('other', 'p', 'Good'), 'returned');
    assert.ok(ended.length - before <= 3, `message ${count} waited for ${ended.length - before}`);
  }
  assert.deepEqual(new Set(await Promise.all(flood)), new Set(['returned']));
});

test('a player with many messages that wait lets another player of the stage be served among the first', async (t) => {
  const { invoke, ended } = await open(t, 1);
  const flood = Array.from({ length: 300 }, () => invoke('stage', 'flood', 'Good'));
  assert.equal(await invoke('stage', 'other', 'Good'), 'returned');
  assert.ok(ended.length <= 4, `it waited for ${ended.length}`);
  await Promise.all(flood);
});

test('a stage whose scripts never end by themselves does not keep a thread from another’s', async (t) => {
  for (const [handler, threads] of [
    ['Endless', 1],
    ['Endless', 2],
    ['Stuck', 2],
  ] as const) {
    // What ends by itself must not be ended by force on a busy machine, or its stage would be paused.
    const { invoke, ended } = await open(t, threads, systemClock, handler === 'Endless' ? 20_000 : 400);
    const endless = Array.from({ length: 12 }, (_, index) => invoke('endless', `p${index}`, handler));
    for (let count = 1; count <= 5; count += 1) {
      const before = ended.length;
      assert.equal(await invoke('other', 'p', 'Good'), 'returned');
      // One of them may have a thread, and the next one, as long as both stages have used the same.
      const ran = ended.slice(before).filter((line) => !line.endsWith('busy'));
      assert.ok(ran.length <= 2 * threads + 1, `${handler}: ${ran.join(', ')}`);
    }
    const stopped = (await Promise.all(endless)).filter((kind) => kind === 'stopped').length;
    if (handler === 'Endless') assert.equal(stopped, endless.length);
    // The third of those that had to be ended by force has paused the stage, whatever had come before and still waited.
    else assert.ok(stopped >= 3 && stopped <= 3 + threads - 1, `${stopped} were ended by force`);
    assert.equal(await invoke('other', 'p', 'Good'), 'returned');
  }
});

test('a game that has another stage stick each time leaves a thread to another game', async (t) => {
  const { invoke, ended } = await open(t, 2);
  assert.equal(await invoke('other', 'p', 'Good'), 'returned');
  let isOver = false;
  let stages = 0;
  const stick = async () => {
    while (!isOver) {
      stages += 1;
      await invoke(`stage ${stages}`, 'p', 'Stuck', 'hostile game');
    }
  };
  const sticking = Array.from({ length: 6 }, stick);
  for (let count = 0; count < 8; count += 1) {
    const before = ended.length;
    assert.equal(await invoke('other', 'p', 'Good'), 'returned');
    const waitedFor = ended.slice(before, -1);
    assert.ok(waitedFor.length <= 2, `message ${count} waited for ${waitedFor.join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  isOver = true;
  await Promise.all(sticking);
});

for (const kind of ['slow', 'fast']) {
  test(`a stage whose scripts wait for answers leaves a thread to others, if it was ${kind} before`, async (t) => {
    const { invoke, release } = await open(t, 2);
    // They are stopped after 150 ms, and what the stage has cost so far says that its scripts are slow.
    if (kind === 'slow') for (let count = 0; count < 8; count += 1) await invoke('stage', 'p', 'Endless');
    const waiting = Array.from({ length: 10 }, (_, index) => invoke('stage', `p${index}`, 'Waiting'));
    for (let count = 0; count < 20; count += 1) assert.equal(await invoke('other', 'p', 'Good'), 'returned');
    let isOver = false;
    const all = Promise.all(waiting).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      release();
      await new Promise(setImmediate);
    }
    assert.deepEqual(new Set(await all), new Set(['returned']));
  });
}

test('a game whose stages all wait for answers leaves a thread to another game', async (t) => {
  const { invoke, release, ended } = await open(t, 2);
  const waiting = ['one', 'two', 'three', 'four'].map((stageId) => invoke(stageId, 'p', 'Waiting', 'hostile game'));
  assert.equal(await invoke('other', 'p', 'Good'), 'returned');
  assert.deepEqual(ended, ['other p Good returned']);
  release();
  const timer = setInterval(release, 10);
  t.after(() => clearInterval(timer));
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['returned']));
});

for (const threads of [1, 2]) {
  test(`of ${threads} threads, scripts that take long to be loaded in advance keep none from other games, and cost them nothing`, async (t) => {
    const { invoke, prepare } = await open(t, threads);
    // The engine is ready when this has been answered.
    assert.equal(await invoke('other', 'p', 'Good'), 'returned');
    const runtimes = ['one', 'two', 'three'].map((stageId) => ({
      ...{ id: `runtime of ${stageId}`, gameId: 'hostile game', stageId, scripts: SLOW_TO_LOAD },
    }));
    const prepared = Promise.allSettled(runtimes.map(prepare));
    const from = performance.now();
    for (let count = 0; count < 5; count += 1) assert.equal(await invoke('other', `p${count}`, 'Good'), 'returned');
    const [first] = runtimes;
    assert.ok(first);
    await assert.rejects(prepare(first), /take too long to be loaded/);
    assert.ok(performance.now() - from > 4_000, 'it was still being loaded when the other game was served');
    for (let count = 0; count < 5; count += 1) assert.equal(await invoke('other', `p${count}`, 'Good'), 'returned');
    await prepared;
  });
}

test('messages of a game whose scripts take long to be loaded leave a thread to another game', async (t) => {
  const { invoke, ended } = await open(t, 2);
  const stages = ['one', 'two', 'three', 'four'];
  const slow = stages.map((stageId) => invoke(stageId, 'p', 'Good', 'hostile game', SLOW_TO_LOAD));
  for (let count = 0; count < 5; count += 1) assert.equal(await invoke('other', 'p', 'Good'), 'returned');
  assert.deepEqual(new Set(ended), new Set(['other p Good returned']));
  // The last ones have waited for too long.
  for (const kind of await Promise.all(slow)) assert.match(kind, /stopped|busy/);
});

test('a message that came just before a thread began to load the scripts of another is run elsewhere', async (t) => {
  const { invoke, release, ended } = await open(t, 1);
  // Both threads are ready when this has been answered.
  const timer = setInterval(release, 10);
  t.after(() => clearInterval(timer));
  await Promise.all([invoke('waiting', 'p', 'Waiting'), invoke('other', 'p', 'Good')]);
  const slow = invoke('slow', 'p', 'Good', 'hostile game', SLOW_TO_LOAD);
  assert.equal(await invoke('other', 'p', 'Good'), 'returned');
  assert.ok(!ended.some((line) => line.startsWith('slow')), ended.join(', '));
  await slow;
});

test('games whose scripts have taken too long to be loaded leave a thread to another game, however many they are', async (t) => {
  const { invoke, ended } = await open(t, 1);
  // More than there are threads, with the spare one and the one in reserve.
  const load = (round: number) =>
    Array.from({ length: 4 }, (_, n) => invoke(`${n} in ${round}`, 'p', 'Good', `hostile game ${n}`, SLOW_TO_LOAD));
  await Promise.all(load(1));
  assert.equal(await invoke('other', 'p', 'Good'), 'returned');
  const before = ended.length;
  // They take 20 seconds, one after the other, and are given up when the pool is closed.
  void Promise.allSettled(load(2));
  for (let count = 0; count < 10; count += 1) {
    assert.equal(await invoke('other', 'p', 'Good'), 'returned');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.deepEqual(new Set(ended.slice(before)), new Set(['other p Good returned']));
});

test('scripts that are ready are not loaded again', async (t) => {
  const { invoke, prepare } = await open(t, 1);
  const scripts = new Map([['Good', names(12_000)]]);
  const runtime = { id: 'runtime of stage', gameId: 'game of stage', stageId: 'stage', scripts };
  assert.equal(await invoke('other', 'p', 'Good'), 'returned');
  const timeOf = async () => {
    const from = performance.now();
    await prepare(runtime);
    return performance.now() - from;
  };
  const first = await timeOf();
  const others = [await timeOf(), await timeOf(), await timeOf()];
  assert.ok(Math.min(...others) < first / 4, `${first} ms, and then ${others.join(', ')} ms`);
});

test('a game whose scripts took much memory can have others loaded', async (t) => {
  const { invoke, prepare } = await open(t, 1);
  const large = `if (!message.isNever) return GameSparks().Messaging().Response({});${'x();'.repeat(100_000)}`;
  const scripts = new Map([['Good', large]]);
  for (const stageId of ['first', 'second', 'third']) {
    await prepare({ id: `runtime of ${stageId}`, gameId: 'game', stageId, scripts });
    assert.equal(await invoke(stageId, 'p', 'Good', 'game', scripts), 'returned');
  }
});

test('stages of one game whose scripts take very different memory share a thread, and nobody else’s is lost', async (t) => {
  const { invoke } = await open(t, 1);
  // Compiled, it takes more than the memory of an instance may grow by and be put back.
  const large = new Map([
    ['Good', `if (!message.isNever) return GameSparks().Messaging().Response({});${'/\\p{L}/u;'.repeat(900)}`],
  ]);
  for (let round = 0; round < 3; round += 1) {
    assert.equal(await invoke('small', 'p', 'Good', 'game'), 'returned');
    assert.equal(await invoke('large', 'p', 'Good', 'game', large), 'returned');
  }
  assert.equal(await invoke('small', 'p', 'Good', 'game'), 'returned');
});

test('a runtime that is made ready again is sent to no thread that has it', async (t) => {
  const { invoke, prepare } = await open(t, 2);
  const runtime = { id: 'runtime of stage', gameId: 'game of stage', stageId: 'stage', scripts: SCRIPTS };
  await prepare(runtime);
  const post = t.mock.method(Worker.prototype, 'postMessage');
  for (let count = 0; count < 5; count += 1) await prepare(runtime);
  assert.equal(post.mock.callCount(), 0);
  assert.equal(await invoke('stage', 'p', 'Good'), 'returned');
});
