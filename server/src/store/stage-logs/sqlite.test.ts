import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import Libsql from 'libsql';
import AsyncLibsql from 'libsql/promise';
import { recordedLog } from '../../../test/support/domain.ts';
import { commitsInWal } from '../../../test/support/wal-commits.ts';
import { type Clock, systemClock } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import { temporaryDirectory } from '../test-store.ts';
import { openSqliteStageLogs } from './sqlite.ts';
import { testStageLogs } from './stage-logs.contract.ts';
import type { LogPage, NewLogLine, StageLogs } from './stage-logs.ts';

const LIMITS = { maxLinesPerStage: 5_000, maxBytesPerStage: 1_000_000 };

const temporaryFile = (t: TestContext) => join(temporaryDirectory(t), 'stage-logs.sqlite');

interface Options {
  readonly limits?: typeof LIMITS;
  readonly clock?: Pick<Clock, 'monotonic'>;
  readonly isShort?: () => boolean;
}

async function open(t: TestContext, file = temporaryFile(t), options: Options = {}) {
  const { log } = recordedLog();
  const logs = await openSqliteStageLogs({ file, limits: LIMITS, clock: systemClock, log, ...options });
  t.after(() => logs.close());
  return { file, logs };
}

const line = (text: string, level: NewLogLine['level'] = 'info'): NewLogLine => ({
  ...{ at: 1, level, text },
  ...{ playerId: undefined, handler: undefined, requestId: undefined },
});
const numbered = (count: number, first = 1) => Array.from({ length: count }, (_, index) => line(String(first + index)));
const textsOf = ({ lines }: LogPage) => lines.map(({ text }) => text);

/** Time as it passes on a slow machine: each look at it shows another millisecond, and may do something. */
function slowClock(onLook = () => {}): Pick<Clock, 'monotonic'> {
  let now = 0;
  return {
    monotonic() {
      onLook();
      now += 1;
      return now;
    },
  };
}

/** Counts the turns of the event loop in which some of the work is done, not those in which it waits for the disk. */
function countedTurns() {
  let looks = 0;
  const clock = slowClock(() => {
    looks += 1;
  });
  async function turnsOf(work: Promise<unknown>): Promise<number> {
    let isOver = false;
    const over = work.finally(() => {
      isOver = true;
    });
    let turns = 0;
    for (let seen = looks; !isOver; ) {
      await setImmediate();
      if (looks > seen) turns += 1;
      seen = looks;
    }
    await over;
    return turns;
  }
  return { clock, turnsOf };
}

describe('stage logs in SQLite', () => {
  const files = new WeakMap<StageLogs, string>();
  testStageLogs({
    async open(t, limits) {
      const { file, logs } = await open(t, temporaryFile(t), { limits });
      files.set(logs, file);
      return logs;
    },
    openBeside: async (t, first, limits) => (await open(t, files.get(first), { limits })).logs,
  });
});

test('every file of the stage logs is readable by its owner only, whatever the umask', async (t) => {
  const umask = process.umask(0);
  t.after(() => process.umask(umask));
  const { file, logs } = await open(t);
  await logs.append('dev', numbered(1));
  const modes = readdirSync(join(file, '..')).map((name) => {
    const { mode } = statSync(join(file, '..', name));
    return `${name} ${(mode & 0o777).toString(8)}`;
  });
  const names = ['stage-logs.sqlite', 'stage-logs.sqlite-shm', 'stage-logs.sqlite-wal'];
  assert.deepEqual(
    modes.sort(),
    names.map((name) => `${name} 600`),
  );
});

test('appends that come together share a commit, whatever their stages, and each stage is kept within its limits', async (t) => {
  const limits = { maxLinesPerStage: 20, maxBytesPerStage: 1_000 };
  const { file, logs } = await open(t, temporaryFile(t), { limits });
  for (const stageId of ['dev', 'live']) await logs.append(stageId, numbered(15));
  const before = commitsInWal(file);
  const appends = Array.from({ length: 10 }, (_, index) =>
    logs.append(index % 2 === 0 ? 'dev' : 'live', numbered(3, 16 + 3 * Math.floor(index / 2))),
  );
  await Promise.all(appends);
  assert.equal(commitsInWal(file) - before, 1);
  for (const stageId of ['dev', 'live']) {
    const page = await logs.read(stageId, { order: 'oldest_first', limit: 100 });
    assert.deepEqual(
      textsOf(page),
      numbered(20, 11).map(({ text }) => text),
    );
    assert.deepEqual([page.lines[0]?.position, page.cursor], [11, 30]);
  }
});

