import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ServiceError } from '../../errors.ts';
import type { Register } from '../suite.ts';
import type { LogLine, LogPage, LogQuery, NewLogLine, StageLogs, StageLogsLimits } from './stage-logs.ts';

export interface StageLogsStores {
  /** Opens logs without a line, which the test's end closes. */
  open(t: TestContext, limits: StageLogsLimits): Promise<StageLogs>;
  /** Opens the same logs as another process would. */
  openBeside(t: TestContext, first: StageLogs, limits: StageLogsLimits): Promise<StageLogs>;
}

const LIMITS: StageLogsLimits = { maxLinesPerStage: 5_000, maxBytesPerStage: 1_000_000 };

const OLDEST_FIRST: LogQuery = { order: 'oldest_first', limit: 10_000 };
const NEWEST_FIRST: LogQuery = { order: 'newest_first', limit: 10_000 };

function line(text: string, change: Partial<NewLogLine> = {}): NewLogLine {
  const facts = { playerId: undefined, handler: undefined, requestId: undefined };
  return { at: 1_700_000_000_001, level: 'info', text, ...facts, ...change };
}

const lines = (...texts: string[]) => texts.map((text) => line(text));
const numbered = (count: number) => Array.from({ length: count }, (_, index) => line(String(index + 1)));

const textsOf = (page: LogPage) => page.lines.map(({ text }) => text);
const positionsOf = (page: LogPage) => page.lines.map(({ position }) => position);

const isOverQuota = (error: unknown) => error instanceof ServiceError && error.code === 'quota_exceeded';

/** All lines of a query, fewer than 1,000, read in pages of `limit` up to the end. */
async function readInPages(logs: StageLogs, query: LogQuery): Promise<LogLine[]> {
  const found: LogLine[] = [];
  let page = await logs.read('dev', query);
  for (;;) {
    found.push(...page.lines);
    if (page.isEnd) return found;
    assert.equal(page.lines.length, query.limit, 'only the last page may be short');
    assert.ok(found.length < 1_000, 'the pages have an end');
    page = await logs.read('dev', { ...query, after: page.cursor });
  }
}

/** Holds one implementation to every promise of `StageLogs`. */
export function testStageLogs(stores: StageLogsStores, register: Register = test): void {
  testLines(stores, register);
  testPages(stores, register);
  testFilters(stores, register);
  testFollowing(stores, register);
  testLimits(stores, register);
  testAppendsAtOnce(stores, register);
  testRemoval(stores, register);
  testProcesses(stores, register);
}

