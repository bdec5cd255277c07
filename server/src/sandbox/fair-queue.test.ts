import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FairQueue, type QueueLimits } from './fair-queue.ts';

const LIMITS: QueueLimits = { maxWaiting: 10, maxWaitingPerLane: 4, maxBytes: 1_000, maxBytesPerLane: 400 };

function takeAll(queue: FairQueue<string>): string[] {
  const taken: string[] = [];
  for (;;) {
    const work = queue.take(() => true);
    if (work === undefined) return taken;
    taken.push(work);
  }
}

test('the parties of a lane take turns, and a lane that has used less goes first', () => {
  const queue = new FairQueue<string>(LIMITS);
  for (const work of ['a1', 'a2', 'a3']) assert(queue.add('slow', 'a', work, 1));
  assert(queue.add('slow', 'b', 'b1', 1));
  assert(queue.add('fast', 'c', 'c1', 1));
  queue.charge('slow', 10);
  assert.deepEqual(takeAll(queue), ['c1', 'a1', 'b1', 'a2', 'a3']);
});

test('a lane has bounds of its own on what waits, in number and in bytes', () => {
  const queue = new FairQueue<string>(LIMITS);
  for (const work of ['1', '2', '3', '4']) assert(queue.add('full', work, work, 1));
  assert(!queue.add('full', '5', '5', 1));
  assert(queue.add('large', 'a', 'large', 400));
  assert(!queue.add('large', 'a', 'one byte more', 1));
  assert.equal(queue.size, 5);
  takeAll(queue);
  assert(queue.add('large', 'a', 'again', 400));
});

test('all lanes together are bounded, and what has been taken makes room', () => {
  const queue = new FairQueue<string>(LIMITS);
  for (const lane of ['a', 'b', 'c']) assert(queue.add(lane, '', lane, 300));
  assert(!queue.add('d', '', 'd', 101));
  assert.equal(
    queue.take(() => true),
    'a',
  );
  assert(queue.add('d', '', 'd', 101));
  for (let count = 0; count < 7; count += 1) assert(queue.add(`lane ${count}`, '', 'small', 0));
  assert(!queue.add('one more', '', 'small', 0));
});

test('a lane that may not run now waits for its turn', () => {
  const queue = new FairQueue<string>(LIMITS);
  queue.add('busy', '', 'later', 1);
  queue.add('free', '', 'now', 1);
  assert.equal(
    queue.take((lane) => lane !== 'busy'),
    'now',
  );
  assert.equal(
    queue.take((lane) => lane !== 'busy'),
    undefined,
  );
  assert.deepEqual(queue.clear(), ['later']);
  assert.equal(queue.size, 0);
});

test('what a lane used while nobody had to wait is not held against it later', () => {
  const queue = new FairQueue<string>(LIMITS);
  const take = () => queue.take(() => true);
  queue.add('old', '', 'long ago', 1);
  take();
  queue.charge('old', 1_000);
  for (const work of ['1', '2', '3']) queue.add('new', '', work, 1);
  assert.equal(take(), '1');
  queue.charge('new', 10);
  queue.add('old', '', 'back', 1);
  assert.deepEqual([take(), take()], ['back', '2']);
});

test('a lane that comes late is not owed what others used before', () => {
  const queue = new FairQueue<string>(LIMITS);
  const take = () => queue.take(() => true);
  for (const work of ['1', '2', '3', '4']) queue.add('flood', work, work, 1);
  for (let count = 0; count < 2; count += 1) {
    take();
    queue.charge('flood', 10);
  }
  for (const work of ['a', 'b']) queue.add('late', '', work, 1);
  assert.equal(take(), 'a');
  queue.charge('late', 11);
  assert.equal(take(), '3');
  queue.charge('flood', 10);
  assert.equal(take(), 'b');
});

test('work is asked for of one lane only when it is the turn of that lane', () => {
  const queue = new FairQueue<string>(LIMITS);
  for (const [lane, work] of [
    ['a', 'a1'],
    ['b', 'b1'],
  ] as const)
    queue.add(lane, '', work, 1);
  queue.charge('a', 1);
  const take = (lane: string) => queue.take(() => true, lane);
  assert.equal(take('a'), undefined);
  assert.deepEqual([take('b'), take('a')], ['b1', 'a1']);
});

