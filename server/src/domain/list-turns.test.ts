import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { ServiceError } from '../errors.ts';
import type { AuditQuery, AuditRecord } from '../store/audit/audit-log.ts';
import { createAuditRecords } from './audit/records.ts';
import { createListShare, createListTurn, fittingOnPage } from './list-turns.ts';
import { createPaginate } from './pagination.ts';

const TOKENS = { seal: (position: string) => position, open: (token: string) => token };

test('of all lists that are asked for at once, one part is made in a turn', async () => {
  const tasks: (() => void)[] = [];
  const turn = createListTurn((task) => tasks.push(task));
  const made: string[] = [];
  const list = async (name: string) => {
    for (let part = 0; part < 3; part += 1) {
      await turn();
      made.push(`${name}${part}`);
    }
  };
  const lists = ['a', 'b', 'c'].map(list);
  for (let turns = 0; made.length < 9; turns += 1) {
    assert.ok(turns < 100);
    // What a task sets off is over before the next turn of the loop.
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(tasks.length <= 1, 'one task in a turn');
    const before = made.length;
    tasks.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(made.length <= before + 1);
  }
  await Promise.all(lists);
  assert.deepEqual(made, ['a0', 'b0', 'c0', 'a1', 'b1', 'c1', 'a2', 'b2', 'c2']);
});

/** What a promise sets off is over before the next turn of the loop. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Readers who ask for one part after the other, each of which takes as long, for so long; gives when parts began. */
async function read({ readers, partMs, forMs }: { readers: number; partMs: number; forMs: number }) {
  const clock = new ManualClock();
  const share = createListShare(clock);
  const began: number[] = [];
  const ofReader = new Map<number, number>();
  const readOn = async (reader: number) => {
    while (clock.monotonic() < forMs) {
      await share('a', async () => {
        began.push(clock.monotonic());
        ofReader.set(reader, (ofReader.get(reader) ?? 0) + 1);
        await new Promise<void>((resolve) => void clock.after(partMs, resolve));
      });
    }
  };
  const reading = Promise.all(Array.from({ length: readers }, (_, reader) => readOn(reader)));
  let isOver = false;
  void reading.then(() => {
    isOver = true;
  });
  for (; !isOver; clock.advance(1)) await settle();
  await reading;
  return { began, perReader: [...ofReader.values()] };
}

test('whoever reads page after page gets a tenth of the time, once what was saved is used up', async () => {
  const { began } = await read({ readers: 1, partMs: 5, forMs: 10_000 });
  const [burst, later] = [began.filter((at) => at < 250), began.filter((at) => at >= 5_000 && at < 10_000)];
  assert.ok(burst.length >= 40, `${burst.length} parts at once`);
  // Parts of 5 ms each may take 500 of 5,000 ms.
  assert.ok(later.length >= 90 && later.length <= 100, `${later.length} parts`);
});

test('many readers share what one would have had, in the order in which they ask', async () => {
  const { began, perReader } = await read({ readers: 20, partMs: 5, forMs: 10_000 });
  const later = began.filter((at) => at >= 5_000 && at < 10_000);
  assert.ok(later.length >= 90 && later.length <= 100, `${later.length} parts`);
  assert.ok(Math.max(...perReader) - Math.min(...perReader) <= 1, perReader.join());
});

test('a part that waits for a node without an answer costs the others little', async () => {
  const clock = new ManualClock();
  const share = createListShare(clock);
  const hung = share('a', () => new Promise<void>((resolve) => void clock.after(2_000, resolve)));
  let made = 0;
  const part = async () => {
    made += 1;
  };
  const beside = share('a', part);
  await settle();
  assert.equal(made, 0);
  clock.advance(50);
  await beside;
  clock.advance(2_000);
  await hung;
  await share('a', part);
  assert.equal(made, 2);
});

test('no more than 32 parts wait, and the next ones are refused until there is room', async () => {
  const clock = new ManualClock();
  const share = createListShare(clock);
  const held = () => share('a', () => new Promise<void>((resolve) => void clock.after(40, resolve)));
  const first = held();
  await settle();
  const waiting = Array.from({ length: 32 }, held);
  await assert.rejects(held(), { code: 'throttled', message: /32 lists/ });
  clock.advance(40);
  await first;
  await settle();
  let isOver = false;
  const last = held().then(() => {
    isOver = true;
  });
  for (; !isOver; clock.advance(10)) await settle();
  await Promise.all([...waiting, last]);
});

test('whoever asks for very many lists takes no other stage’s turn, nor all places to wait', async () => {
  const clock = new ManualClock();
  const share = createListShare(clock);
  const made: string[] = [];
  const ask = (lane: string) =>
    share(lane, async () => {
      made.push(lane);
      await new Promise<void>((resolve) => void clock.after(10, resolve));
    }).catch((error: { code: string }) => error.code);
  const flood = Array.from({ length: 40 }, () => ask('flood'));
  const others = [ask('quiet'), ask('quiet'), ask('other')];
  let isOver = false;
  const over = Promise.all([...flood, ...others]).finally(() => {
    isOver = true;
  });
  for (; !isOver; clock.advance(10)) await settle();
  await over;
  assert.deepEqual(await Promise.all(others), [undefined, undefined, undefined]);
  assert.deepEqual(made.slice(0, 6), ['flood', 'flood', 'quiet', 'other', 'flood', 'quiet']);
  const refused = (await Promise.all(flood)).filter((code) => code === 'throttled');
  assert.equal(refused.length, 10, 'seven found no place, and three gave way');
});

