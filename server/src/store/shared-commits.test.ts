import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import Libsql from 'libsql';
import AsyncLibsql from 'libsql/promise';
import { recordedLog } from '../../test/support/domain.ts';
import { commitsInWal } from '../../test/support/wal-commits.ts';
import { type Clock, systemClock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { openSharedCommits } from './shared-commits.ts';
import { temporaryDirectory } from './test-store.ts';

const temporaryFile = (t: TestContext) => join(temporaryDirectory(t), 'numbers.sqlite');

const isRetryable = (error: unknown) =>
  error instanceof ServiceError && error.code === 'internal' && error.retryAfterMs !== undefined;

interface Options {
  readonly clock?: Pick<Clock, 'monotonic'>;
  readonly maxBusyWaitMs?: number;
}

/** A file of numbers and texts, of which each transaction counts how many it has added. */
async function openNumbers(t: TestContext, file = temporaryFile(t), { clock = systemClock, ...options }: Options = {}) {
  const { log, lines } = recordedLog();
  const { commits, reader } = await openSharedCommits({
    ...{ file, subject: 'numbers', synchronous: 'FULL', clock, log, ...options },
    migrations: [
      `CREATE TABLE numbers (number INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
       CREATE TABLE transactions (numbers INTEGER NOT NULL) STRICT`,
    ],
    async prepare(prepare) {
      const insert = await prepare('INSERT INTO numbers VALUES (?, ?)');
      const count = await prepare('INSERT INTO transactions VALUES (?)');
      return () => {
        let added = 0;
        return {
          *add(number: number, text = ''): Generator<void, number> {
            insert.run(number, text);
            added += 1;
            yield;
            return number;
          },
          *end(): Generator<void, void> {
            if (added > 0) count.run(added);
            yield;
          },
        };
      };
    },
  });
  t.after(() => commits.close());
  const select = reader.prepare('SELECT number FROM numbers ORDER BY number').pluck();
  const transactions = reader.prepare('SELECT numbers FROM transactions').pluck();
  return {
    ...{ file, commits, lines },
    add: (number: number, text?: string) => commits.write(0, (shared) => shared.add(number, text)),
    numbers: () => commits.read(() => select.all()),
    /** How many numbers each transaction has added. */
    transactions: () => commits.read(() => transactions.all()),
  };
}

/** Holds commits up until `release`; `asked` resolves when one waits. */
function holdCommits(t: TestContext) {
  const exec = AsyncLibsql.prototype.exec;
  let release = () => {};
  let isAsked = () => {};
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve;
  });
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  t.mock.method(AsyncLibsql.prototype, 'exec', async function (this: AsyncLibsql, sql: string) {
    if (sql === 'COMMIT') {
      isAsked();
      await held;
    }
    await exec.call(this, sql);
  });
  return { asked, release };
}

/** Time as it passes on a slow machine: each look at it shows another millisecond. */
function slowClock(): Pick<Clock, 'monotonic'> {
  let now = 0;
  return {
    monotonic() {
      now += 1;
      return now;
    },
  };
}