test('work that is put back is the first of its lane, even where no more may wait', () => {
  const queue = new FairQueue<string>(LIMITS);
  for (const [party, work] of [
    ['p', 'p1'],
    ['q', 'q1'],
    ['p', 'p2'],
    ['q', 'q2'],
  ] as const)
    queue.add('lane', party, work, 1);
  const first = queue.take(() => true) ?? '';
  assert.ok(queue.add('lane', 'r', 'r1', 1));
  queue.putBack('lane', 'p', first, 1);
  assert.equal(queue.size, 5);
  assert.deepEqual(takeAll(queue), ['p1', 'q1', 'r1', 'p2', 'q2']);
  assert.equal(queue.size, 0);
});

test('work that is put back into a lane that was forgotten meanwhile gives the lane no more turns than the others', () => {
  const queue = new FairQueue<string>({ ...LIMITS, maxWaiting: 10_000 });
  queue.add('lane', '', 'ahead', 1);
  queue.charge('lane', 100);
  assert.equal(
    queue.take(() => true),
    'ahead',
  );
  queue.add('other', '', 'o1', 1);
  for (let lane = 0; lane < 1_000; lane += 1) {
    queue.add(`idle ${lane}`, '', 'idle', 1);
    queue.take((name) => name.startsWith('idle'));
  }
  queue.putBack('lane', '', 'ahead', 1);
  for (const work of ['l1', 'l2', 'l3']) queue.add('lane', '', work, 1);
  queue.add('other', '', 'o2', 1);
  const served: (string | undefined)[] = [];
  for (let count = 0; count < 4; count += 1) {
    const work = queue.take(() => true);
    served.push(work);
    queue.charge(work?.startsWith('o') ? 'other' : 'lane', 10);
  }
  assert.equal(served.filter((work) => work?.startsWith('o')).length, 2, served.join());
});

const inGroups = (limits: QueueLimits, displaced: string[] = []) =>
  new FairQueue<string>(limits, {
    groupOf: (lane) => lane.split(' ')[0] ?? '',
    displaced: (work) => void displaced.push(work),
  });

test('however many lanes come and go in a group, another group has every second turn', () => {
  const queue = inGroups({ ...LIMITS, maxWaiting: 1_000 });
  for (const work of ['1', '2', '3']) queue.add('other a', '', work, 1);
  const served: string[] = [];
  for (let count = 0; count < 30; count += 1) {
    // Each lane is new, so it has used nothing.
    queue.add(`crowd ${count}`, '', 'crowd', 1);
    const work = queue.take(() => true) ?? '';
    served.push(work);
    queue.charge(work === 'crowd' ? `crowd ${served.filter((one) => one === 'crowd').length - 1}` : 'other a', 10);
  }
  assert.deepEqual(served.slice(0, 6).sort(), ['1', '2', '3', 'crowd', 'crowd', 'crowd']);
});

test('within a group the lane that has used less goes first', () => {
  const queue = inGroups(LIMITS);
  for (const lane of ['g a', 'g b']) for (const each of ['1', '2']) queue.add(lane, '', `${lane}${each}`, 1);
  queue.charge('g a', 10);
  assert.deepEqual(takeAll(queue), ['g b1', 'g b2', 'g a1', 'g a2']);
});

test('a group that has all places gives those up that others need, the newest first', () => {
  const displaced: string[] = [];
  const queue = inGroups({ ...LIMITS, maxWaiting: 8 }, displaced);
  for (const lane of ['full a', 'full b']) {
    for (const each of ['1', '2', '3', '4']) assert(queue.add(lane, 'p', `${lane}${each}`, 1));
  }
  assert(!queue.add('full c', 'p', 'more', 1), 'it takes no place of its own');
  assert(queue.add('other a', 'p', 'other', 1));
  assert.deepEqual(displaced, ['full a4']);
  assert.equal(queue.size, 8);
  for (const each of ['2', '3', '4']) assert(queue.add('other a', 'p', `other${each}`, 1));
  assert(!queue.add('other b', 'p', 'as many as the other has', 1));
  assert.deepEqual(
    takeAll(queue).filter((work) => work.startsWith('full')),
    ['full a1', 'full a2', 'full b1', 'full b2'],
  );
});

