import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { until } from '../../../test/support/server.ts';
import { systemClock } from '../../clock.ts';
import type { EventFilter, EventLog, EventQuery } from '../../store/events/event-log.ts';
import { openSqliteEventLog } from '../../store/events/sqlite.ts';
import { sampleGame } from '../../store/store-samples.ts';
import { openTestStore, temporaryDirectory } from '../../store/test-store.ts';
import { createEventRecords } from './event-records.ts';

const ZOO = sampleGame('Zoo');
const ALL: EventFilter = { stages: [], types: [] };
const OF_NOBODY: EventFilter = { ...ALL, playerId: 'nobody' };
const READ_MS = 40;

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('searches of events, and watchers that are behind, share a part of the time, and plain reads do not wait for them', async (t) => {
  const clock = new ManualClock();
  const store = await openTestStore(t);
  await store.games.insert(ZOO);
  let searches = 0;
  const search = () => {
    searches += 1;
    clock.holdUp(READ_MS);
  };
  const eventLog = {
    // This log has no end, and a search for this player finds nothing in it.
    async read(_: string, { after, filter }: EventQuery) {
      if (filter?.playerId !== undefined) search();
      return { events: [], cursor: after + 256, missed: 0, isEnd: filter?.playerId === undefined };
    },
    ends: async () => ({ first: 1, last: 0 }),
    async positionBefore() {
      search();
      return 0;
    },
    watch: async () => {},
    onMoved: () => () => {},
  } as unknown as EventLog;
  const records = createEventRecords({
    ...{ store, eventLog, clock, log: recordedLog().log, interest: { add() {} } },
    settings: { eventsMaxWatchers: 100 },
  });
  /** How many there are in a second, at most; each second has time for 25 of them. */
  const inSecond = async () => {
    const before = searches;
    for (const end = clock.monotonic() + 1_000; clock.monotonic() < end; clock.advance(1)) await settle();
    return searches - before;
  };

  const refused: string[] = [];
  const ask = (asked: object) =>
    void records.list('Zoo', { ...ALL, ...asked, limit: 100 }).catch(({ code }) => refused.push(code));
  for (let call = 0; call < 100; call += 1) ask(call % 2 === 0 ? OF_NOBODY : { since: 1 });
  await inSecond();
  assert.ok(refused.length >= 60 && refused.every((code) => code === 'throttled'), refused.join());
  assert.deepEqual((await records.list('Zoo', { ...ALL, after: 0, limit: 100 })).events, []);
  const listed = await inSecond();
  assert.ok(listed <= 4, `${listed} searches of lists`);
  await inSecond();

  for (let watcher = 0; watcher < 40; watcher += 1) {
    const sink = { write() {}, end() {}, bufferedBytes: 0, waitMs: () => 0, isAllowed: () => true };
    (await records.watch('Zoo', { ...OF_NOBODY, after: 0 }, `caller ${watcher}`)).start(sink);
  }
  await inSecond();
  const watched = await inSecond();
  assert.ok(watched >= 1 && watched <= 6, `${watched} searches of lists and watchers`);
  records.drain();
});

test('a watcher that begins far beyond the end of the log follows it from there, and does not have the others read for ever', async (t) => {
  const { log } = recordedLog();
  const clock = systemClock;
  const store = await openTestStore(t);
  await store.games.insert(ZOO);
  const file = join(temporaryDirectory(t), 'events.sqlite');
  const eventLog = await openSqliteEventLog({ file, limits: { maxEventsPerGame: 100 }, clock, log });
  t.after(() => eventLog.close());
  let reads = 0;
  const records = createEventRecords({
    ...{ store, clock, log, interest: { add() {} }, settings: { eventsMaxWatchers: 100 } },
    eventLog: {
      read(...asked) {
        reads += 1;
        return eventLog.read(...asked);
      },
      ends: (id) => eventLog.ends(id),
      positionBefore: (id, at) => eventLog.positionBefore(id, at),
      onMoved: (listener) => eventLog.onMoved(listener),
      watch: (game, until) => eventLog.watch(game, until),
    },
  });
  const append = (id: string) =>
    assert.ok(eventLog.append(ZOO.id, { id, type: 'stage.opened', at: 1, game: 'Zoo', node: 'n1', data: {} }));
  const watch = async (asked: object) => {
    const texts: string[] = [];
    const sink = { write: (text: string) => texts.push(text), end() {}, bufferedBytes: 0, waitMs: () => 0 };
    (await records.watch('Zoo', { ...ALL, ...asked }, 'caller')).start({ ...sink, isAllowed: () => true });
    return () => texts.join('').match(/"id":"\w+"/g) ?? [];
  };
  append('before');
  await until(() => eventLog.waiting === 0);
  const told = [await watch({ after: Number.MAX_SAFE_INTEGER }), await watch({}), await watch({})];
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(reads <= 20, `${reads} reads of a log in which nothing happens`);
  append('after');
  await until(() => told.every((each) => each().length > 0));
  assert.deepEqual(
    told.map((each) => each()),
    Array.from({ length: 3 }, () => ['"id":"after"']),
  );
  records.drain();
});

test('watchers are told what comes in the places of events that the log has lost', async (t) => {
  const clock = new ManualClock();
  const store = await openTestStore(t);
  await store.games.insert(ZOO);
  const ids = ['a', 'b', 'c'];
  const eventLog = {
    async read(_: string, { after }: EventQuery) {
      const cursor = ids.length;
      const behind = ids.slice(after).map((id, index) => {
        const event = { id, type: 'stage.opened', at: 1, game: 'Zoo', node: 'n1', data: {} };
        return { position: after + index + 1, event };
      });
      return { events: behind, cursor, missed: 0, isEnd: true };
    },
    ends: async () => ({ first: 1, last: ids.length }),
    positionBefore: async () => 0,
    watch: async () => {},
    onMoved: () => () => {},
  } as unknown as EventLog;
  const records = createEventRecords({
    ...{ store, eventLog, clock, log: recordedLog().log, interest: { add() {} } },
    settings: { eventsMaxWatchers: 100 },
  });
  const texts: string[] = [];
  const sink = { write: (text: string) => void texts.push(text), end() {}, bufferedBytes: 0, waitMs: () => 0 };
  (await records.watch('Zoo', { ...ALL, after: 0 }, 'caller')).start({ ...sink, isAllowed: () => true });
  const pass = async () => {
    for (let turn = 0; turn < 20; turn += 1) await settle();
    clock.advance(500);
    for (let turn = 0; turn < 20; turn += 1) await settle();
  };
  const told = () => texts.join('').match(/"id":"\w+"/g) ?? [];
  await pass();
  assert.deepEqual(told(), ['"id":"a"', '"id":"b"', '"id":"c"']);
  ids.length = 1;
  await pass();
  ids.push('d');
  await pass();
  assert.deepEqual(told().slice(3), ['"id":"d"']);
  records.drain();
});
