import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchedLookUp } from './batched-look-up.ts';

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Look-ups over reads that are answered by hand. */
function open() {
  const reads: { names: readonly string[]; answer: (names: readonly string[]) => void; fail: () => void }[] = [];
  const find = batchedLookUp(
    (names) =>
      new Promise<readonly { name: string }[]>((resolve, reject) => {
        const answer = (found: readonly string[]) => resolve(found.map((name) => ({ name })));
        reads.push({ names, answer, fail: () => reject(new Error('the connection is lost')) });
      }),
    ({ name }) => name,
  );
  return { reads, find: async (name: string) => (await find(name))?.name };
}

test('however many names are asked for, one read is under way, and the next has all that was asked meanwhile', async () => {
  const { reads, find } = open();
  const first = find('a');
  await nextTurn();
  const others = ['b', 'none', 'b', 'a'].map(find);
  await nextTurn();
  assert.deepEqual(
    reads.map(({ names }) => names),
    [['a']],
  );
  reads[0]?.answer(['a']);
  assert.equal(await first, 'a');
  await nextTurn();
  assert.deepEqual(reads[1]?.names, ['b', 'none', 'a']);
  reads[1]?.answer(['a', 'b']);
  assert.deepEqual(await Promise.all(others), ['b', undefined, 'b', 'a']);
});

test('a read asks for so many names, and the rest is read after it', async () => {
  const { reads, find } = open();
  const all = Array.from({ length: 1_001 }, (_, at) => find(`${at}`));
  for (let read = 0; read < 3; read += 1) {
    await nextTurn();
    assert.equal(reads.length, read + 1);
    reads[read]?.answer(reads[read]?.names ?? []);
  }
  assert.deepEqual(
    reads.map(({ names }) => names.length),
    [500, 500, 1],
  );
  assert.equal((await Promise.all(all)).at(-1), '1000');
});

test('a read that fails fails for those who have asked it, and the next is made', async () => {
  const { reads, find } = open();
  const failing = find('a');
  await nextTurn();
  const next = find('a');
  reads[0]?.fail();
  await assert.rejects(failing, /the connection is lost/);
  await nextTurn();
  reads[1]?.answer(['a']);
  assert.equal(await next, 'a');
});

test('what would have to wait for too many reads is refused at once, and only until some of them have been made', async () => {
  const { reads, find } = open();
  const first = find('first');
  await nextTurn();
  const waiting = Array.from({ length: 2_000 }, (_, at) => find(`${at}`));
  for (let stranger = 0; stranger < 10_000; stranger += 1) {
    await assert.rejects(find(`stranger ${stranger}`), { code: 'internal', retryAfterMs: 1_000 });
  }
  const failing = assert.rejects(first, /the connection is lost/);
  reads[0]?.fail();
  await failing;
  await nextTurn();
  const last = find('last');
  for (let read = 1; read <= 5; read += 1) {
    reads[read]?.answer(reads[read]?.names ?? []);
    await nextTurn();
  }
  assert.deepEqual([(await Promise.all(waiting)).at(-1), await last], ['1999', 'last']);
});

test('a name that has had a record waits for no names that are made up, and is refused because of none', async () => {
  const { reads, find } = open();
  const first = find('of an operator');
  await nextTurn();
  reads[0]?.answer(['of an operator']);
  assert.equal(await first, 'of an operator');

  const strangers = [find('the first stranger')];
  await nextTurn();
  strangers.push(...Array.from({ length: 2_000 }, (_, at) => find(`stranger ${at}`)));
  await assert.rejects(find('one stranger more'), { code: 'internal' });
  const again = find('of an operator');
  await nextTurn();
  assert.deepEqual(
    reads.slice(1).map(({ names }) => names.length),
    [1, 1],
  );
  reads[2]?.answer(['of an operator']);
  assert.equal(await again, 'of an operator');

  // A record that is gone is a name like any other.
  const gone = find('of an operator');
  await nextTurn();
  reads[3]?.answer([]);
  assert.equal(await gone, undefined);
  await assert.rejects(find('of an operator'), { code: 'internal' });

  for (let read = 1; read <= 7; read += 1) {
    reads[read]?.answer([]);
    await nextTurn();
  }
  await Promise.all(strangers);
});
