import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { Store } from '../store/store.ts';
import { createClaimedWork, type WorkKind } from './claimed-work.ts';

interface Work {
  readonly id: string;
  readonly state: string;
  readonly claimedBy: string | undefined;
  readonly claims: number;
}

type CommitFault = 'done, and no answer' | 'undone, and no answer';

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A piece of work over a store whose commits may stay without an answer. */
function open() {
  const clock = new ManualClock();
  const { log } = recordedLog();
  const cluster = { node: 'one', isAlive: async () => true };
  let record: Work | undefined = { id: 'W', state: 'PENDING', claimedBy: undefined, claims: 0 };
  let performed = 0;
  const told: number[] = [];
  /** Called before each claim, and after each end that is told of. */
  const on = { claim: () => {}, ended: () => {} };
  /** What goes wrong with the commits to come. */
  const faults: (CommitFault | undefined)[] = [];
  /** What goes wrong with the looks at the record to come. */
  const looks: (Error | undefined)[] = [];
  const store = {
    async transaction<T>(work: (store: Store) => Promise<T>): Promise<T> {
      const before = record;
      const result = await work(store as unknown as Store);
      const fault = faults.shift();
      if (fault === undefined) return result;
      if (fault === 'undone, and no answer') record = before;
      throw new Error('the commit was not answered');
    },
  };
  const kind: WorkKind<Work, Work, number, number> = {
    name: 'work',
    failure: 'it will be tried again',
    maxAtOnce: 1,
    listUnfinished: async () => (record === undefined ? [] : [record]),
    async find() {
      const fault = looks.shift();
      if (fault !== undefined) throw fault;
      return record;
    },
    prepare: async () => on.claim(),
    async claim(_, work, owner) {
      record = { ...work, state: 'IN_PROGRESS', claimedBy: owner };
      return true;
    },
    begin: async () => record,
    abandoned: (claims) => -claims,
    async perform() {
      performed += 1;
      return performed;
    },
    async end(_, work, result, owner) {
      if (record?.claimedBy !== owner) return undefined;
      record = { ...work, state: 'COMPLETED' };
      return result;
    },
    ended(_, result) {
      told.push(result);
      on.ended();
    },
  };
  const work = createClaimedWork({ kind, store: store as unknown as Store, cluster, clock, log });
  return {
    ...{ cluster, faults, looks, told, on },
    performed: () => performed,
    remove() {
      record = undefined;
    },
    /** The record is as new, or another node has claimed it. */
    renew(claimedBy?: string, claims = 0) {
      record = { id: 'W', state: claimedBy === undefined ? 'PENDING' : 'IN_PROGRESS', claimedBy, claims };
    },
    start: () => work.start({ id: 'W', state: 'PENDING', claimedBy: undefined, claims: 0 }),
    async goOn() {
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
      clock.advance(200);
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    },
  };
}

test('an end whose commit was made without an answer is told of once, and the work is not done again', async () => {
  const { faults, told, performed, start, goOn } = open();
  faults.push(undefined, 'done, and no answer');
  start();
  await goOn();
  assert.deepEqual([told, performed()], [[1], 1]);
  start();
  await goOn();
  assert.deepEqual([told, performed()], [[1], 1]);
});

test('an end whose commit was not made is told of when the work has been done again', async () => {
  const { faults, told, performed, start, goOn } = open();
  faults.push(undefined, 'undone, and no answer');
  start();
  await goOn();
  assert.deepEqual([told, performed()], [[2], 2]);
});

test('an end whose commit was made without an answer is told of when the store is away again at the next look', async () => {
  const { faults, told, performed, looks, start, goOn } = open();
  faults.push(undefined, 'done, and no answer');
  start();
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  // The first look finds that the work has ended, and the second one fails.
  looks.push(undefined, new Error('the store is away'));
  await goOn();
  assert.deepEqual([told, performed()], [[], 1]);
  await goOn();
  await goOn();
  assert.deepEqual([told, performed()], [[1], 1]);
});

test('an end that may be another node’s, or that is gone, is not told of', async () => {
  for (const what of ['another incarnation', 'removed'] as const) {
    const { cluster, faults, told, start, goOn, remove } = open();
    faults.push(undefined, 'done, and no answer');
    start();
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    if (what === 'removed') remove();
    else cluster.node = 'two';
    await goOn();
    assert.deepEqual(told, [], what);
  }
});

test('work that another node claims at the same moment is left to that node', async () => {
  const { on, renew, performed, start, goOn } = open();
  on.claim = () => renew('two');
  start();
  await goOn();
  assert.equal(performed(), 0);
});

test('a claim and its end are of the incarnation in which the attempt has begun', async () => {
  const { cluster, on, told, performed, start, goOn } = open();
  on.claim = () => {
    cluster.node = 'two';
  };
  start();
  await goOn();
  assert.deepEqual([told, performed()], [[1], 1]);
});

test('work that is started anew before an attempt has quite ended is done again', async () => {
  const { on, renew, told, start, goOn } = open();
  on.ended = () => {
    on.ended = () => {};
    renew();
    start();
  };
  start();
  await goOn();
  assert.deepEqual(told, [1, 2]);
});

test('work that five owners have begun and none has ended is given up, because it may be what ended them', async () => {
  for (const [claims, outcome] of [
    [4, 1],
    [5, -5],
  ] as const) {
    const { cluster, renew, start, goOn, performed, told } = open();
    cluster.isAlive = async () => false;
    renew('another, which is dead', claims);
    start();
    await goOn();
    assert.deepEqual([told, performed()], [[outcome], outcome === 1 ? 1 : 0]);
  }
});

test('work is not given up while its owner tries it again', async () => {
  const { renew, start, goOn, told } = open();
  renew('one', 5);
  start();
  await goOn();
  assert.deepEqual(told, [1]);
});

test('work that was begun beside other work which ends the process, each time, is not given up with it', async () => {
  const records = new Map(['bad', 'good'].map((id) => [id, { id, state: 'PENDING', claims: 0 } as Work]));
  const ended: [id: string, result: string][] = [];
  for (let life = 1; life <= 8; life += 1) {
    let isOver = false;
    const kind: WorkKind<Work, Work, string, string> = {
      ...{ name: 'work', failure: 'it will be tried again', maxAtOnce: 2 },
      listUnfinished: async () => [...records.values()].filter(({ state }) => state !== 'ENDED'),
      find: async (_, { id }) => records.get(id),
      async claim(_, work, owner) {
        records.set(work.id, { ...work, state: 'IN_PROGRESS', claimedBy: owner, claims: work.claims + 1 });
        return true;
      },
      begin: async (_, { id }) => records.get(id),
      abandoned: () => 'given up',
      async perform({ id }) {
        if (id === 'bad') isOver = true;
        await nextTurn();
        return isOver ? await new Promise<never>(() => {}) : 'done';
      },
      async end(_, work, result) {
        records.set(work.id, { ...work, state: 'ENDED' });
        ended.push([work.id, result]);
        return result;
      },
    };
    const store = {
      transaction: async <T>(work: (store: Store) => Promise<T>) => await work(store as unknown as Store),
    };
    const parts = { store: store as unknown as Store, clock: new ManualClock(), log: recordedLog().log };
    const work = createClaimedWork({ ...parts, kind, cluster: { node: `life ${life}`, isAlive: async () => false } });
    await work.resume();
    for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  }
  assert.deepEqual(ended, [
    ['bad', 'given up'],
    ['good', 'done'],
  ]);
});
