import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Register } from '../suite.ts';
import type {
  EventFilter,
  EventLog,
  EventLogLimits,
  LoggedEvent,
  PlacedEvent,
  TrackedConnection,
} from './event-log.ts';

export interface EventLogStores {
  /** Opens a log without an event, which the test's end closes. */
  open(t: TestContext, limits: EventLogLimits): Promise<EventLog>;
  /** Opens the same log again, after the end of a process that did not close it. */
  reopenKilled(t: TestContext, killed: EventLog, limits: EventLogLimits): Promise<EventLog>;
}

const LIMITS: EventLogLimits = { maxEventsPerGame: 10_000 };
const GAME = 'game-1';

const event = (id: string, change: Partial<LoggedEvent> = {}): LoggedEvent => ({
  ...{ id, type: 'connection.opened', at: 1_000, game: 'Demo', stage: 'Dev', player: 'anna', node: 'n1', data: {} },
  ...change,
});

const connection = (id: string, change: TrackedConnection['change'], owner = 'n1') => ({ id, change, owner });

/** Waits until what was appended can be read. */
async function moved(log: EventLog): Promise<void> {
  if (log.waiting === 0) return;
  // The log's own timers do not keep the process alive.
  const alive = setInterval(() => {}, 1_000);
  await new Promise<void>((resolve) => {
    const end = log.onMoved(() => {
      if (log.waiting > 0) return;
      end();
      resolve();
    });
  });
  clearInterval(alive);
}

async function idsOf(log: EventLog, after = 0, gameId = GAME): Promise<string[]> {
  await moved(log);
  return (await readAll(log, { after, gameId })).map(({ event: { id } }) => id);
}

/** Reads the whole log, step by step. */
async function readAll(
  log: EventLog,
  { after = 0, gameId = GAME, filter }: { after?: number; gameId?: string; filter?: EventFilter },
): Promise<PlacedEvent[]> {
  const found: PlacedEvent[] = [];
  for (let cursor = after; ; ) {
    const page = await log.read(gameId, { after: cursor, limit: 1_000, filter });
    found.push(...page.events);
    if (page.isEnd) return found;
    cursor = page.cursor;
  }
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1));

/** Holds one implementation to every promise of `EventLog`. */
export function testEventLog(stores: EventLogStores, register: Register = test): void {
  testOrder(stores, register);
  testLimits(stores, register);
  testKills(stores, register);
  testConnections(stores, register);
  testCursors(stores, register);
  testWatches(stores, register);
}

