import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { databaseSettings, usePostgres, whyNoPostgres } from '../../../test/support/postgres.ts';
import { tlsFiles } from '../../../test/support/tls-files.ts';
import { systemClock } from '../../clock.ts';
import { openPostgres } from '../postgres.ts';

const PASSWORD = 'p@ss/wörd#1';
const server = usePostgres({ tls: tlsFiles('first'), password: PASSWORD });

/** Whether the connection has TLS, or why there is none. */
async function tlsOf(t: TestContext, change: (url: URL) => void, ca?: 'first' | 'second'): Promise<boolean | string> {
  const url = new URL(await server.emptyDatabase(t));
  change(url);
  const settings = {
    ...databaseSettings(url.href),
    databaseCaFile: ca === undefined ? undefined : tlsFiles(ca).certFile,
  };
  try {
    const { log } = recordedLog();
    const { database, sessions } = await openPostgres({ settings, clock: systemClock, log, isWatching: false });
    t.after(() => database.close());
    const { rows } = await sessions.use(({ query }) =>
      query<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()'),
    );
    return rows[0]?.ssl ?? 'no answer';
  } catch (error) {
    assert.equal(Object(error).name, 'StartupError');
    return Object(error).message;
  }
}

describe('[postgres] a password', { skip: whyNoPostgres }, () => {
  test('of the URL lets in every connection, and a wrong one none', async (t) => {
    const url = await server.emptyDatabase(t);
    const { log } = recordedLog();
    const settings = databaseSettings(url);
    const { database, sessions } = await openPostgres({ settings, clock: systemClock, log });
    t.after(() => database.close());
    await database.migrate();
    const { rows } = await sessions.use(({ query }) => query<{ name: string }>('select current_user as name'));
    assert.deepEqual(rows, [{ name: 'postgres' }]);
    const wrong = databaseSettings(url.replace(encodeURIComponent(PASSWORD), 'wrong'));
    await assert.rejects(openPostgres({ settings: wrong, clock: systemClock, log }), {
      name: 'StartupError',
      message: /password authentication failed/,
    });
  });
});

describe('[postgres] TLS to the database', { skip: whyNoPostgres }, () => {
  const mode = (name: string) => (url: URL) => {
    url.search = `?sslmode=${name}`;
  };
  const elsewhere = (name: string) => (url: URL) => {
    url.hostname = '127.0.0.2';
    url.search = `?sslmode=${name}`;
  };

  test('is there as the mode says', async (t) => {
    assert.equal(await tlsOf(t, mode('disable')), false);
    assert.equal(await tlsOf(t, mode('require')), true);
    assert.equal(await tlsOf(t, mode('verify-ca'), 'first'), true);
    assert.equal(await tlsOf(t, mode('verify-full'), 'first'), true);
  });

  test('verifies whose certificate it is, and with verify-full for which host', async (t) => {
    assert.match(String(await tlsOf(t, mode('verify-full'))), /self-signed certificate/);
    assert.match(String(await tlsOf(t, mode('verify-ca'))), /self-signed certificate/);
    for (const name of ['require', 'verify-ca', 'verify-full']) {
      assert.match(String(await tlsOf(t, mode(name), 'second')), /self-signed certificate/, name);
    }
    assert.match(String(await tlsOf(t, elsewhere('verify-full'), 'first')), /does not match certificate's altnames/);
    assert.equal(await tlsOf(t, elsewhere('verify-ca'), 'first'), true);
  });

  test('needs the file of the certificate authority that the settings name', async (t) => {
    const url = await server.emptyDatabase(t);
    const settings = { ...databaseSettings(`${url}?sslmode=verify-full`), databaseCaFile: '/nowhere/ca.pem' };
    const { log } = recordedLog();
    await assert.rejects(openPostgres({ settings, clock: systemClock, log }), {
      name: 'StartupError',
      message: /^RESPARK_DATABASE_CA_FILE: cannot read \/nowhere\/ca\.pem: there is no such file/,
    });
  });
});
