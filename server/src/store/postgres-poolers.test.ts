import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { findPgbouncerFault, startPgbouncer } from '../../test/support/pgbouncer.ts';
import { databaseSettings, usePostgres, whyNoPostgres } from '../../test/support/postgres.ts';
import { until } from '../../test/support/server.ts';
import { systemClock } from '../clock.ts';
import { examinePostgres } from './examine-postgres.ts';
import { openPostgres } from './postgres.ts';

const server = usePostgres();

/** As a pooler is set that has refused a node because of what others send with the beginning of a connection. */
const LENIENT = { ignore_startup_parameters: 'statement_timeout,lock_timeout,idle_in_transaction_session_timeout' };

async function open(t: TestContext, url: string) {
  const { log, lines } = recordedLog();
  const postgres = await openPostgres({ settings: databaseSettings(url), clock: systemClock, log });
  t.after(() => postgres.database.close());
  return { ...postgres, lines };
}

describe('[postgres] behind a pooler', { skip: whyNoPostgres || findPgbouncerFault() }, () => {
  for (const poolSize of ['20', '2', '1']) {
    test(`of ${poolSize} connections that lends them for a transaction, a node refuses to start`, async (t) => {
      const databaseUrl = await server.migratedDatabase(t);
      const settings = { ...LENIENT, default_pool_size: poolSize };
      const url = await startPgbouncer(t, { databaseUrl, mode: 'transaction', ...settings });
      await assert.rejects(open(t, url), {
        name: 'StartupError',
        message: /a notification of another connection does not arrive.*pool_mode = session/,
      });
      const found = await examinePostgres({
        settings: databaseSettings(url),
        clock: systemClock,
        log: recordedLog().log,
      });
      assert.match(found.find(({ state }) => state === 'fail')?.detail ?? '', /does not arrive/);
      const locks = await server.execute(databaseUrl, `select 1 from pg_locks where locktype = 'advisory'`);
      assert.deepEqual(locks, []);
    });
  }

  test('that keeps a connection for each client, changes of others count and limits hold', async (t) => {
    const databaseUrl = await server.migratedDatabase(t);
    for (const settings of [{}, LENIENT]) {
      const url = await startPgbouncer(t, { databaseUrl, mode: 'session', ...settings });
      const { database, sessions } = await open(t, url);
      const read = async (name: string) => {
        const { rows } = await sessions.use(({ query }) => query<{ value: string }>(`show ${name}`));
        return Object.values(rows[0] ?? {})[0];
      };
      assert.equal(await read('statement_timeout'), '10s');
      assert.equal(await read('lock_timeout'), '5s');
      assert.equal(await read('idle_in_transaction_session_timeout'), '3s');
      await until(() => database.foreignVersion() !== undefined);
      const before = database.foreignVersion();
      await server.execute(databaseUrl, 'notify respark_changes');
      await until(() => database.foreignVersion() !== before && database.foreignVersion() !== undefined);
    }
  });
});