function testLines({ open }: StageLogsStores, register: Register): void {
  register('a stage without lines gives an empty page, from which it can be followed', async (t) => {
    const logs = await open(t, LIMITS);
    const empty = { lines: [], cursor: 0, isEnd: true, missed: 0 };
    assert.deepEqual(await logs.read('dev', OLDEST_FIRST), empty);
    await logs.append('dev', []);
    assert.deepEqual(await logs.read('dev', OLDEST_FIRST), empty);
    const { lines: none, isEnd } = await logs.read('dev', NEWEST_FIRST);
    assert.deepEqual([none, isEnd], [[], true]);
    await logs.append('dev', lines('a'));
    assert.deepEqual(textsOf(await logs.read('dev', { ...OLDEST_FIRST, after: empty.cursor })), ['a']);
  });

  register('lines come back as they were appended, in that order, whatever their times', async (t) => {
    const logs = await open(t, LIMITS);
    const appended = [
      line('first', { at: 30, level: 'error', playerId: 'anna', handler: 'Custom.Game.Go', requestId: 'r1' }),
      line('', { at: 10, level: 'debug', playerId: 'anna' }),
      line('"ünï"\n\t💥 %s \u007f', { at: 20, level: 'warn', handler: 'Custom.Game.Go' }),
      line('x'.repeat(100_000), { at: 10, requestId: 'r2' }),
    ];
    await logs.append('dev', appended.slice(0, 3));
    await logs.append('dev', appended.slice(3));
    const expected = appended.map((each, index) => ({ ...each, position: index + 1 }));
    assert.deepEqual((await logs.read('dev', OLDEST_FIRST)).lines, expected);
    assert.deepEqual((await logs.read('dev', NEWEST_FIRST)).lines, expected.reverse());
  });

  register('text that cannot be kept is replaced, and the rest of it kept', async (t) => {
    const logs = await open(t, LIMITS);
    const bad = 'a\0b\ud800c\udc00\ud83d\ude00';
    await logs.append('dev', [line(bad, { playerId: bad, handler: bad, requestId: bad })]);
    const good = 'a\ufffdb\ufffdc\ufffd\u{1f600}';
    const [found] = (await logs.read('dev', OLDEST_FIRST)).lines;
    assert.deepEqual(found, { ...line(good), playerId: good, handler: good, requestId: good, position: 1 });
  });

  register('a log belongs to one stage, with positions of its own', async (t) => {
    const logs = await open(t, LIMITS);
    for (const stageId of ['dev', 'dev2', 'Dev', 'd%', '']) {
      await logs.append(stageId, lines(`first of "${stageId}"`));
      await logs.append(stageId, lines('second'));
    }
    for (const stageId of ['dev', 'dev2', 'Dev', 'd%', '']) {
      const page = await logs.read(stageId, OLDEST_FIRST);
      assert.deepEqual(textsOf(page), [`first of "${stageId}"`, 'second']);
      assert.deepEqual(positionsOf(page), [1, 2]);
    }
  });
}

function testPages({ open }: StageLogsStores, register: Register): void {
  register('pages in either order give each line once', async (t) => {
    const logs = await open(t, LIMITS);
    await logs.append('dev', numbered(12));
    for (const query of [OLDEST_FIRST, NEWEST_FIRST]) {
      const all = (await logs.read('dev', query)).lines;
      assert.equal(all.length, 12);
      for (const limit of [1, 4, 5, 11, 12, 13]) assert.deepEqual(await readInPages(logs, { ...query, limit }), all);
    }
  });

  register('a page says whether it is the last one', async (t) => {
    const logs = await open(t, LIMITS);
    await logs.append('dev', numbered(4));
    for (const { order } of [OLDEST_FIRST, NEWEST_FIRST]) {
      const first = await logs.read('dev', { order, limit: 2 });
      assert.equal(first.isEnd, false);
      const last = await logs.read('dev', { order, limit: 2, after: first.cursor });
      assert.equal(last.isEnd, true);
      const beyond = await logs.read('dev', { order, limit: 2, after: last.cursor });
      assert.deepEqual([beyond.lines, beyond.isEnd], [[], true]);
    }
  });

  register('lines that are appended between two pages change nothing on the pages before them', async (t) => {
    const logs = await open(t, LIMITS);
    await logs.append('dev', numbered(4));
    const newest = await logs.read('dev', { ...NEWEST_FIRST, limit: 2 });
    await logs.append('dev', lines('5', '6'));
    const older = await logs.read('dev', { ...NEWEST_FIRST, limit: 2, after: newest.cursor });
    assert.deepEqual([...textsOf(newest), ...textsOf(older)], ['4', '3', '2', '1']);
  });
}

