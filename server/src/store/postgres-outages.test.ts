import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { databaseSettings, usePostgres, whyNoPostgres } from '../../test/support/postgres.ts';
import { until } from '../../test/support/server.ts';
import { systemClock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { BEGIN_ALONE } from './postgres/dialect.ts';
import { openPostgres } from './postgres.ts';
import { createStore } from './sql-store.ts';

const server = usePostgres();

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
    // Nobody takes the answer, which is longer than the buffers on its way.
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
