import assert from 'node:assert/strict';
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import pg from 'pg';
import { recordedLog } from '../../../test/support/domain.ts';
import { openMigrated, usePostgres, whyNoPostgres } from '../../../test/support/postgres.ts';
import { until } from '../../../test/support/server.ts';
import { systemClock } from '../../clock.ts';
import { temporaryDirectory } from '../test-store.ts';
import { testEventLog } from './event-log.contract.ts';
import type { EventLog, EventLogLimits } from './event-log.ts';
import { openPostgresEventLog } from './postgres.ts';

const skip = whyNoPostgres;
const server = usePostgres();
const LIMITS = { maxEventsPerGame: 10_000 };

interface Where {
  readonly url: string;
  readonly directory: string;
  readonly node: string;
}

const places = new WeakMap<EventLog, Where>();

async function openAt(t: TestContext, where: Where, limits: EventLogLimits = LIMITS): Promise<EventLog> {
  const { sessions } = await openMigrated(t, where.url);
  const { log } = recordedLog();
  const { directory, node } = where;
  const opened = await openPostgresEventLog({ sessions, directory, node, limits, clock: systemClock, log });
  t.after(() => opened.close());
  places.set(opened, where);
  return opened;
}

describe('[postgres] event log', { skip }, () => {
  testEventLog({
    async open(t, limits) {
      const url = await server.migratedDatabase(t);
      return await openAt(t, { url, directory: temporaryDirectory(t), node: 'n1' }, limits);
    },
    async reopenKilled(t, killed, limits) {
      const where = places.get(killed) as Where;
      const directory = temporaryDirectory(t);
      const journal = join(where.directory, 'events.journal');
      if (existsSync(journal)) copyFileSync(journal, join(directory, 'events.journal'));
      return await openAt(t, { ...where, directory }, limits);
    },
  });
});

test('[postgres] a reader that follows a log to which several nodes append at once misses nothing', {
  skip,
}, async (t) => {
  const url = await server.migratedDatabase(t);
  const names = ['n1', 'n2', 'n3'];
  const nodes = await Promise.all(names.map((node) => openAt(t, { url, directory: temporaryDirectory(t), node })));
  const wanted = names.flatMap((node) => Array.from({ length: 300 }, (_, index) => `${node} ${index}`));
  for (let index = 0; index < 300; index += 1) {
    for (const [number, node] of nodes.entries()) {
      const name = String(names[number]);
      const facts = { type: 'connection.opened', at: index, game: 'Demo', node: name, data: {} };
      node.append('game', { id: `${name} ${index}`, ...facts });
    }
  }
  const [reader] = nodes as [EventLog];
  const seen: string[] = [];
  for (let after = 0; seen.length < wanted.length; ) {
    const { events, missed } = await reader.read('game', { after, limit: 50 });
    assert.equal(missed, 0);
    for (const { position, event } of events) {
      assert.equal(position, after + 1);
      after = position;
      seen.push(event.id);
    }
  }
  assert.deepEqual([...seen].sort(), [...wanted].sort());
  for (const name of names) {
    const own = seen.filter((id) => id.startsWith(name)).map((id) => Number(id.split(' ')[1]));
    assert.deepEqual(
      own,
      Array.from({ length: 300 }, (_, index) => index),
    );
  }
});

test('[postgres] what a killed process is still moving is not moved again by the next', { skip }, async (t) => {
  const url = await server.migratedDatabase(t);
  const event = (id: string) => ({ id, type: 'connection.opened', at: 1, game: 'Demo', node: 'n1', data: {} });
  const where = { url, directory: temporaryDirectory(t), node: 'n1' };
  const killed = await openAt(t, where);
  killed.append('game', event('1'));
  await idsIn(killed, 1);

  const holder = await holdLog(t, url);
  killed.append('game', event('2'));
  const directory = temporaryDirectory(t);
  copyFileSync(join(where.directory, 'events.journal'), join(directory, 'events.journal'));
  await waitForLocks(url, 1);
  const opening = openAt(t, { ...where, directory });
  await waitForLocks(url, 2);
  await holder.query('commit');
  const next = await opening;
  next.append('game', event('3'));
  assert.deepEqual(await idsIn(next, 3), ['1', '2', '3']);
});