test('a group that has all bytes gives those up that others need, and what was put back keeps its place', () => {
  const displaced: string[] = [];
  const queue = inGroups(LIMITS, displaced);
  for (const lane of ['full a', 'full b', 'full c']) assert(queue.add(lane, 'p', lane, 330));
  const first = queue.take(() => true) ?? '';
  queue.putBack('full a', 'p', first, 330);
  assert(queue.add('other a', 'p', 'other', 200));
  assert.deepEqual(displaced, ['full b']);
  assert(queue.add('other b', 'p', 'more', 390));
  assert.deepEqual(displaced, ['full b', 'full c']);
  assert(!queue.add('other c', 'p', 'too much', 200), 'the last of the other group stays');
});

test('of a group that gives places up, the party that has most of them does', () => {
  const displaced: string[] = [];
  const queue = inGroups({ ...LIMITS, maxWaiting: 6, maxWaitingPerLane: 6 }, displaced);
  for (const work of ['few 1', 'few 2']) assert(queue.add('full a', 'few', work, 1));
  for (const work of ['many 1', 'many 2', 'many 3', 'many 4']) assert(queue.add('full a', 'many', work, 1));
  for (const work of ['1', '2']) assert(queue.add('other a', 'p', work, 1));
  assert.deepEqual(displaced, ['many 4', 'many 3']);
});

test('nothing is displaced for work that finds no room all the same', () => {
  const displaced: string[] = [];
  const queue = inGroups({ ...LIMITS, maxBytesPerLane: 1_000 }, displaced);
  for (const work of ['1', '2']) assert(queue.add('two a', 'p', work, 260));
  assert(queue.add('one a', 'p', 'alone', 480));
  assert(!queue.add('other a', 'p', 'too much', 300));
  assert.deepEqual([displaced, queue.size], [[], 3]);
  assert.deepEqual(takeAll(queue).sort(), ['1', '2', 'alone']);
});

test('long work takes the place of long work, however much short work waits, and of little work at most', () => {
  const displaced: string[] = [];
  const queue = inGroups(
    { maxWaiting: 1_000, maxWaitingPerLane: 1_000, maxBytes: 1_000, maxBytesPerLane: 1_000 },
    displaced,
  );
  for (const work of ['long 1', 'long 2']) assert(queue.add('full a', 'few', work, 350));
  for (let count = 0; count < 100; count += 1) assert(queue.add('full a', 'many', 'short', 3));
  assert(queue.add('other a', 'p', 'other', 200));
  assert.deepEqual(displaced, ['long 2']);
  assert(queue.add('third a', 'p', 'third', 450));
  assert.deepEqual(displaced, ['long 2', 'long 1']);
  assert(queue.add('other b', 'p', 'in the room that was left', 50));
  assert(!queue.add('fourth a', 'p', 'as long as very many of them', 100));
  assert.deepEqual([displaced.length, queue.size], [2, 103]);
});

test('of a full lane, the party that has most places gives those up that others need, the newest first', () => {
  const displaced: string[] = [];
  const queue = new FairQueue<string>(LIMITS, { displaced: (work) => displaced.push(work) });
  for (const work of ['many 1', 'many 2', 'many 3', 'many 4']) assert(queue.add('lane', 'many', work, 1));
  assert(queue.add('lane', 'few', 'few 1', 1));
  assert(queue.add('lane', 'few', 'few 2', 1));
  assert(!queue.add('lane', 'few', 'few 3', 1), 'it has as many as the other');
  assert(!queue.add('lane', 'many', 'many 5', 1));
  assert(queue.add('lane', 'third', 'third 1', 1));
  assert.deepEqual(displaced, ['many 4', 'many 3', 'many 2']);
  assert.deepEqual(takeAll(queue), ['many 1', 'few 1', 'third 1', 'few 2']);
});