function testOrder({ open }: EventLogStores, register: Register): void {
  register('events come back whole, in the order in which they were appended, in the log of their game', async (t) => {
    const log = await open(t, LIMITS);
    assert.deepEqual(await log.read(GAME, { after: 0, limit: 10 }), { events: [], missed: 0, cursor: 0, isEnd: true });
    assert.deepEqual(await log.ends(GAME), { first: 1, last: 0 });
    const odd = event('b', { at: 10, data: { text: '"ünï"\n\0 💥 \ud800 $1 ?1', list: [1, null] } });
    const { stage: _stage, player: _player, ...ofGame } = event('c');
    assert.ok(log.append(GAME, event('a')) && log.append(GAME, odd) && log.append('game-2', event('x')));
    assert.ok(log.append(GAME, ofGame));
    await moved(log);
    const { events } = await log.read(GAME, { after: 0, limit: 10 });
    assert.deepEqual(
      events.map(({ position }) => position),
      [1, 2, 3],
    );
    assert.deepEqual(
      events.map(({ event: each }) => each),
      [event('a'), odd, ofGame],
    );
    assert.deepEqual(await idsOf(log, 0, 'game-2'), ['x']);
    assert.deepEqual(await log.ends(GAME), { first: 1, last: 3 });
    assert.deepEqual(await idsOf(log, 2), ['c']);
    assert.equal((await log.read(GAME, { after: 1, limit: 1 })).events[0]?.event.id, 'b');
  });

  register('a step of a reader gives few events and says where the next begins', async (t) => {
    const log = await open(t, LIMITS);
    for (const id of numbered(600)) log.append(GAME, event(id));
    await moved(log);
    const page = await log.read(GAME, { after: 0, limit: 1_000 });
    assert.ok(page.events.length > 0 && page.events.length <= 64, `${page.events.length} events`);
    assert.deepEqual([page.cursor, page.isEnd], [page.events.at(-1)?.position, false]);
    assert.deepEqual(await idsOf(log), numbered(600));
    const none = await log.read(GAME, { after: 0, limit: 1, filter: { stages: [], types: [], playerId: 'nobody' } });
    assert.deepEqual([none.events, none.isEnd], [[], false]);
    assert.ok(none.cursor > 0 && none.cursor < 600);
  });

  register('a reader that is ahead of the log goes on at its end, and misses nothing that comes then', async (t) => {
    const log = await open(t, LIMITS);
    const ahead = (cursor: number) => ({ events: [], missed: 0, cursor, isEnd: true });
    assert.deepEqual(await log.read(GAME, { after: 9, limit: 10 }), ahead(0));
    for (const id of numbered(2)) log.append(GAME, event(id));
    await moved(log);
    for (const after of [3, 9, Number.MAX_SAFE_INTEGER])
      assert.deepEqual(await log.read(GAME, { after, limit: 10 }), ahead(2));
  });

  register('a filter leaves out what a reader does not want, and what is lost is for everybody', async (t) => {
    const log = await open(t, LIMITS);
    const { stage: _stage, player: _player, ...ofGame } = event('of the game', { type: 'job.finished' });
    const odd = { stage: 'Live', player: 'an"na \\ ü' };
    log.append(GAME, event('anna', { player: 'anna' }));
    log.append(
      GAME,
      event('other', { player: 'ann', type: 'connection.closed', data: { player: 'anna', stage: 'Live' } }),
    );
    log.append(GAME, event('odd', odd));
    log.append(GAME, { ...ofGame, data: { first: 1, stage: 'Live' } });
    log.append(GAME, { ...ofGame, id: 'lost', type: 'events.lost', data: { count: 1 } });
    await moved(log);
    const wanted = async (filter: Partial<EventFilter>) =>
      (await readAll(log, { filter: { stages: [], types: [], ...filter } })).map(({ event: { id } }) => id);
    assert.deepEqual(await wanted({}), ['anna', 'other', 'odd', 'of the game', 'lost']);
    assert.deepEqual(await wanted({ playerId: 'nobody' }), ['lost']);
    assert.deepEqual(await wanted({ playerId: odd.player }), ['odd', 'lost']);
    assert.ok((await wanted({ playerId: 'anna' })).includes('anna'));
    assert.deepEqual(await wanted({ types: ['connection.closed', 'x'] }), ['other', 'lost']);
    assert.deepEqual(await wanted({ types: ['connection'] }), ['lost']);
    assert.deepEqual(await wanted({ stages: ['Live'] }), ['odd', 'of the game', 'lost']);
    assert.deepEqual(await wanted({ stages: ['Dev'] }), ['anna', 'other', 'of the game', 'lost']);
    assert.deepEqual(await wanted({ stages: ['None', 'Live'], types: ['connection.opened'] }), ['odd', 'lost']);
  });

  register('reads hold the event loop up for about a millisecond, however many there are', async (t) => {
    const log = await open(t, LIMITS);
    for (const id of numbered(2_000)) log.append(GAME, event(id));
    await moved(log);
    const filter = { stages: [], types: [], playerId: 'nobody' };
    let isOver = false;
    let turns = 0;
    const counting = (async () => {
      for (; !isOver; turns += 1) await setImmediate();
    })();
    await Promise.all(Array.from({ length: 50 }, () => readAll(log, { filter })));
    isOver = true;
    await counting;
    // Otherwise the steps of all readers would run in one turn of the loop.
    assert.ok(turns >= 30, `${turns} turns of the event loop`);
  });

  register('a time leads to the position in front of all events of that time or later', async (t) => {
    const log = await open(t, LIMITS);
    for (const [index, at] of [100, 300, 200, 400].entries()) log.append(GAME, event(String(index), { at }));
    await moved(log);
    const positions = await Promise.all([0, 150, 250, 350, 500].map((at) => log.positionBefore(GAME, at)));
    assert.deepEqual(positions, [0, 1, 1, 3, 4]);
    assert.equal(await log.positionBefore('nobody', 1), 0);
  });
}