function testFilters({ open }: StageLogsStores, register: Register): void {
  const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

  register('lines are found by their level or a more severe one', async (t) => {
    const logs = await open(t, LIMITS);
    await logs.append(
      'dev',
      LEVELS.map((level) => line(level, { level })),
    );
    for (const [index, minLevel] of LEVELS.entries()) {
      assert.deepEqual(textsOf(await logs.read('dev', { ...OLDEST_FIRST, minLevel })), LEVELS.slice(index));
    }
  });

  register('lines are found from one time on and before another', async (t) => {
    const logs = await open(t, LIMITS);
    await logs.append(
      'dev',
      [20, 10, 30, 20].map((at) => line(String(at), { at })),
    );
    const texts = async (query: Partial<LogQuery>) => textsOf(await logs.read('dev', { ...OLDEST_FIRST, ...query }));
    assert.deepEqual(await texts({ since: 20 }), ['20', '30', '20']);
    assert.deepEqual(await texts({ until: 20 }), ['10']);
    assert.deepEqual(await texts({ since: 20, until: 30 }), ['20', '20']);
    assert.deepEqual(await texts({ since: 21, until: 30 }), []);
    assert.deepEqual(await texts({ since: 0, until: 0 }), []);
  });

  register('the filters hold together, and on every page', async (t) => {
    const logs = await open(t, LIMITS);
    const all = Array.from({ length: 60 }, (_, index) =>
      line(String(index), { at: (index * 7) % 60, level: LEVELS[index % 4] as (typeof LEVELS)[number] }),
    );
    await logs.append('dev', all);
    const filters = { minLevel: 'warn', since: 10, until: 50 } as const;
    const expected = all.flatMap(({ at, level, text }) =>
      at >= 10 && at < 50 && (level === 'warn' || level === 'error') ? [text] : [],
    );
    assert.ok(expected.length > 10);
    for (const [order, texts] of [
      ['oldest_first', expected],
      ['newest_first', expected.toReversed()],
    ] as const) {
      const found = await readInPages(logs, { order, limit: 3, ...filters });
      assert.deepEqual(
        found.map(({ text }) => text),
        texts,
      );
    }
  });
}

function testFollowing({ open }: StageLogsStores, register: Register): void {
  register('a reader that follows gets each new line once', async (t) => {
    const logs = await open(t, LIMITS);
    await logs.append('dev', numbered(3));
    let page = await logs.read('dev', OLDEST_FIRST);
    for (const added of [['4'], [], ['5', '6']]) {
      await logs.append('dev', lines(...added));
      page = await logs.read('dev', { ...OLDEST_FIRST, after: page.cursor });
      assert.deepEqual([textsOf(page), page.isEnd, page.missed], [added, true, 0]);
    }
  });

  register('following goes on from the newest line of a page that was read the other way', async (t) => {
    const logs = await open(t, LIMITS);
    await logs.append('dev', numbered(3));
    const [newest] = (await logs.read('dev', { ...NEWEST_FIRST, limit: 1 })).lines;
    await logs.append('dev', lines('4'));
    assert.deepEqual(textsOf(await logs.read('dev', { ...OLDEST_FIRST, after: newest?.position ?? 0 })), ['4']);
  });

  register('a reader that is ahead of the log goes on at its end, and misses nothing that comes then', async (t) => {
    const logs = await open(t, LIMITS);
    const endFor = async (after: number) => {
      const { cursor, isEnd, missed } = await logs.read('dev', { ...OLDEST_FIRST, after });
      return [cursor, isEnd, missed];
    };
    assert.deepEqual(await endFor(9), [0, true, 0]);
    await logs.append('dev', numbered(2));
    for (const after of [3, 9, 2 ** 52]) assert.deepEqual(await endFor(after), [2, true, 0]);
  });

  register('the cursor passes the lines that a filter leaves out', async (t) => {
    const logs = await open(t, { ...LIMITS, maxLinesPerStage: 4 });
    const errors: LogQuery = { ...OLDEST_FIRST, minLevel: 'error' };
    await logs.append('dev', [line('1', { level: 'error' }), ...lines('2', '3')]);
    const first = await logs.read('dev', errors);
    assert.deepEqual([textsOf(first), first.cursor], [['1'], 3]);
    await logs.append('dev', lines('4', '5', '6', '7'));
    const second = await logs.read('dev', { ...errors, after: first.cursor });
    assert.deepEqual([textsOf(second), second.cursor, second.isEnd, second.missed], [[], 7, true, 0]);
  });

  register('a reader that follows too slowly is told how many lines it has missed', async (t) => {
    const logs = await open(t, { ...LIMITS, maxLinesPerStage: 4 });
    await logs.append('dev', numbered(3));
    const { cursor } = await logs.read('dev', { ...OLDEST_FIRST, limit: 2 });
    await logs.append('dev', lines('4', '5', '6', '7', '8'));
    const late = await logs.read('dev', { ...OLDEST_FIRST, after: cursor });
    assert.deepEqual([textsOf(late), late.missed], [['5', '6', '7', '8'], 2]);
    const filtered = await logs.read('dev', { ...OLDEST_FIRST, after: cursor, minLevel: 'error' });
    assert.deepEqual([textsOf(filtered), filtered.missed], [[], 2]);
    assert.equal((await logs.read('dev', OLDEST_FIRST)).missed, 0);
    assert.equal((await logs.read('dev', { ...NEWEST_FIRST, after: 6 })).missed, 0);
  });
}

