import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import pg from 'pg';
import { recordedLog } from '../../../test/support/domain.ts';
import { databaseSettings, usePostgres, whyNoPostgres } from '../../../test/support/postgres.ts';
import { until } from '../../../test/support/server.ts';
import { systemClock, withTimeout } from '../../clock.ts';
import { openPostgres } from '../postgres.ts';
import { type Claim, createClaim, type Presence } from './presence.ts';

const skip = whyNoPostgres;
const server = usePostgres();
const SOON_MS = 700;

/** A server on the database, which has not claimed its presence yet; its clock can be set forward. */
async function open(t: TestContext, url: string, presence: Presence) {
  const { log, lines } = recordedLog();
  let offsetMs = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + offsetMs };
  const { database, claimed, displaced, countServers } = await openPostgres({
    settings: databaseSettings(url),
    clock,
    log,
    presence,
  });
  let isOpen = true;
  const close = async () => {
    if (isOpen) await database.close();
    isOpen = false;
  };
  t.after(close);
  const pass = (ms: number) => {
    offsetMs += ms;
  };
  return { claimed, displaced, countServers, close, lines, pass };
}

test('[postgres] a server that is no node of a cluster has the database for itself, until it ends', {
  skip,
}, async (t) => {
  const url = await server.emptyDatabase(t);
  const first = await open(t, url, 'alone');
  await first.claimed(5_000);
  const next = await open(t, url, 'alone');
  const refused = { name: 'StartupError', message: /^another server uses the database .*RESPARK_REDIS_URL$/ };
  await assert.rejects(next.claimed(SOON_MS), refused);
  const node = await open(t, url, { directory: 'one' });
  await assert.rejects(node.claimed(SOON_MS), { message: /^a server without RESPARK_REDIS_URL uses the database/ });
  assert.equal(next.lines.filter(({ msg }) => /waiting for the end of another server/.test(msg)).length, 1);
  await node.close();
  await first.close();
  await next.claimed(5_000);
});

test('[postgres] nodes of a cluster use a database together, and bear no other server there', { skip }, async (t) => {
  const url = await server.emptyDatabase(t);
  const nodes = [await open(t, url, { directory: 'one' }), await open(t, url, { directory: 'one' })];
  for (const { claimed } of nodes) await claimed(5_000);
  assert.equal(await nodes[0]?.countServers(), 2);
  const other = await open(t, url, 'alone');
  await assert.rejects(other.claimed(SOON_MS), { name: 'StartupError' });
});

test('[postgres] a node with a copy of another’s data directory is refused, and keeps nobody off', {
  skip,
}, async (t) => {
  const url = await server.emptyDatabase(t);
  const first = await open(t, url, { directory: 'one', journal: 'a' });
  await first.claimed(5_000);
  const copy = await open(t, url, { directory: 'one', journal: 'a' });
  const message = /^a server with a copy of this data directory uses the database .*empty data directory/;
  await assert.rejects(copy.claimed(SOON_MS), { name: 'StartupError', message });
  const second = await open(t, url, { directory: 'one', journal: 'b' });
  await second.claimed(5_000);
  // A server that waited in vain must have given back the lock of its journal.
  const strange = await open(t, url, { directory: 'two', journal: 'c' });
  await assert.rejects(strange.claimed(SOON_MS), { name: 'StartupError' });
  const third = await open(t, url, { directory: 'one', journal: 'c' });
  await third.claimed(5_000);
  await first.close();
  await copy.claimed(5_000);
});

test('[postgres] nodes that would not find each other’s players in Redis use no database together', {
  skip,
}, async (t) => {
  const url = await server.emptyDatabase(t);
  const first = await open(t, url, { directory: 'one' });
  await first.claimed(5_000);
  const strange = await open(t, url, { directory: 'two' });
  const message =
    /^nodes with another RESPARK_REDIS_PREFIX, RESPARK_REDIS_PARTITIONS or RESPARK_LEASE_MS use the database .*: give all/;
  await assert.rejects(strange.claimed(SOON_MS), { name: 'StartupError', message });
  // While it waits, it keeps no node off that fits.
  const second = await open(t, url, { directory: 'one' });
  await second.claimed(5_000);
  await first.close();
  await second.close();
  await strange.claimed(5_000);
});

test('[postgres] a server that loses its connection claims the database again, and says so when it cannot', {
  skip,
}, async (t) => {
  const url = await server.emptyDatabase(t);
  await server.execute(url, 'create role of_the_first login');
  const first = await open(t, url.replace('postgres@', 'of_the_first@'), 'alone');
  await first.claimed(5_000);
  const next = await open(t, url, 'alone');
  // The first cannot connect again before the next one has its place.
  await server.execute(url, 'alter role of_the_first nologin');
  await server.execute(url, `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'of_the_first'`);
  await next.claimed(5_000);
  await server.execute(url, 'alter role of_the_first login');
  const messages = () => first.lines.map(({ msg }) => msg);
  await until(() => messages().includes('changes of other nodes are heard of again'));
  const error = 'another server uses the database since this one lost its connection';
  assert(!messages().includes(error));
  first.pass(31_000);
  await until(() => messages().includes(error));
});

const AS_BOTH = ['alone', { directory: 'one', journal: 'a' }] as const;

/** The advice to a displaced server, at the beat that finds the other one there. */
const adviceOf = async ({ displaced }: Claim) => await withTimeout(displaced, 1_000, systemClock);