function inCrowds(limits: QueueLimits, displaced: string[]): FairQueue<string> {
  return new FairQueue<string>(limits, {
    crowdOf: (party) => party.split(' ')[0] ?? '',
    displaced: (work) => displaced.push(work),
  });
}

test('however many parties there are in a crowd, another crowd has every second turn', () => {
  const queue = inCrowds({ ...LIMITS, maxWaitingPerLane: 10 }, []);
  for (const party of ['1', '2', '3', '4', '5']) assert(queue.add('lane', `many ${party}`, `many ${party}`, 1));
  for (const work of ['few 1', 'few 2']) assert(queue.add('lane', 'few', work, 1));
  queue.putBack('lane', 'many 1', queue.take(() => true) ?? '', 1);
  assert.deepEqual(takeAll(queue), ['many 1', 'few 1', 'many 2', 'few 2', 'many 3', 'many 4', 'many 5']);
  assert(queue.add('lane', 'many 1', 'again', 1));
  assert.deepEqual(takeAll(queue), ['again']);
});

test('of a full lane, the crowd that has most places gives those up, then the party of its own that has most', () => {
  const displaced: string[] = [];
  const queue = inCrowds(LIMITS, displaced);
  for (const party of ['1', '2', '3', '4']) assert(queue.add('lane', `many ${party}`, `many ${party}`, 1));
  assert(!queue.add('lane', 'many 5', 'many 5', 1), 'no party of its own crowd has more than one place');
  assert(queue.add('lane', 'few', 'few 1', 1));
  assert(queue.add('lane', 'few', 'few 2', 1));
  assert(!queue.add('lane', 'few', 'few 3', 1), 'it has as many as the other crowd');
  assert.equal(displaced.length, 2);
  assert(queue.add('lane', 'few 2', 'few 3', 1), 'a party of its own crowd has more');
  assert.equal(displaced.at(-1), 'few 2');
  assert.equal(queue.size, 4);
});

test('of a lane without bytes left, the crowd that has most of them gives up what is needed', () => {
  const displaced: string[] = [];
  const queue = inCrowds(LIMITS, displaced);
  for (const party of ['1', '2', '3']) assert(queue.add('lane', `many ${party}`, `many ${party}`, 130));
  assert(queue.add('lane', 'few', 'few', 150));
  assert.equal(displaced.length, 2);
  assert(queue.add('lane', 'few', 'in the room that was left', 120));
  assert.equal(queue.size, 3);
});

test('of a lane without bytes left, the party that has most of them does, if that is enough', () => {
  const displaced: string[] = [];
  const queue = new FairQueue<string>(LIMITS, { displaced: (work) => displaced.push(work) });
  for (const work of ['large 1', 'large 2']) assert(queue.add('lane', 'large', work, 180));
  assert(queue.add('lane', 'small', 'small 1', 30));
  assert(!queue.add('lane', 'other', 'too long', 300));
  assert.deepEqual([displaced, queue.size], [[], 3]);
  assert(queue.add('lane', 'other', 'other 1', 100));
  assert.deepEqual(displaced, ['large 2']);
  assert.deepEqual(takeAll(queue), ['large 1', 'small 1', 'other 1']);
  assert(queue.add('lane', 'any', 'whole', 400), 'all bytes are free again');
});

test('a full lane refuses work at once, however many parties have its places', () => {
  const most = 100_000;
  const limits = { maxWaiting: most, maxWaitingPerLane: most, maxBytes: most, maxBytesPerLane: most };
  const ofOne = new FairQueue<number>(limits);
  for (let number = 0; number < most; number += 1) assert(ofOne.add('lane', `${number}`, number, 1));
  const ofTwo = new FairQueue<number>(limits);
  for (let number = 0; number < most; number += 1) assert(ofTwo.add('lane', `${number % (most / 2)}`, number, 1));
  const startedAt = process.cpuUsage().user;
  for (let number = 0; number < 100; number += 1) {
    assert(!ofOne.add('lane', `new ${number}`, number, 1));
    assert(!ofTwo.add('lane', `${number}`, number, 1));
  }
  assert.ok(process.cpuUsage().user - startedAt < 2_000_000, 'less than ten milliseconds for each');
});