function testLimits({ open, openBeside }: StageLogsStores, register: Register): void {
  register('a stage keeps its newest lines up to a number', async (t) => {
    const logs = await open(t, { ...LIMITS, maxLinesPerStage: 3 });
    await logs.append('other', lines('kept'));
    for (const each of numbered(5)) await logs.append('dev', [each]);
    const page = await logs.read('dev', OLDEST_FIRST);
    assert.deepEqual(textsOf(page), ['3', '4', '5']);
    assert.deepEqual(positionsOf(page), [3, 4, 5]);
    await logs.append('dev', lines('6', '7', '8', '9', '10'));
    const later = await logs.read('dev', OLDEST_FIRST);
    assert.deepEqual(textsOf(later), ['8', '9', '10']);
    assert.deepEqual(positionsOf(later), [8, 9, 10]);
    assert.deepEqual(textsOf(await logs.read('other', OLDEST_FIRST)), ['kept']);
  });

  register('a stage keeps its newest lines up to a number of bytes of UTF-8, facts included', async (t) => {
    const logs = await open(t, { ...LIMITS, maxBytesPerStage: 12 });
    const kept = async () => textsOf(await logs.read('dev', OLDEST_FIRST));
    await logs.append('dev', lines('1234', '5678', '90ab'));
    assert.deepEqual(await kept(), ['1234', '5678', '90ab']);
    await logs.append('dev', lines(''));
    assert.deepEqual(await kept(), ['1234', '5678', '90ab', '']);
    await logs.append('dev', lines('c'));
    assert.deepEqual(await kept(), ['5678', '90ab', '', 'c']);
    await logs.append('dev', lines('éé'));
    assert.deepEqual(await kept(), ['90ab', '', 'c', 'éé']);
    await logs.append('dev', [line('d', { playerId: 'é', handler: 'f', requestId: 'g' })]);
    assert.deepEqual(await kept(), ['', 'c', 'éé', 'd']);
    await logs.append('dev', lines('123456789012'));
    assert.deepEqual(await kept(), ['123456789012']);
  });

  register('a line that is longer than all that a stage keeps is refused with those beside it', async (t) => {
    const logs = await open(t, { ...LIMITS, maxBytesPerStage: 12 });
    await logs.append('dev', lines('kept'));
    await assert.rejects(logs.append('dev', lines('a', '1234567890123', 'b')), isOverQuota);
    await assert.rejects(logs.append('dev', [line('12345678901', { requestId: 'é' })]), isOverQuota);
    const page = await logs.read('dev', OLDEST_FIRST);
    assert.deepEqual([textsOf(page), page.cursor], [['kept'], 1]);
  });

  register('an append drops all lines that are now too many', async (t) => {
    const logs = await open(t, LIMITS);
    await logs.append('dev', numbered(3_000));
    const smaller = await openBeside(t, logs, { ...LIMITS, maxLinesPerStage: 2 });
    await smaller.append('dev', lines('new'));
    assert.deepEqual(textsOf(await logs.read('dev', OLDEST_FIRST)), ['3000', 'new']);
  });
}