test('everything else has its turn while many lines are appended and dropped, or read, or looked through', async (t) => {
  const { clock, turnsOf } = countedTurns();
  const { logs } = await open(t, temporaryFile(t), { clock });
  assert.ok((await turnsOf(logs.append('dev', numbered(5_000)))) > 900);
  assert.ok((await turnsOf(logs.append('dev', numbered(1)))) < 100);
  assert.ok((await turnsOf(logs.append('dev', numbered(1_000)))) > 180);
  const long = Array.from({ length: 16 }, () => line('x'.repeat(60_000)));
  assert.ok((await turnsOf(logs.append('long', long))) > 10);
  assert.ok((await turnsOf(logs.read('dev', { order: 'newest_first', limit: 5_000 }))) > 15);
  assert.ok((await turnsOf(logs.read('dev', { order: 'oldest_first', limit: 10, minLevel: 'error' }))) >= 4);
});

test('lines that are dropped while a page is being read end it, and the next page tells how many were missed', async (t) => {
  const file = temporaryFile(t);
  const other = () => {
    const database = new Libsql(file);
    database.exec('BEGIN; DELETE FROM lines WHERE position <= 2500; UPDATE logs SET first = 2501; COMMIT');
    database.close();
  };
  let looks = 0;
  const clock = slowClock(() => {
    looks -= 1;
    if (looks === 0) other();
  });
  const { logs } = await open(t, file, { clock });
  await logs.append('dev', [line('first', 'error'), ...numbered(2_997), line('late', 'error'), line('last', 'error')]);
  // The first look at the clock begins a turn, and the second comes after the first step.
  looks = 2;
  const query = { order: 'oldest_first', limit: 10, minLevel: 'error' } as const;
  const page = await logs.read('dev', { ...query, after: 0 });
  assert.deepEqual([textsOf(page), page.isEnd, page.missed], [['first'], false, 0]);
  const next = await logs.read('dev', { ...query, after: page.cursor });
  assert.deepEqual([textsOf(next), next.isEnd, next.missed], [['late', 'last'], true, 2_500 - page.cursor]);
});

test('a page has all of its lines, however long they are', async (t) => {
  const { logs } = await open(t, temporaryFile(t), { limits: { ...LIMITS, maxBytesPerStage: 100_000_000 } });
  const lengths = Array.from({ length: 300 }, (_, index) => (index % 3 === 0 ? 100_000 : index));
  await logs.append(
    'dev',
    lengths.map((length) => line('x'.repeat(length))),
  );
  for (const order of ['oldest_first', 'newest_first'] as const) {
    const found = (await logs.read('dev', { order, limit: 1_000 })).lines.map(({ text }) => text.length);
    assert.deepEqual(found, order === 'oldest_first' ? lengths : lengths.toReversed());
  }
});

test('a removal ends however much is appended meanwhile, and leaves that', async (t) => {
  const { file, logs } = await open(t);
  await logs.append('dev', numbered(3_000));
  let isRemoved = false;
  const removal = logs.remove('dev').finally(() => {
    isRemoved = true;
  });
  let appends = 0;
  for (; !isRemoved; appends += 1) await logs.append('dev', numbered(300, 10_000));
  await removal;
  assert.ok(appends >= 10, `${appends} appends`);
  const { lines } = await logs.read('dev', { order: 'oldest_first', limit: 10_000 });
  assert.equal(lines[0]?.position, 3_001);
  assert.equal(lines.length, 300 * appends);
  await logs.remove('dev');
  const database = new Libsql(file);
  t.after(() => database.close());
  for (const table of ['logs', 'lines']) {
    assert.deepEqual(database.prepare(`SELECT count(*) AS rows FROM ${table}`).all(), [{ rows: 0 }]);
  }
});

test('queries find their rows by an index, and sort none', async (t) => {
  const mocks = [t.mock.method(Libsql.prototype, 'prepare'), t.mock.method(AsyncLibsql.prototype, 'prepare')];
  const { file } = await open(t);
  const texts = mocks
    .flatMap(({ mock }) => mock.calls.map(({ arguments: [text] }) => String(text)))
    .filter((text) => /(?:FROM|UPDATE) (?:logs|lines)/.test(text));
  assert.ok(texts.length >= 7, `${texts.length} queries`);
  const database = new Libsql(file);
  t.after(() => database.close());
  for (const text of texts) {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${text.replaceAll('?', '1')}`).all() as { detail: string }[];
    for (const { detail } of plan) assert.doesNotMatch(detail, /^SCAN|TEMP B-TREE/, `${text}: ${detail}`);
  }
});

test('while the disk is short of room nothing is appended, but all is read and removed', async (t) => {
  let isShort = false;
  const { logs } = await open(t, temporaryFile(t), { isShort: () => isShort });
  await logs.append('dev', [line('a')]);
  isShort = true;
  const refused = logs.append('dev', [line('b')]);
  await assert.rejects(refused, (error) => error instanceof ServiceError && error.code === 'internal');
  assert.deepEqual(textsOf(await logs.read('dev', { order: 'oldest_first', limit: 5 })), ['a']);
  await logs.remove('dev');
  assert.deepEqual(textsOf(await logs.read('dev', { order: 'oldest_first', limit: 5 })), []);
});
