import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query } from './database.ts';
import { createMemory, type Memory } from './remembered.ts';

interface Sample {
  readonly id: string;
  readonly ownerId: string;
}

/** A database that lets the test decide when a commit takes effect and resolves. */
class FakeDatabase {
  version: number | undefined = 1;
  /** A transaction waits for this after its work, as it would for its COMMIT. */
  commit: () => Promise<void> = async () => {};

  foreignVersion(): number | undefined {
    return this.version;
  }

  async announce(): Promise<void> {}

  async transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const result = await work(undefined as unknown as Query);
    await this.commit();
    return result;
  }
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function openMemory({ maxRecords = 10 } = {}) {
  const database = new FakeDatabase();
  const memory = createMemory(database, maxRecords);
  const reads: string[] = [];
  /** Looks up a sample that belongs to the owner "o"; each read finds another object. */
  const lookUp = (id: string, read?: () => Promise<Sample | undefined>) =>
    memory.find<Sample>(
      id,
      async () => {
        reads.push(id);
        return read === undefined ? { id, ownerId: 'o' } : await read();
      },
      (found) => [found.id, found.ownerId],
    );
  /** Those of the given ids that are looked up without a read. */
  async function remembered(...ids: string[]): Promise<string[]> {
    const known: string[] = [];
    for (const id of ids) {
      const readsBefore = reads.length;
      await lookUp(id, async () => undefined);
      if (reads.length === readsBefore) known.push(id);
    }
    return known;
  }
  return { database, memory, lookUp, remembered };
}

const change = (memory: Memory, ...ids: string[]) =>
  memory.transaction(async (_query, changed) => {
    for (const id of ids) changed(id);
  });

test('a record is read once, and the same one is answered until it is forgotten', async () => {
  const { memory, lookUp } = openMemory();
  const found = await lookUp('a');
  assert.equal(await lookUp('a'), found);
  await change(memory, 'a');
  const again = await lookUp('a');
  assert.notEqual(again, found);
  assert.equal(await lookUp('a'), again);
});

test('a commit forgets the records that have one of its ids, and no others', async () => {
  const { memory, lookUp, remembered } = openMemory();
  await lookUp('a');
  await lookUp('b');
  await lookUp('c', async () => ({ id: 'c', ownerId: 'another' }));
  await change(memory);
  await change(memory, 'unknown');
  assert.deepEqual(await remembered('a', 'b', 'c'), ['a', 'b', 'c']);
  await change(memory, 'a');
  assert.deepEqual(await remembered('a', 'b', 'c'), ['b', 'c']);
  await lookUp('a');
  await change(memory, 'o', 'unknown');
  assert.deepEqual(await remembered('a', 'b', 'c'), ['c']);
});

test('an absent record is not remembered', async () => {
  const { lookUp, remembered } = openMemory();
  assert.equal(await lookUp('a', async () => undefined), undefined);
  assert.deepEqual(await remembered('a'), []);
  assert.notEqual(await lookUp('a'), undefined);
});

test('a read that fails rejects and leaves nothing behind', async () => {
  const { lookUp, remembered } = openMemory();
  const failure = new Error('on purpose');
  await assert.rejects(async () => await lookUp('a', () => Promise.reject(failure)), failure);
  assert.deepEqual(await remembered('a'), []);
});

test('a remembered record is answered without a promise, and any other with one', async () => {
  const { database, memory, lookUp } = openMemory();
  const first = lookUp('a');
  assert(first instanceof Promise);
  const found = await first;
  assert.equal(lookUp('a'), found);
  await change(memory, 'a');
  assert(lookUp('a') instanceof Promise);
  await lookUp('a');
  database.version = 2;
  assert(lookUp('a') instanceof Promise);
});

test('where it fails to see the commits of others, a look-up rejects rather than throw, and answers nothing', async () => {
  const { database, lookUp } = openMemory();
  await lookUp('a');
  const failure = new Error('on purpose');
  database.foreignVersion = () => {
    throw failure;
  };
  const looked = lookUp('a');
  assert(looked instanceof Promise);
  await assert.rejects(looked, failure);
});

test('what is to be forgotten, be it remembered or being read, answers nobody who asks later', async () => {
  const { memory, lookUp, remembered } = openMemory();
  await lookUp('a');
  await lookUp('b', async () => ({ id: 'b', ownerId: 'p' }));
  const { promise: read, resolve: endRead } = deferred<Sample>();
  const looked = lookUp('c', () => read);
  memory.forget('o');
  endRead({ id: 'c', ownerId: 'o' });
  await looked;
  assert.deepEqual(await remembered('a', 'b', 'c'), ['b']);
  await lookUp('a');
  assert.deepEqual(await remembered('a'), ['a']);
});

test('a read that begins before a commit and ends after it is answered, but not remembered', async () => {
  const { memory, lookUp, remembered } = openMemory();
  const { promise: read, resolve: endRead } = deferred<Sample>();
  const stale = { id: 'a', ownerId: 'o' };
  const looked = lookUp('a', () => read);
  await change(memory, 'a');
  endRead(stale);
  assert.equal(await looked, stale);
  assert.deepEqual(await remembered('a'), []);
});