function testAppendsAtOnce({ open, openBeside }: StageLogsStores, register: Register): void {
  register('when many append at once, each append stays together and none is lost', async (t) => {
    const logs = await open(t, LIMITS);
    const beside = await openBeside(t, logs, LIMITS);
    const appends = Array.from({ length: 40 }, (_, index) =>
      (index % 2 === 0 ? logs : beside).append('dev', lines(`${index} first`, `${index} second`, `${index} third`)),
    );
    await Promise.all(appends);
    const page = await logs.read('dev', OLDEST_FIRST);
    assert.deepEqual(
      positionsOf(page),
      Array.from({ length: 120 }, (_, index) => index + 1),
    );
    const texts = textsOf(page);
    for (let index = 0; index < 120; index += 3) {
      const number = String(texts[index]).replace(/ .*/, '');
      assert.deepEqual(texts.slice(index, index + 3), [`${number} first`, `${number} second`, `${number} third`]);
    }
    assert.equal(new Set(texts).size, 120);
  });

  register('a reader that follows while lines are being appended misses none', async (t) => {
    const logs = await open(t, LIMITS);
    const beside = await openBeside(t, logs, LIMITS);
    let isAppending = true;
    const appends = Array.from({ length: 200 }, (_, index) =>
      (index % 2 === 0 ? logs : beside).append('dev', lines(String(index), `${index} again`)),
    );
    const appended = Promise.all(appends).finally(() => {
      isAppending = false;
    });
    const positions: number[] = [];
    let after = 0;
    for (let isLast = false; !isLast; ) {
      isLast = !isAppending;
      const page = await logs.read('dev', { order: 'oldest_first', limit: 7, after });
      positions.push(...positionsOf(page));
      after = page.cursor;
      isLast &&= page.isEnd;
    }
    await appended;
    assert.deepEqual(
      positions,
      Array.from({ length: 400 }, (_, index) => index + 1),
    );
  });
}

function testRemoval({ open }: StageLogsStores, register: Register): void {
  register("a stage's log is removed, however long, and no other stage's", async (t) => {
    const logs = await open(t, LIMITS);
    const others = ['dev2', 'de', 'Dev', 'd%'];
    for (const stageId of others) await logs.append(stageId, lines('kept'));
    await logs.append('dev', numbered(4_000));
    await logs.remove('dev');
    await logs.remove('dev');
    await logs.remove('unknown');
    for (const query of [OLDEST_FIRST, NEWEST_FIRST]) assert.deepEqual((await logs.read('dev', query)).lines, []);
    for (const stageId of others) assert.deepEqual(textsOf(await logs.read(stageId, OLDEST_FIRST)), ['kept']);
  });
}

function testProcesses({ open, openBeside }: StageLogsStores, register: Register): void {
  register('another process reads what was appended, and appends after it', async (t) => {
    const here = await open(t, LIMITS);
    const beside = await openBeside(t, here, LIMITS);
    for (const [index, writer] of [here, beside, beside, here].entries()) {
      await writer.append('dev', lines(String(index)));
      for (const reader of [here, beside]) {
        const newest = (await reader.read('dev', { ...NEWEST_FIRST, limit: 1 })).lines;
        assert.deepEqual(newest, [{ ...line(String(index)), position: index + 1 }]);
      }
    }
  });

  register('what is under way is appended before it closes, and nothing after', async (t) => {
    const here = await open(t, LIMITS);
    const beside = await openBeside(t, here, LIMITS);
    const append = here.append('dev', lines('a'));
    await here.close();
    await append;
    await here.close();
    await assert.rejects(here.append('dev', lines('b')));
    await assert.rejects(here.read('dev', OLDEST_FIRST));
    await assert.rejects(here.remove('dev'));
    assert.deepEqual(textsOf(await beside.read('dev', OLDEST_FIRST)), ['a']);
  });
}
