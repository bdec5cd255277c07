import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import type { EventFilter, EventLog, EventQuery } from '../../store/events/event-log.ts';
import { sampleGame } from '../../store/store-samples.ts';
import { openTestStore } from '../../store/test-store.ts';
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
