import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createBackground } from './background.ts';

function open(options: { maxAtOnce?: number } = {}) {
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  return { background: createBackground({ clock, log, failure: 'it failed', ...options }), clock, lines };
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** An attempt that waits until the test lets it end. */
function held() {
  let release = (_isDone: boolean) => {};
  const done = new Promise<boolean>((resolve) => {
    release = resolve;
  });
  let attempts = 0;
  return {
    attempt: () => {
      attempts += 1;
      return done;
    },
    release: () => release(true),
    get attempts() {
      return attempts;
    },
  };
}

test('work under way is not done twice, and work that has ended can be done again', async () => {
  const { background } = open();
  const work = held();
  const first = background.run('a', work.attempt);
  assert.equal(background.run('a', work.attempt), first);
  work.release();
  assert.equal(await first, true);
  assert.equal(await background.run('a', work.attempt), true);
  assert.equal(work.attempts, 2);
  await background.settled();
});

test('no more attempts run at once than allowed, and each gets its turn', async () => {
  const { background } = open({ maxAtOnce: 2 });
  const works = Array.from({ length: 5 }, held);
  for (const [index, work] of works.entries()) void background.run(`${index}`, work.attempt);
  const running = () => works.map(({ attempts }) => attempts).join('');
  await nextTurn();
  assert.equal(running(), '11000');
  for (const expected of ['11100', '11110', '11111']) {
    works[expected.lastIndexOf('1') - 2]?.release();
    await nextTurn();
    assert.equal(running(), expected);
  }
  works[3]?.release();
  works[4]?.release();
  await background.settled();
});

test('attempts of one lane leave places to those of others, who need not wait for them', async () => {
  const { background } = open({ maxAtOnce: 3 });
  const works = Array.from({ length: 6 }, held);
  const lanes = ['a', 'a', 'a', 'b', 'c', 'b'].map((name) => [{ name, max: 2 }]);
  for (const [index, work] of works.entries()) void background.run(`${index}`, work.attempt, lanes[index]);
  const running = () => works.map(({ attempts }) => attempts).join('');
  await nextTurn();
  assert.equal(running(), '110100');
  works[3]?.release();
  await nextTurn();
  assert.equal(running(), '110110', 'the third of its lane still waits');
  works[0]?.release();
  await nextTurn();
  assert.equal(running(), '111110');
  works[1]?.release();
  await nextTurn();
  assert.equal(running(), '111111');
  for (const work of works) work.release();
  await background.settled();
});

test('attempts of several lanes wait until each of them has room', async () => {
  const { background } = open({ maxAtOnce: 9 });
  const works = Array.from({ length: 4 }, held);
  const [game, other] = [
    { name: 'game', max: 2 },
    { name: 'other game', max: 2 },
  ];
  const lanes = [
    ['a', game],
    ['a', game],
    ['b', game],
    ['c', other],
  ] as const;
  for (const [index, [name, each]] of lanes.entries()) {
    void background.run(`${index}`, works[index]?.attempt ?? assert.fail, [{ name, max: 1 }, each]);
  }
  const running = () => works.map(({ attempts }) => attempts).join('');
  await nextTurn();
  assert.equal(running(), '1011');
  works[2]?.release();
  await nextTurn();
  assert.equal(running(), '1011', 'the second of its lane still waits');
  works[0]?.release();
  await nextTurn();
  assert.equal(running(), '1111');
  for (const work of works) work.release();
  await background.settled();
});

test('lanes take turns for what becomes free, however much one of them has waiting', async () => {
  const { background } = open({ maxAtOnce: 1 });
  const works = Array.from({ length: 6 }, held);
  const lanes = ['a', 'a', 'a', 'a', 'b', 'b'].map((name) => [{ name, max: 9 }]);
  for (const [index, work] of works.entries()) void background.run(`${index}`, work.attempt, lanes[index]);
  const order: number[] = [];
  while (order.length < works.length) {
    await nextTurn();
    const next = works.findIndex(({ attempts }, index) => attempts > 0 && !order.includes(index));
    order.push(next);
    works[next]?.release();
  }
  assert.deepEqual(order, [0, 1, 4, 2, 5, 3]);
  await background.settled();
});

test('an attempt that fails makes room while it pauses, and says so in the log', async () => {
  const { background, clock, lines } = open({ maxAtOnce: 1 });
  let attempts = 0;
  const failing = background.run('a', async () => {
    attempts += 1;
    if (attempts === 1) throw new Error('the disk is full');
    return true;
  });
  assert.equal(await background.run('b', async () => true), true);
  assert.deepEqual([attempts, lines.length], [1, 1]);
  assert.deepEqual([lines[0]?.msg, lines[0]?.resourceId], ['it failed', 'a']);
  clock.advance(200);
  assert.equal(await failing, true);
  assert.equal(clock.pending, 0);
});

test('an attempt that leaves something to do is made again after a pause, without a word in the log', async () => {
  const { background, clock, lines } = open();
  const ends = [false, false, true];
  const work = background.run('a', async () => ends.shift() as boolean);
  for (const pauseMs of [200, 400]) {
    await nextTurn();
    clock.advance(pauseMs);
  }
  assert.equal(await work, true);
  assert.deepEqual([ends, lines, clock.pending], [[], [], 0]);
});

test('closing waits for what runs, and starts nothing that waits, pauses or comes later', async () => {
  const { background, clock } = open({ maxAtOnce: 1 });
  const pausing = background.run('pausing', async () => {
    throw new Error('the disk is full');
  });
  await nextTurn();
  const [running, waiting, late] = [held(), held(), held()];
  const runs = background.run('running', running.attempt);
  const waits = background.run('waiting', waiting.attempt);
  const closed = background.close();
  const comesLate = background.run('late', late.attempt);
  let isClosed = false;
  void closed.then(() => {
    isClosed = true;
  });
  await nextTurn();
  assert.equal(isClosed, false);
  running.release();
  await closed;
  assert.deepEqual(await Promise.all([pausing, runs, waits, comesLate]), [false, true, false, false]);
  assert.deepEqual([waiting.attempts, late.attempts, clock.pending], [0, 0, 0]);
});