test('what comes in one turn, or while a commit is under way, shares a commit, which reads do not wait for', async (t) => {
  const { file, add, numbers, transactions } = await openNumbers(t);
  await add(0);
  const before = commitsInWal(file);
  const { asked, release } = holdCommits(t);
  const first = [1, 2, 3].map((number) => add(number));
  await asked;
  const second = [add(4)];
  await setImmediate();
  second.push(add(5));
  assert.deepEqual(numbers(), [0]);
  release();
  assert.deepEqual(await Promise.all([...first, ...second]), [1, 2, 3, 4, 5]);
  assert.deepEqual(numbers(), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(transactions(), [1, 3, 2]);
  assert.equal(commitsInWal(file) - before, 2);
});

test('what is asked for at several times of one turn shares a commit', async (t) => {
  const { add, transactions } = await openNumbers(t);
  const inTurn = async (number: number) => {
    await setImmediate();
    await add(number);
  };
  await Promise.all([inTurn(1), inTurn(2), inTurn(3)]);
  assert.deepEqual(transactions(), [3]);
});

test('those whose commit has ended write together again', async (t) => {
  const { add, transactions } = await openNumbers(t);
  const writers = Array.from({ length: 20 }, async (_, writer) => {
    for (let round = 0; round < 5; round += 1) await add(round * 20 + writer);
  });
  await Promise.all(writers);
  assert.deepEqual(transactions(), [20, 20, 20, 20, 20]);
});

test('a refusal ends one write alone, and any other error undoes all that share the transaction, but not the next', async (t) => {
  const { commits, add, numbers } = await openNumbers(t);
  const refusal = new ServiceError('conflict', 'refused');
  const refuse = () => {
    throw refusal;
  };
  const results = await Promise.allSettled([add(1), commits.write(0, refuse), add(2)]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  const bug = new TypeError('a bug');
  const fail = () => {
    throw bug;
  };
  for (const result of await Promise.allSettled([add(3), commits.write(0, fail)])) {
    assert.deepEqual(result, { status: 'rejected', reason: bug });
  }
  await add(4);
  assert.deepEqual(numbers(), [1, 2, 4]);
});

test('what SQLite refuses may be tried again, and is logged once until a write succeeds', async (t) => {
  const { add, numbers, lines } = await openNumbers(t);
  await add(1);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    for (const { reason } of (await Promise.allSettled([add(2), add(1)])) as PromiseRejectedResult[]) {
      assert.ok(isRetryable(reason), String(reason));
      assert.match(reason.message, /^cannot write the numbers, because .*UNIQUE/);
    }
  }
  const messages = () => lines.map(({ level, msg }) => [level, msg]);
  assert.deepEqual(messages(), [[40, 'cannot write the numbers']]);
  await add(3);
  assert.deepEqual(numbers(), [1, 3]);
  await assert.rejects(add(3), isRetryable);
  assert.equal(messages().length, 2);
});

test('everything else has its turn within a long write, and between two of them, refused ones too', async (t) => {
  const { commits, add } = await openNumbers(t, temporaryFile(t), { clock: slowClock() });
  let turns = 0;
  let isOver = false;
  const counting = (async () => {
    while (!isOver) {
      turns += 1;
      await setImmediate();
    }
  })();
  await commits.write(0, function* (shared) {
    for (let number = 0; number < 50; number += 1) yield* shared.add(number);
  });
  assert.ok(turns >= 50, `${turns} turns`);
  turns = 0;
  await Promise.all(Array.from({ length: 50 }, (_, index) => add(100 + index)));
  assert.ok(turns >= 50, `${turns} turns`);
  turns = 0;
  const refuse = () => {
    throw new ServiceError('conflict', 'refused');
  };
  await Promise.allSettled(Array.from({ length: 50 }, () => commits.write(0, refuse)));
  assert.ok(turns >= 50, `${turns} turns`);
  isOver = true;
  await counting;
});

test('a transaction takes no more writes when it has lasted long', async (t) => {
  const { add, transactions } = await openNumbers(t, temporaryFile(t), { clock: slowClock() });
  await Promise.all(Array.from({ length: 50 }, (_, number) => add(number)));
  const counts = transactions() as number[];
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    50,
  );
  assert.ok(counts.length >= 5 && Math.max(...counts) <= 10, counts.join(', '));
});

test('writes wait for another process, while reads go on, and those that have waited too long may be tried again', async (t) => {
  const { file, add, numbers } = await openNumbers(t, temporaryFile(t), { maxBusyWaitMs: 20 });
  await add(1);
  const other = new Libsql(file);
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const waiting = add(2);
  await setImmediate();
  assert.deepEqual(numbers(), [1]);
  other.exec('COMMIT');
  await waiting;
  other.exec('BEGIN IMMEDIATE');
  for (const { reason } of (await Promise.allSettled([add(3), add(4)])) as PromiseRejectedResult[]) {
    assert.ok(isRetryable(reason), String(reason));
    assert.match(reason.message, /^another process keeps the numbers busy/);
  }
  other.exec('COMMIT');
  await add(5);
  assert.deepEqual(numbers(), [1, 2, 5]);
});

