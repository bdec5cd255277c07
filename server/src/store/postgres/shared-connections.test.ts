import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { shareConnections } from './shared-connections.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** A pool of a database that has room for this many connections. */
function open(room: number) {
  const refusal = Object.assign(new pg.DatabaseError('too many connections', 0, 'error'), { code: '53300' });
  const database = { room, isAway: false, attempts: 0 };
  let idle = 0;
  const pool = {
    get idleCount() {
      return idle;
    },
    async connect() {
      database.attempts += 1;
      if (idle > 0) {
        idle -= 1;
        return {} as pg.PoolClient;
      }
      await nextTurn();
      if (database.isAway) throw new Error('nobody is there');
      if (database.room === 0) throw refusal;
      database.room -= 1;
      return {} as pg.PoolClient;
    },
  } as Parameters<typeof shareConnections>[0]['pool'];
  const clock = new ManualClock();
  const shared = shareConnections({ pool, clock, timeoutMs: 1_000 });
  const giveBack = ({ isBroken = false } = {}) => {
    if (!isBroken) idle += 1;
    shared.released();
  };
  return { database, refusal, clock, shared, giveBack };
}

test('calls that find no room wait for those that have a connection, one after the other', async () => {
  const { shared, giveBack, clock } = open(1);
  const order: number[] = [];
  const taking = Array.from({ length: 4 }, (_, call) => shared.take().then(() => order.push(call)));
  for (let call = 1; call <= 4; call += 1) {
    for (let turn = 0; turn < 4; turn += 1) await nextTurn();
    assert.deepEqual([order.length, shared.waitingCount], [call, 4 - call]);
    giveBack();
  }
  await Promise.all(taking);
  assert.equal(clock.pending, 0);
});

test('no call waits when no call has a connection, however many find none at once', async () => {
  const { shared, refusal, clock, database } = open(0);
  const ended = await Promise.allSettled(Array.from({ length: 10 }, () => shared.take()));
  assert.ok(ended.every((each) => each.status === 'rejected' && each.reason === refusal));
  assert.deepEqual([shared.waitingCount, clock.pending, database.attempts], [0, 0, 10]);
});

test('calls that wait are told at once when the connection is lost that they wait for, and there is no other', async () => {
  const { shared, giveBack, clock, database } = open(1);
  await shared.take();
  const taking = Promise.allSettled(Array.from({ length: 10 }, () => shared.take()));
  for (let turn = 0; turn < 4; turn += 1) await nextTurn();
  assert.equal(shared.waitingCount, 10);
  database.isAway = true;
  giveBack({ isBroken: true });
  const ended = await taking;
  assert.ok(ended.every((each) => each.status === 'rejected' && /nobody is there/.test(String(each.reason))));
  assert.deepEqual([shared.waitingCount, clock.pending, database.attempts], [0, 0, 12]);
});

test('a call that finds no room waits for one that may be about to get a connection', async () => {
  const refusal = Object.assign(new pg.DatabaseError('too many connections', 0, 'error'), { code: '53300' });
  const client = {} as pg.PoolClient;
  let answerFirst = (_: pg.PoolClient) => {};
  const first = new Promise<pg.PoolClient>((resolve) => {
    answerFirst = resolve;
  });
  const answers = [first, Promise.reject(refusal), Promise.resolve(client)];
  const pool = { idleCount: 0, connect: () => answers.shift() } as unknown as Parameters<
    typeof shareConnections
  >[0]['pool'];
  const clock = new ManualClock();
  const shared = shareConnections({ pool, clock, timeoutMs: 1_000 });
  const taking = [shared.take(), shared.take()];
  await nextTurn();
  assert.equal(shared.waitingCount, 1);
  answerFirst(client);
  assert.equal(await taking[0], client);
  shared.released();
  assert.equal(await taking[1], client);
  assert.deepEqual([shared.waitingCount, clock.pending], [0, 0]);
});
