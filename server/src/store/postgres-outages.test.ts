import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { databaseSettings, usePostgres, whyNoPostgres } from '../../test/support/postgres.ts';
import { systemClock } from '../clock.ts';
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
});