test('[postgres] a reader misses no event that comes after the database has lost some, as a fail-over may do', {
  skip,
}, async (t) => {
  const url = await server.migratedDatabase(t);
  const log = await openAt(t, { url, directory: temporaryDirectory(t), node: 'n1' });
  const append = async (...ids: string[]) => {
    for (const id of ids) {
      const event = { id, type: 'stage.opened', at: 1, game: 'Demo', node: 'n1', data: {} };
      assert.ok(log.append('game', event));
    }
    const alive = setInterval(() => {}, 1_000);
    await until(() => log.waiting === 0);
    clearInterval(alive);
  };
  const follow = async (after: number) => {
    const { events, cursor, missed } = await log.read('game', { after, limit: 10 });
    assert.equal(missed, 0);
    return { ids: events.map(({ event: { id } }) => id), cursor };
  };
  await append('1', '2', '3');
  const before = await follow(0);
  assert.deepEqual(before.ids, ['1', '2', '3']);
  await server.execute(url, 'delete from events where position > 1; update event_logs set last = 1');
  await append('4');
  const after = await follow(before.cursor);
  assert.deepEqual(after.ids, ['4']);
  await server.execute(url, 'delete from events; delete from event_logs');
  await append('5', '6');
  assert.deepEqual((await follow(after.cursor)).ids, ['5', '6']);
  await log.removeGame('game');
  assert.deepEqual(await log.ends('game'), { first: 1, last: 0 });
});

test('[postgres] a reader misses no event that another node appends after the database has lost some', {
  skip,
}, async (t) => {
  const url = await server.migratedDatabase(t);
  const openNode = (node: string) => openAt(t, { url, directory: temporaryDirectory(t), node });
  const [log, other] = [await openNode('n1'), await openNode('n2')];
  const event = (id: string) => ({ id, type: 'stage.opened', at: 1, game: 'Demo', node: 'n1', data: {} });
  for (const id of ['1', '2', '3']) log.append('game', event(id));
  await idsIn(log, 3);
  await server.execute(url, 'delete from events where position > 1; update event_logs set last = 1');
  const { events, cursor } = await log.read('game', { after: 3, limit: 10 });
  assert.deepEqual([events, cursor], [[], 1]);
  other.append('game', event('4'));
  await idsIn(other, 2);
  const after = await log.read('game', { after: cursor, limit: 10 });
  assert.deepEqual([after.events.map(({ event: { id } }) => id), after.missed], [['4'], 0]);
});

test('[postgres] a node that removes old events keeps nobody waiting who appends to a full log', {
  skip,
}, async (t) => {
  const url = await server.migratedDatabase(t);
  const log = await openAt(t, { url, directory: temporaryDirectory(t), node: 'n1' });
  for (const id of ['1', '2', '3']) {
    log.append('game', { id, type: 'stage.opened', at: 1, game: 'Demo', node: 'n1', data: {} });
  }
  await idsIn(log, 3);
  const holder = await holdLog(t, url);
  const removing = log.removeBefore(2);
  await waitForLocks(url, 1);
  await holder.query("set local lock_timeout = 500; delete from events where game_id = 'game' and position < 3");
  await holder.query('commit');
  await removing;
  assert.deepEqual(await log.ends('game'), { first: 4, last: 3 });
});

test('[postgres] a game is removed beside a node that ends its connections, and neither waits for what the other has', {
  skip,
}, async (t) => {
  const url = await server.migratedDatabase(t);
  const log = await openAt(t, { url, directory: temporaryDirectory(t), node: 'n1' });
  const event = { id: '1', type: 'connection.opened', at: 1, game: 'Demo', node: 'n1', data: {} };
  log.append('game', event, { id: 'c1', owner: 'n1', change: 'opened' });
  await idsIn(log, 1);
  const holder = await connect(t, url);
  await holder.query("begin; set local lock_timeout = 500; delete from event_connections where connection_id = 'c1'");
  const removing = log.removeGame('game');
  await waitForLocks(url, 1);
  await holder.query("update event_logs set last = last + 1 where game_id = 'game'");
  await holder.query('rollback');
  await removing;
  assert.deepEqual(await log.ends('game'), { first: 1, last: 0 });
});

/** A connection in whose transaction the log of the game is locked, as it is for a node that appends to it. */
async function holdLog(t: TestContext, url: string): Promise<pg.Client> {
  const holder = await connect(t, url);
  await holder.query("begin; select from event_logs where game_id = 'game' for update");
  return holder;
}

async function connect(t: TestContext, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  // Its database is removed first.
  client.on('error', () => {});
  t.after(() => client.end());
  await client.connect();
  return client;
}

/** Waits until this many connections wait for a lock. */
async function waitForLocks(url: string, count: number): Promise<void> {
  const waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
  while ((await server.execute(url, waiting)).length < count) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Reads until there are this many events. */
async function idsIn(log: EventLog, count: number): Promise<string[]> {
  for (;;) {
    const { events } = await log.read('game', { after: 0, limit: 50 });
    if (events.length >= count) return events.map(({ event: { id } }) => id);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