/** A server's claim, and connections for it. */
async function claimBy(t: TestContext, url: string, presence: Presence) {
  const claim = createClaim({ presence, clock: systemClock, log: recordedLog().log });
  let isDisplaced = false;
  void claim.displaced.then(() => {
    isDisplaced = true;
  });
  const connect = async () => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    t.after(() => client.end());
    await client.connect();
    return client;
  };
  return { claim, connect, isDisplaced: () => isDisplaced };
}

test('[postgres] a server that has lost its connection, and finds another one in its place, is displaced', {
  skip,
}, async (t) => {
  for (const presence of AS_BOTH) {
    const url = await server.emptyDatabase(t);
    const { claim, connect, isDisplaced } = await claimBy(t, url, presence);
    const lost = await connect();
    await claim.beat(lost);
    await lost.end();
    const other = await claimBy(t, url, 'alone');
    const others = await other.connect();
    await until(async () => {
      await other.claim.beat(others);
      return other.claim.outcome === 'made';
    });
    claim.begin();
    const connection = await connect();
    await claim.beat(connection);
    assert.deepEqual([claim.outcome, isDisplaced()], ['taken', false], 'the other may only be trying');
    await claim.beat(connection);
    assert.match(await adviceOf(claim), /^stop one of them, or make both nodes/);
    await other.claim.beat(others);
    assert.equal(other.isDisplaced(), false);
  }
});

test('[postgres] a node in whose place one with a copy of its data directory is says so', { skip }, async (t) => {
  const url = await server.emptyDatabase(t);
  const node = { directory: 'one', journal: 'a' } as const;
  const { claim, connect } = await claimBy(t, url, node);
  const lost = await connect();
  await claim.beat(lost);
  await lost.end();
  const copy = await claimBy(t, url, node);
  const connectionOfCopy = await copy.connect();
  await until(async () => {
    await copy.claim.beat(connectionOfCopy);
    return copy.claim.outcome === 'made';
  });
  claim.begin();
  const connection = await connect();
  for (let beat = 0; beat < 2; beat += 1) await claim.beat(connection);
  assert.match(await adviceOf(claim), /^give each node a data directory of its own/);
});

test('[postgres] a node in whose place nodes with another directory are says so', { skip }, async (t) => {
  const url = await server.emptyDatabase(t);
  const { claim, connect } = await claimBy(t, url, { directory: 'one', journal: 'a' });
  const lost = await connect();
  await claim.beat(lost);
  await lost.end();
  const strange = await claimBy(t, url, { directory: 'two', journal: 'b' });
  const strangers = await strange.connect();
  await until(async () => {
    await strange.claim.beat(strangers);
    return strange.claim.outcome === 'made';
  });
  claim.begin();
  const connection = await connect();
  for (let beat = 0; beat < 2; beat += 1) await claim.beat(connection);
  assert.equal(claim.outcome, 'other_directory');
  assert.match(await adviceOf(claim), /^give all nodes the same RESPARK_REDIS_PREFIX/);
});

test('[postgres] a server whose former connection is still there takes its place from it, and is not displaced', {
  skip,
}, async (t) => {
  for (const presence of AS_BOTH) {
    const url = await server.emptyDatabase(t);
    const { claim, connect, isDisplaced } = await claimBy(t, url, presence);
    await claim.beat(await connect());
    const node = await claimBy(t, url, { directory: 'one', journal: 'b' });
    if (presence !== 'alone') await node.claim.beat(await node.connect());
    claim.begin();
    const connection = await connect();
    await until(async () => {
      await claim.beat(connection);
      return claim.outcome === 'made';
    });
    assert.deepEqual([isDisplaced(), node.isDisplaced()], [false, false]);
  }
});

test('[postgres] a node that is stopped while it asks for a place keeps nobody off', { skip }, async (t) => {
  const url = await server.emptyDatabase(t);
  const first = await open(t, url, { directory: 'one' });
  await first.claimed(5_000);
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  t.after(() => client.end());
  await client.connect();
  const { log } = recordedLog();
  const stopped = createClaim({ presence: { directory: 'two' }, clock: systemClock, log });
  // PostgreSQL has answered, but the answer has not been read.
  await new Promise<void>((resolve) => {
    const query = async (text: string): Promise<never> => {
      await client.query(text);
      resolve();
      return await new Promise(() => {});
    };
    void stopped.beat({ query });
  });
  const second = await open(t, url, { directory: 'one' });
  await second.claimed(5_000);
});

test('[postgres] a server that loses its connection while it waits for another one gives up, and says so', {
  skip,
}, async (t) => {
  const url = await server.emptyDatabase(t);
  await server.execute(url, 'create role of_the_other login');
  const first = await open(t, url, { directory: 'one' });
  await first.claimed(5_000);
  const strange = await open(t, url.replace('postgres@', 'of_the_other@'), { directory: 'two' });
  const refused = assert.rejects(strange.claimed(20_000), {
    name: 'StartupError',
    message: /^the connection was lost while this server waited for the end of another one that uses the database /,
  });
  await until(() => strange.lines.some(({ msg }) => /waiting for the end of another server/.test(String(msg))));
  // As when PostgreSQL starts anew, when the first would lose its place in the same moment.
  await server.execute(url, `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'of_the_other'`);
  await refused;
});