test('a part that fails gives way to the next', async () => {
  const share = createListShare(new ManualClock());
  await assert.rejects(
    share('a', () => Promise.reject(new Error('no directory'))),
    /no directory/,
  );
  assert.equal(await share('a', async () => 'a page'), 'a page');
});

test('a page has no more bytes than it may, apart from an item that is larger alone', () => {
  assert.equal(fittingOnPage([70_000, 1]), 1);
  assert.equal(fittingOnPage([65_000, 536, 1]), 2);
  assert.equal(fittingOnPage([1, 2]), 2);
  assert.equal(fittingOnPage([]), 0);
});

test('pages of large items end early, and following the tokens gives every item once', async () => {
  const items = Array.from({ length: 40 }, (_, at) => ({ name: String(at).padStart(3, '0'), bytes: 500 * (at % 30) }));
  const paginate = createPaginate({ pageTokens: TOKENS });
  const list = async ({ after = '', limit }: { readonly after?: string; readonly limit: number }) =>
    items.filter(({ name }) => name > after).slice(0, limit);
  const seen: typeof items = [];
  let pages = 0;
  for (let nextToken: string | undefined; ; pages += 1) {
    const page = await paginate('L', { nextToken }, { list, bytesOf: ({ bytes }) => bytes });
    assert.ok(page.items.reduce((sum, { bytes }) => sum + bytes, 0) <= 65_536);
    seen.push(...page.items);
    nextToken = page.nextToken;
    if (nextToken === undefined) break;
  }
  assert.deepEqual(seen, items);
  assert.ok(pages > 2);
});

test('a call for audit records reads a few at a time, in turns, and gives a bounded number of bytes', async () => {
  const record = (at: number): AuditRecord => ({
    ...{ requestId: 'r', at, cause: 'operator', actor: 'a', sourceAddress: '', operation: 'o', resource: '' },
    ...{ details: { evidence: 'x'.repeat(at % 50 === 0 ? 70_000 : 2_000) }, outcome: undefined },
  });
  const all = Array.from({ length: 230 }, (_, at) => record(at));
  let [turns, most] = [0, 0];
  const auditLog = {
    // As a database that looks at 30 records at once.
    async find({ after, limit }: AuditQuery) {
      most = Math.max(most, limit);
      const from = after === undefined ? 0 : after.at + 1;
      const found = all.slice(from, from + 30).filter(({ at }) => at % 2 === 0 || at === 229);
      const records = found.slice(0, limit);
      const last = found.length > limit ? records.at(-1) : all[from + 29];
      return { records, next: last && { at: last.at, requestId: 'r' } };
    },
  };
  const turn = async () => {
    turns += 1;
  };
  const records = createAuditRecords({ auditLog, pageTokens: TOKENS, turn, clock: new ManualClock(0) });
  const seen: number[] = [];
  let pages = 0;
  for (let nextToken: string | undefined; ; pages += 1) {
    const page = await records.list({ order: 'oldest_first' }, { nextToken }, 'caller');
    const bytes = Buffer.byteLength(JSON.stringify(page.items));
    assert.ok(bytes < 66_000 || page.items.length === 1, `${page.items.length} items of ${bytes} bytes`);
    seen.push(...page.items.map(({ at }) => at));
    nextToken = page.nextToken;
    if (nextToken === undefined) break;
  }
  assert.deepEqual(
    seen,
    all.map(({ at }) => at).filter((at) => at % 2 === 0 || at === 229),
  );
  assert.ok(most <= 10 && turns >= 12 && pages >= 5, `${most} at once, ${turns} turns, ${pages} pages`);
});

test('searches of the audit log share a part of the time, and plain reads do not wait for them', async () => {
  const clock = new ManualClock(0);
  let searches = 0;
  const auditLog = {
    // As a database that looks through thousands of records for each step.
    async find({ actor }: AuditQuery) {
      if (actor === undefined) return { records: [], next: undefined };
      searches += 1;
      clock.advance(40);
      return { records: [], next: { at: searches, requestId: 'r' } };
    },
  };
  const records = createAuditRecords({ auditLog, pageTokens: TOKENS, turn: async () => {}, clock });
  const refused: unknown[] = [];
  for (let call = 0; call < 100; call += 1) {
    records
      .list({ order: 'newest_first', actor: 'nobody' }, {}, 'greedy')
      .catch((error: unknown) => refused.push(error));
  }
  await settle();
  const atOnce = searches;
  assert.ok(atOnce <= 8, `${atOnce} at once`);
  assert.ok(
    refused.length >= 60 && refused.every((error) => error instanceof ServiceError && error.code === 'throttled'),
  );
  assert.deepEqual((await records.list({ order: 'newest_first' }, {}, 'other')).items, []);
  for (let second = 0; second < 1_000; second += 1) {
    clock.advance(1);
    await settle();
  }
  assert.ok(searches - atOnce <= 4, `${searches - atOnce} more in a second`);
});
