import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { databaseSettings, usePostgres, whyNoPostgres } from '../../test/support/postgres.ts';
import { until } from '../../test/support/server.ts';
import { systemClock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { BEGIN_ALONE } from './postgres/dialect.ts';
import { openPostgres } from './postgres.ts';
import { createStore } from './sql-store.ts';
import { sampleKey } from './store-samples.ts';

const server = usePostgres();
/** The one that takes the place of the other after a fail-over. */
const successor = usePostgres();

async function open(t: TestContext, url: string) {
  const { log } = recordedLog();
  const { database, sessions } = await openPostgres({ settings: databaseSettings(url), clock: systemClock, log });
  t.after(() => database.close());
  return { database, sessions, store: createStore(database) };
}

describe('[postgres] an outage', { skip: whyNoPostgres }, () => {
  test('of a node that stops while it is sent much within a transaction keeps the others out for seconds only', async (t) => {
    const url = await server.migratedDatabase(t);
    const [a, b] = [await open(t, url), await open(t, url)];
    const stopped = await a.sessions.connectAlone();
    t.after(() => stopped.cut());
    await stopped.query(BEGIN_ALONE);
    // The answer is not read, and it is longer than the buffers on its way.
    (stopped as unknown as { connection: { stream: Socket } }).connection.stream.pause();
    stopped.query("select repeat('x', 60000000)").catch(() => {});
    const isWritten = () =>
      b.store.meta.set('kept', '1').then(
        () => true,
        () => false,
      );
    const startedAt = performance.now();
    while (!(await isWritten())) assert.ok(performance.now() - startedAt < 25_000);
  });

  test('of some tables leaves connections for the others, however many strangers ask for what is not there', async (t) => {
    const url = await server.migratedDatabase(t);
    const { store } = await open(t, url);
    const locked = server.execute(
      url,
      'begin; lock table stages, access_keys in access exclusive mode; select pg_sleep(2)',
    );
    const isLocked = "select 1 from pg_locks where granted and mode = 'AccessExclusiveLock'";
    while ((await server.execute(url, isLocked)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    let found = 0;
    const strangers = Array.from({ length: 100 }, async (_, at) => {
      await Promise.all([store.stages.findByGameKey(`none${at}`), store.accessKeys.find(`NONE${at}`)]);
      found += 1;
    });
    await store.meta.get('a');
    assert.equal(found, 0);
    await Promise.all([locked, ...strangers]);
  });

  test('of room on the disk is told as what it is, and may be over later', async (t) => {
    const { sessions } = await open(t, await server.migratedDatabase(t));
    const full = "do $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$";
    await assert.rejects(
      sessions.use(({ query }) => query(full)),
      (error: ServiceError) =>
        /the disk of the database is full: try again/.test(error.message) && error.retryAfterMs === 1_000,
    );
  });

  test('of room for connections leaves all calls those that the node has', async (t) => {
    const url = new URL(await server.migratedDatabase(t));
    await server.execute(url.href, 'create role few login connection limit 2');
    url.username = 'few';
    const { database, sessions } = await open(t, url.href);
    await until(() => database.foreignVersion() !== undefined);
    for (let round = 0; round < 60; round += 1) {
      const startedAt = performance.now();
      const each = Array.from({ length: 1 + (round % 6) }, () => sessions.use(({ query }) => query('select 1')));
      await Promise.all(each);
      // A call that hears of no connection that was given back waits for as long as for one that is not answered.
      assert.ok(performance.now() - startedAt < 2_000);
    }
  });

  test('of room for connections is told at once when those that the node had are of no use any more', async (t) => {
    const url = new URL(await server.migratedDatabase(t));
    await server.execute(url.href, 'create role fewer login connection limit 3');
    const owner = url.href;
    url.username = 'fewer';
    const { database, sessions } = await open(t, url.href);
    await until(() => database.foreignVersion() !== undefined);
    await sessions.use(({ query }) => query('select 1'));
    await server.execute(owner, 'alter role fewer connection limit 0');
    // As after a fail-over: connections from before are given up when they are taken.
    sessions.renew();
    for (let call = 0; call < 2; call += 1) {
      const startedAt = performance.now();
      await assert.rejects(
        sessions.use(({ query }) => query('select 1')),
        /cannot be reached/,
      );
      assert.ok(performance.now() - startedAt < 2_000);
    }
  });

  test('in which the database lets nobody in may be over soon, so that calls may be tried again', async (t) => {
    const url = await server.migratedDatabase(t);
    const { database, store } = await open(t, url);
    await until(() => database.foreignVersion() !== undefined);
    const name = new URL(url).pathname.slice(1);
    const execute = (statement: string) => server.execute(new URL('/postgres', url).href, statement);
    await execute(`alter database ${name} allow_connections false`);
    await execute(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
    await until(() => database.foreignVersion() === undefined);
    const isRetryable = (error: unknown) => error instanceof ServiceError && error.retryAfterMs !== undefined;
    await assert.rejects(store.meta.set('a', '1'), isRetryable);
    await assert.rejects(async () => await store.meta.get('a'), isRetryable);
    await execute(`alter database ${name} allow_connections true`);
    await until(() => database.foreignVersion() !== undefined);
    await store.meta.set('a', '1');
  });
});

/** An address that leads each new connection where `lead` says last; those that are there stay where they are. */
async function openAddress(t: TestContext, url: string) {
  let target = new URL(url);
  const sockets = new Set<Socket>();
  const listener = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {}).on('close', () => other.destroy());
      one.pipe(other);
    }
  });
  t.after(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = new URL(url);
  address.port = String((listener.address() as AddressInfo).port);
  return {
    url: address.href,
    lead(to: string) {
      target = new URL(to);
    },
  };
}

describe('[postgres] after a fail-over', { skip: whyNoPostgres }, () => {
  let moved = 0;

  /** A database of the same name on either server. */
  async function migrated(t: TestContext, at: typeof server): Promise<string> {
    const url = await at.migratedDatabase(t);
    const name = `moved_${moved}`;
    const rename = `alter database ${new URL(url).pathname.slice(1)} rename to ${name}`;
    await at.execute(new URL('/postgres', url).href, rename);
    return new URL(`/${name}`, url).href;
  }

  /** A node whose address leads to a new primary from now on. A key that the node knows was revoked there. */
  async function failOver(t: TestContext) {
    moved += 1;
    const [before, after] = [await migrated(t, server), await migrated(t, successor)];
    const address = await openAddress(t, before);
    const node = await open(t, address.url);
    for (const { store } of [node, await open(t, after)]) await store.accessKeys.insert(sampleKey('A'));
    const find = async () => await node.store.accessKeys.find('A');
    await until(() => node.database.foreignVersion() !== undefined);
    assert.equal((await find())?.revokedAt, undefined);
    address.lead(after);
    await successor.execute(after, "update access_keys set revoked_at = 5 where id = 'A'");
    return { before, after, node, find };
  }

  async function takeWrites(url: string, isOn: boolean): Promise<void> {
    const all = new URL('/postgres', url).href;
    await server.execute(all, `alter system set default_transaction_read_only = ${isOn ? 'off' : 'on'}`);
    await server.execute(all, 'select pg_reload_conf()');
  }

  async function assertLearns(find: () => Promise<{ readonly revokedAt: number | undefined } | undefined>) {
    const startedAt = performance.now();
    while ((await find().catch(() => undefined))?.revokedAt !== 5) {
      assert.ok(performance.now() - startedAt < 5_000, 'the node still asks the old server');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  test('the old server is left when it takes no writes any more, though it still answers', async (t) => {
    const { before, after, node, find } = await failOver(t);
    await takeWrites(before, false);
    t.after(() => takeWrites(before, true));
    await assertLearns(find);
    await until(() => node.database.foreignVersion() !== undefined);
    await node.store.meta.set('a', '1');
    assert.equal((await successor.execute(after, "select value from meta where key = 'a'"))[0]?.value, '1');
    assert.equal((await find())?.revokedAt, 5);
  });

  test('the old server is left as soon as a new connection leads to another', async (t) => {
    const { node, find } = await failOver(t);
    await Promise.all(Array.from({ length: 3 }, () => node.sessions.use(({ query }) => query('select pg_sleep(0.2)'))));
    await assertLearns(find);
    await until(() => node.database.foreignVersion() !== undefined);
  });

  test('a server that takes no writes for a while is read, and nothing is remembered meanwhile', async (t) => {
    const url = await server.migratedDatabase(t);
    const { database, store } = await open(t, url);
    await store.accessKeys.insert(sampleKey('A'));
    await until(() => database.foreignVersion() !== undefined);
    t.after(() => takeWrites(url, true));
    await takeWrites(url, false);
    await until(() => database.foreignVersion() === undefined);
    assert.equal((await store.accessKeys.find('A'))?.id, 'A');
    await assert.rejects(store.meta.set('a', '1'), { code: 'internal' });
    await takeWrites(url, true);
    await until(() => database.foreignVersion() !== undefined);
    await store.meta.set('a', '1');
  });
});
