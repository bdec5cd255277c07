import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from '../../../test/support/faults-of.ts';
import { parseDatabaseAddress } from '../../database-address.ts';
import { loadSettings, settingsForDisplay } from '../config.ts';

const SECRET_KEY = { RESPARK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') };

test('a URL says where the database is, who signs in, and what TLS must prove', () => {
  const whole = 'postgres://re%40spark:p%2Fw%23@db.example:6432/game_data?sslmode=verify-ca';
  assert.deepEqual(parseDatabaseAddress(whole), {
    host: 'db.example',
    port: 6432,
    user: 're@spark',
    password: 'p/w#',
    database: 'game_data',
    tls: 'verify-ca',
  });
  const near = { host: 'localhost', port: 5432, user: 'me', password: undefined, database: 'd', tls: 'disable' };
  assert.deepEqual(parseDatabaseAddress('postgresql://me@localhost/d'), near);
  assert.deepEqual(parseDatabaseAddress('postgres://me@localhost/d?host=/run/postgresql'), {
    ...near,
    host: '/run/postgresql',
  });
  assert.deepEqual(parseDatabaseAddress('postgres://me@%2Frun%2Fpg/d'), { ...near, host: '/run/pg' });
  assert.deepEqual(parseDatabaseAddress('postgres://me@[::1]:1/d'), { ...near, host: '::1', port: 1 });
});

test('a connection that leaves the machine proves the server by TLS unless the URL says otherwise', () => {
  const modeOf = (url: string) => Object(parseDatabaseAddress(url)).tls;
  assert.equal(modeOf('postgres://me@db.example/d'), 'verify-full');
  assert.equal(modeOf('postgres://me@10.0.0.1/d'), 'verify-full');
  assert.equal(modeOf('postgres://me@127.0.0.1/d'), 'disable');
  assert.equal(modeOf('postgres://me@127.0.0.1/d?sslmode=require'), 'require');
  assert.equal(modeOf('postgres://me@db.example/d?sslmode=disable'), 'disable');
});

for (const [url, reason] of [
  ['mysql://me@db/d', /must begin with postgres:/],
  ['postgres://me:hidden@/ss@db/d', /percent-encode/],
  ['postgres://me:hid/den@db/d', /not a URL; percent-encode/],
  ['postgres://db/d', /names no user/],
  ['postgres://me@db', /names no database/],
  ['postgres://me@a,b/d', /one host/],
  ['postgres://me@db/d?sslmode=prefer', /sslmode must be disable, require, verify-ca or verify-full/],
  ['postgres://me@db/d?sslcert=x', /only host and sslmode are known/],
  ['postgres://m%e:hidden@db/d', /percent-encoding is broken/],
] as const) {
  test(`${url.replace(/:[^/]*@/, ':…@')} is refused, and not shown`, () => {
    const [fault = '', ...others] = faultsOf({ RESPARK_DATABASE_URL: url, ...SECRET_KEY });
    assert.deepEqual(others, []);
    assert.match(fault, /^RESPARK_DATABASE_URL must be postgres:.*got something else \(not shown\)/);
    assert.match(fault, reason);
    assert.ok(!fault.includes('hidden') && !fault.includes(url));
  });
}

test('the URL is a secret: it has no flag, is never displayed, and may be in a file', () => {
  const env = { RESPARK_DATABASE_URL: 'postgres://me:hidden@127.0.0.1/d', ...SECRET_KEY };
  const settings = loadSettings({ env });
  assert.equal(settings.databaseUrl, env.RESPARK_DATABASE_URL);
  assert.ok(!JSON.stringify(settingsForDisplay(settings)).includes('hidden'));
});

test('a database needs the secret key from the settings, and a certificate authority needs a database', () => {
  const url = { RESPARK_DATABASE_URL: 'postgres://me@127.0.0.1/d' };
  assert.match(String(faultsOf(url)), /^RESPARK_DATABASE_URL is set without RESPARK_SECRET_KEY, so /);
  assert.match(String(faultsOf({ RESPARK_DATABASE_CA_FILE: 'ca.pem' })), /is set without RESPARK_DATABASE_URL/);
  assert.deepEqual(faultsOf({ ...url, ...SECRET_KEY, RESPARK_DATABASE_CA_FILE: 'ca.pem' }), []);
});
