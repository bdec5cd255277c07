import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTurns } from './turns.ts';

/** An event loop of which each turn must be asked for, and a clock on which only work takes time. */
function createLoop(options: Pick<Parameters<typeof createTurns>[0], 'networkOf'> = {}) {
  let now = 0;
  let tasks: (() => void)[] = [];
  const done: string[] = [];
  const turns = createTurns({ clock: { monotonic: () => now }, later: (task) => tasks.push(task), ...options });
  const work = (name: string, ms: number) => () => {
    done.push(name);
    now += ms;
  };
  return {
    turns,
    /** Does work at once if it may, as callers must. */
    offer(lane: string, name: string, ms: number) {
      if (turns.isOpen(lane)) work(name, ms)();
      else turns.wait(lane, work(name, ms));
    },
    /** Runs the tasks that were set for the next turn, and returns what has been done since the last call. */
    turn() {
      const due = tasks;
      tasks = [];
      for (const task of due) task();
      return done.splice(0);
    },
    done,
    get isIdle() {
      return tasks.length === 0;
    },
  };
}

describe('turns', () => {
  it('let work run at once until it has held up the turn for its time', () => {
    const loop = createLoop();
    for (const name of ['a', 'b', 'c', 'd']) loop.offer('x', name, 1);
    assert.deepEqual(loop.done, ['a', 'b']);
    assert.equal(loop.turns.size, 2);
  });

  it('give each lane its turn, however much waits in another', () => {
    const loop = createLoop();
    for (let number = 0; number < 100; number += 1) loop.offer('flood', `flood ${number}`, 2);
    loop.offer('other', 'other', 1);
    const before: string[] = [];
    while (!before.includes('other')) before.push(...loop.turn());
    assert(before.length <= 4, before.join());
  });

  it('give each network its turn, however many lanes it has, and then each of its lanes', () => {
    const loop = createLoop({ networkOf: (lane) => lane.slice(0, 1) });
    for (let number = 0; number < 100; number += 1) loop.offer(`a${number}`, `a${number}`, 2);
    loop.offer('b1', 'b1', 2);
    loop.offer('a1', 'a1 again', 2);
    assert.deepEqual(loop.done, ['a0']);
    const order: string[] = [];
    while (!loop.isIdle) order.push(...loop.turn());
    assert.deepEqual(order.slice(1, 5), ['a1', 'b1', 'a2', 'a3']);
    assert.equal(order.at(-1), 'a1 again');
    assert.equal(loop.turns.size, 0);
  });

  it('tell how much waits in a lane, and for how long there has always been something', () => {
    const loop = createLoop();
    for (let number = 0; number < 8; number += 1) loop.offer('x', `${number}`, 1);
    assert.deepEqual(loop.turns.backlogOf('x'), { pieces: 6, ms: 0 });
    assert.deepEqual(loop.turns.backlogOf('other'), { pieces: 0, ms: 0 });
    loop.done.splice(0);
    const first = [...loop.turn(), ...loop.turn()].length;
    assert.deepEqual(loop.turns.backlogOf('x'), { pieces: 6 - first, ms: first });
    while (!loop.isIdle) loop.turn();
    assert.deepEqual(loop.turns.backlogOf('x'), { pieces: 0, ms: 0 });
  });

  it('have time for one piece of what waits after a socket has come, because others may wait to be taken', () => {
    const loop = createLoop();
    for (let number = 0; number < 40; number += 1) loop.offer('x', `${number}`, 0.5);
    loop.done.splice(0);
    const countTurns = (before = () => {}) => {
      const counts = [0, 0, 0, 0].map(() => {
        before();
        return loop.turn().length;
      });
      return counts.filter((count) => count > 0);
    };
    assert.deepEqual(countTurns(), [4, 4]);
    assert.deepEqual(countTurns(loop.turns.noteArrival), [1, 1]);
    assert.deepEqual(countTurns(), [4, 4]);
  });

  it('keep the order of a lane, also for work that comes when there would be time', () => {
    const loop = createLoop();
    for (const name of ['1', '2', '3', '4']) loop.offer('x', name, 2);
    const done = loop.turn();
    loop.offer('x', '5', 0);
    while (!loop.isIdle) done.push(...loop.turn());
    assert.deepEqual(done, ['1', '2', '3', '4', '5']);
  });

  it('have every second piece be one of the lanes that are preferred, which take turns as well', () => {
    const loop = createLoop();
    for (const lane of ['known', 'known too']) loop.turns.prefer(lane);
    for (let number = 0; number < 100; number += 1) loop.offer(`stranger ${number}`, 'stranger', 2);
    for (const name of ['1', '2']) loop.offer('known', name, 2);
    loop.offer('known too', 'too', 2);
    const done: string[] = [];
    while (!loop.isIdle) done.push(...loop.turn());
    const served = done.slice(0, 8).filter((name) => name !== 'stranger');
    assert.deepEqual(served, ['1', 'too', '2']);
    assert.equal(done.filter((name) => name === 'stranger').length, 100);
  });

  it('leave what waits in a lane where it is when the lane becomes a preferred one', () => {
    const loop = createLoop();
    for (const name of ['1', '2', '3']) loop.offer('x', name, 2);
    loop.turns.prefer('x');
    loop.offer('x', '4', 2);
    const done: string[] = loop.turn();
    while (!loop.isIdle) done.push(...loop.turn());
    assert.deepEqual(done, ['1', '2', '3', '4']);
  });

  it('do no more in one turn than there is time for', () => {
    const loop = createLoop();
    for (let number = 0; number < 50; number += 1) loop.offer(`lane ${number}`, `${number}`, 1);
    for (loop.turn(); !loop.isIdle; ) assert(loop.turn().length <= 2);
    assert.equal(loop.turns.size, 0);
  });

  it('ask nothing of the event loop once all work is done', () => {
    const loop = createLoop();
    loop.offer('x', 'a', 5);
    loop.offer('x', 'b', 5);
    for (let turn = 0; turn < 5; turn += 1) loop.turn();
    assert(loop.isIdle);
  });
});