function testLimits({ open }: EventLogStores, register: Register): void {
  register(
    'the oldest events are dropped when there are too many, and a reader is told how many it missed',
    async (t) => {
      const log = await open(t, { maxEventsPerGame: 100 });
      for (const id of numbered(250)) log.append(GAME, event(id));
      await moved(log);
      assert.deepEqual(await log.ends(GAME), { first: 151, last: 250 });
      const page = await log.read(GAME, { after: 20, limit: 1 });
      assert.deepEqual([page.missed, page.events[0]?.position], [130, 151]);
      assert.equal((await log.read(GAME, { after: 150, limit: 1 })).missed, 0);
      assert.equal((await log.read(GAME, { after: 250, limit: 1 })).missed, 0);
    },
  );

  register('events from before a time are removed, and positions go on', async (t) => {
    const log = await open(t, LIMITS);
    for (const [index, id] of numbered(10).entries()) log.append(GAME, event(id, { at: index }));
    await moved(log);
    await log.removeBefore(4);
    assert.deepEqual(await log.ends(GAME), { first: 5, last: 10 });
    await log.removeBefore(100);
    assert.deepEqual(await log.read(GAME, { after: 2, limit: 5 }), { events: [], missed: 8, cursor: 10, isEnd: true });
    log.append(GAME, event('next'));
    await moved(log);
    assert.deepEqual((await log.read(GAME, { after: 10, limit: 5 })).events[0]?.position, 11);
  });

  register('nothing is left of a game that is removed', async (t) => {
    const log = await open(t, LIMITS);
    for (const id of numbered(10)) log.append(GAME, event(id), connection(id, 'opened'));
    log.append('game-2', event('x'));
    await moved(log);
    await log.claim({ receiver: 'w1', gameId: GAME, owner: 'n1' });
    await log.watch({ id: GAME, name: 'Demo' }, 100);
    log.append(GAME, event('still in the journal'), connection('still in the journal', 'opened'));
    assert.deepEqual([...(await log.games())].sort(), [GAME, 'game-2'].sort());
    await log.removeGame(GAME);
    await moved(log);
    assert.deepEqual(await log.games(), ['game-2']);
    assert.deepEqual(await log.ends(GAME), { first: 1, last: 0 });
    assert.deepEqual([await log.owners(), await log.cursors(), await log.watched(0)], [[], [], []]);
    assert.deepEqual(await idsOf(log, 0, 'game-2'), ['x']);
  });
}

function testKills({ open, reopenKilled }: EventLogStores, register: Register): void {
  register('what was appended survives a kill before it was moved, once, and positions go on', async (t) => {
    const log = await open(t, LIMITS);
    for (const id of numbered(3)) log.append(GAME, event(id));
    await moved(log);
    for (const id of ['4', '5']) log.append(GAME, event(id));
    const next = await reopenKilled(t, log, LIMITS);
    next.append(GAME, event('6'));
    assert.deepEqual(await idsOf(next), numbered(6));
    const last = await reopenKilled(t, next, LIMITS);
    assert.deepEqual(await idsOf(last), numbered(6));
  });
}