test('closing a file whose last write has found it locked leaves it whole, and keeps nobody from writing', async (t) => {
  const first = await openNumbers(t);
  await first.add(1);
  const other = new Libsql(first.file);
  t.after(() => other.close());
  await first.commits.close();
  // So a process leaves the mark that was killed while it completed it.
  const [{ mark }] = other.prepare('SELECT application_id AS mark FROM pragma_application_id').all() as [
    { mark: number },
  ];
  other.exec(`PRAGMA application_id = ${mark + (mark % 2)}`);
  const { commits, add } = await openNumbers(t, first.file, { maxBusyWaitMs: 10 });
  other.exec('BEGIN IMMEDIATE');
  await assert.rejects(add(2), isRetryable);
  other.exec("INSERT INTO numbers VALUES (3, ''); COMMIT");
  await commits.close();
  other.exec("INSERT INTO numbers VALUES (4, '')");
});

test('what waits is bounded by its number and by its bytes', async (t) => {
  const { commits, add, numbers } = await openNumbers(t);
  const writes = Array.from({ length: 10_000 }, (_, number) => add(number));
  await assert.rejects(add(10_000), isRetryable);
  await Promise.all(writes);
  assert.equal(numbers().length, 10_000);
  const large = (bytes: number, number: number) => commits.write(bytes, (shared) => shared.add(number));
  const alone = large(100_000_000, 20_000);
  await assert.rejects(large(1, 20_001), isRetryable);
  await alone;
  await Promise.all([large(60_000_000, 20_002), large(1_000, 20_003)]);
  await large(60_000_000, 20_004);
});

test('closing waits for the commit that is under way, and what follows is refused', async (t) => {
  const { file, commits, add } = await openNumbers(t);
  const { asked, release } = holdCommits(t);
  const write = add(1);
  await asked;
  let isClosed = false;
  const closing = commits.close().then(() => {
    isClosed = true;
  });
  await assert.rejects(add(2), { code: 'internal', message: /closed/ });
  for (let turn = 0; turn < 10; turn += 1) await setImmediate();
  assert.equal(isClosed, false);
  release();
  await Promise.all([write, closing, commits.close()]);
  assert.deepEqual((await openNumbers(t, file)).numbers(), [1]);
});

test('a copy of the file alone is refused while it lacks commits, however often they were moved into it', async (t) => {
  const { file, commits, add } = await openNumbers(t);
  const copy = () => {
    const to = temporaryFile(t);
    copyFileSync(file, to);
    return to;
  };
  for (let number = 0; number < 100; number += 1) {
    await add(number, 'x'.repeat(200_000));
    if (number % 5 !== 0) continue;
    await assert.rejects(openNumbers(t, copy()), {
      name: 'StartupError',
      message: /^cannot use the numbers \S+: its newest changes are in numbers\.sqlite-wal, which is missing/,
    });
  }
  await commits.close();
  assert.equal((await openNumbers(t, copy())).numbers().length, 100);
});

test('a file that is no database, or of a newer program, is refused and left alone', async (t) => {
  const file = temporaryFile(t);
  writeFileSync(file, 'this is no database '.repeat(100));
  const before = readFileSync(file);
  await assert.rejects(openNumbers(t, file), {
    name: 'StartupError',
    message: `cannot use the numbers ${file}: file is not a database (SQLITE_NOTADB): put the right file there`,
  });
  assert.deepEqual(readFileSync(file), before);

  const { file: newer, commits } = await openNumbers(t);
  await commits.close();
  const other = new Libsql(newer);
  other.exec('PRAGMA user_version = 2');
  other.close();
  await assert.rejects(openNumbers(t, newer), {
    name: 'StartupError',
    message: /it has version 2, but this program only knows versions up to 1: use a newer respark$/,
  });
});

test('several may open a missing file at once', async (t) => {
  const file = temporaryFile(t);
  const [a, b] = await Promise.all([openNumbers(t, file), openNumbers(t, file), openNumbers(t, file)]);
  await Promise.all([a.add(1), b.add(2)]);
  assert.deepEqual(a.numbers(), [1, 2]);
});