test('what is read while nothing remembered is changed is remembered, whatever else is committed', async () => {
  const { memory, lookUp, remembered } = openMemory();
  const { promise: read, resolve: endRead } = deferred<Sample>();
  const looked = lookUp('a', () => read);
  await change(memory);
  endRead({ id: 'a', ownerId: 'o' });
  await looked;
  assert.deepEqual(await remembered('a'), ['a']);
});

test('between the start and the end of a COMMIT, what it changes is neither answered from memory nor remembered', async () => {
  const { database, memory, lookUp, remembered } = openMemory();
  await lookUp('a');
  await lookUp('b', async () => ({ id: 'b', ownerId: 'another' }));
  const { promise: commit, resolve: endCommit } = deferred<void>();
  const { promise: begun, resolve: beginCommit } = deferred<void>();
  database.commit = () => {
    beginCommit();
    return commit;
  };
  const changing = change(memory, 'a');
  await begun;
  // This read may come before the commit takes effect, or after it.
  await lookUp('a');
  assert.deepEqual(await remembered('a', 'b'), ['b']);
  const { promise: read, resolve: endRead } = deferred<Sample>();
  const looked = lookUp('a', () => read);
  endCommit();
  await changing;
  endRead({ id: 'a', ownerId: 'o' });
  await looked;
  assert.deepEqual(await remembered('a'), []);
  await lookUp('a');
  assert.deepEqual(await remembered('a'), ['a']);
});

test('a transaction that is undone, or still under way, has changed nothing', async () => {
  const { memory, lookUp, remembered } = openMemory();
  await lookUp('a');
  const undone = memory.transaction(async (_query, changed) => {
    changed('a');
    assert.deepEqual(await remembered('a'), ['a']);
    throw new Error('on purpose');
  });
  await assert.rejects(undone, /on purpose/);
  assert.deepEqual(await remembered('a'), ['a']);
});

test('after a COMMIT that failed, records are read anew and remembered again', async () => {
  const { database, memory, lookUp, remembered } = openMemory();
  await lookUp('a');
  database.commit = () => Promise.reject(new Error('disk is full'));
  await assert.rejects(change(memory, 'a'), /disk is full/);
  assert.deepEqual(await remembered('a'), []);
  await lookUp('a');
  assert.deepEqual(await remembered('a'), ['a']);
});

test('a commit of another process makes the memory forget everything, and what was being read meanwhile', async () => {
  const { database, lookUp, remembered } = openMemory();
  await lookUp('a');
  const { promise: read, resolve: endRead } = deferred<Sample>();
  const looked = lookUp('b', () => read);
  database.version = 2;
  assert.deepEqual(await remembered('a'), []);
  endRead({ id: 'b', ownerId: 'o' });
  await looked;
  assert.deepEqual(await remembered('b'), []);
});

test('nothing is remembered where the commits of others cannot be seen', async () => {
  const { database, lookUp, remembered } = openMemory();
  database.version = undefined;
  await lookUp('a');
  assert.deepEqual(await remembered('a'), []);
});

test('no more records are remembered than the limit', async () => {
  const { lookUp, remembered } = openMemory({ maxRecords: 2 });
  await lookUp('a');
  await lookUp('b');
  assert.deepEqual(await remembered('a', 'b'), ['a', 'b']);
  await lookUp('c');
  assert.deepEqual(await remembered('a', 'b', 'c'), ['c']);
});

test('however many ask at once, one read is under way, and none of them is answered by one that began before', async () => {
  const { database, lookUp } = openMemory();
  // As while changes of other processes are not heard of.
  database.version = undefined;
  const pending: ((found: Sample) => void)[] = [];
  const ask = () => lookUp('a', () => new Promise<Sample>((resolve) => pending.push(resolve)));
  const answers = [1, 2, 3, 4].map(ask);
  assert.equal(pending.length, 1);
  const [old, current] = [
    { id: 'a', ownerId: 'old' },
    { id: 'a', ownerId: 'current' },
  ];
  pending[0]?.(old);
  assert.equal(await answers[0], old);
  for (let turn = 0; pending.length < 2 && turn < 10; turn += 1) await Promise.resolve();
  assert.equal(pending.length, 2);
  const late = ask();
  pending[1]?.(current);
  assert.deepEqual(await Promise.all(answers.slice(1)), [current, current, current]);
  for (let turn = 0; pending.length < 3 && turn < 10; turn += 1) await Promise.resolve();
  pending[2]?.(current);
  await late;
  assert.equal(pending.length, 3);
});

test('a read that fails keeps nobody who asks later from another', async () => {
  const { database, lookUp } = openMemory();
  database.version = undefined;
  const failing = lookUp('a', () => Promise.reject(new Error('the connection is lost')));
  const next = lookUp('a');
  await assert.rejects(async () => await failing, /the connection is lost/);
  assert.equal((await next)?.id, 'a');
  assert.equal((await lookUp('a'))?.id, 'a');
});