function testConnections({ open, reopenKilled }: EventLogStores, register: Register): void {
  const end = (opened: LoggedEvent) => ({ ...opened, id: `end of ${opened.id}`, type: 'connection.closed' });

  register('a connection that has opened ends once, whoever ends it', async (t) => {
    const log = await open(t, LIMITS);
    for (const id of ['a', 'b', 'c']) log.append(GAME, event(id), connection(id, 'opened'));
    log.append(GAME, event('end of a'), connection('a', 'ended'));
    log.append(GAME, event('again'), connection('a', 'ended'));
    log.append(GAME, event('other'), connection('other', 'opened', 'n2'));
    await moved(log);
    assert.deepEqual([...(await log.owners())].sort(), ['n1', 'n2']);
    assert.equal(await log.endConnections('n1', end), 2);
    assert.equal(await log.endConnections('n1', end), 0);
    log.append(GAME, event('too late'), connection('b', 'ended'));
    const ids = await idsOf(log);
    assert.deepEqual(ids, ['a', 'b', 'c', 'end of a', 'other', 'end of b', 'end of c']);
    assert.deepEqual(await log.owners(), ['n2']);
  });

  register(
    'connections that were open at a kill are found afterwards, also when only the journal has them',
    async (t) => {
      const log = await open(t, LIMITS);
      for (const id of numbered(200)) log.append(GAME, event(id), connection(id, 'opened'));
      await moved(log);
      log.append(GAME, event('201'), connection('201', 'opened'));
      log.append(GAME, event('end of 1'), connection('1', 'ended'));
      const next = await reopenKilled(t, log, LIMITS);
      assert.equal(await next.endConnections('n1', end), 200);
      const ends = (await idsOf(next)).slice(201);
      assert.deepEqual(
        ends.sort(),
        numbered(201)
          .map((id) => `end of ${id}`)
          .sort(),
      );
    },
  );
}

function testCursors({ open }: EventLogStores, register: Register): void {
  register('a cursor begins at the end of the log, and only who has claimed it moves it', async (t) => {
    const log = await open(t, LIMITS);
    for (const id of numbered(5)) log.append(GAME, event(id));
    await moved(log);
    const claim = (owner: string, from?: string) => log.claim({ receiver: 'w1', gameId: GAME, owner, from });
    const atEnd = { position: 5, failingSince: undefined };
    assert.deepEqual(await claim('n1'), atEnd);
    assert.equal(await claim('n2'), undefined);
    assert.equal(await claim('n2', 'n3'), undefined);
    assert.deepEqual(await claim('n1'), atEnd);
    assert.equal(await log.save('w1', 'n2', { position: 1, failingSince: 1 }), false);
    assert.equal(await log.save('w1', 'n1', { position: 7, failingSince: 99 }), true);
    assert.deepEqual(await log.cursors(), [{ receiver: 'w1', owner: 'n1' }]);
    assert.deepEqual(await claim('n2', 'n1'), { position: 7, failingSince: 99 });
    assert.equal(await log.save('w1', 'n1', { position: 8, failingSince: undefined }), false);
    await log.release('w1', 'n1');
    assert.equal(await claim('n3'), undefined);
    await log.release('w1', 'n2');
    assert.deepEqual(await claim('n3'), { position: 7, failingSince: 99 });
  });

  register('a cursor that is put somewhere else is taken from whoever has it', async (t) => {
    const log = await open(t, LIMITS);
    await log.claim({ receiver: 'w1', gameId: GAME, owner: 'n1' });
    await log.rewind('w1', GAME, 3);
    assert.equal(await log.save('w1', 'n1', { position: 9, failingSince: undefined }), false);
    const claimed = await log.claim({ receiver: 'w1', gameId: GAME, owner: 'n2' });
    assert.deepEqual(claimed, { position: 3, failingSince: undefined });
    await log.removeCursor('w1');
    assert.deepEqual(await log.cursors(), []);
  });
}

function testWatches({ open }: EventLogStores, register: Register): void {
  register('a game is watched until the latest time that was noted', async (t) => {
    const log = await open(t, LIMITS);
    await log.watch({ id: GAME, name: 'Demo' }, 200);
    await log.watch({ id: GAME, name: 'Demo' }, 100);
    assert.deepEqual(await log.watched(150), [{ id: GAME, name: 'Demo' }]);
    assert.deepEqual(await log.watched(200), []);
  });
}
