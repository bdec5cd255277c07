import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { databaseSettings, usePostgres, whyNoPostgres } from '../../test/support/postgres.ts';
import { systemClock } from '../clock.ts';
import { examinePostgres, judgeDatabase } from './examine-postgres.ts';
import { SCHEMA_VERSION } from './migrations/migrate.ts';
import { BESIDE_VERSION } from './postgres/migrations.ts';

const skip = whyNoPostgres;
const server = usePostgres();

const GOOD = {
  ...{ version: '15.8', store: SCHEMA_VERSION, beside: BESIDE_VERSION, mayCreate: true, isReadOnly: false },
  ...{ maxConnections: 97, fsync: 'on', synchronousCommit: 'on', hears: true },
};

test('a database with the tables of this version, or without any, is fine', () => {
  const judge = (change = {}) => judgeDatabase({ ...GOOD, ...change }, { databasePoolSize: 10 });
  assert.deepEqual(judge(), [{ state: 'ok', detail: 'PostgreSQL 15.8, with the tables of this version' }]);
  const [finding, ...rest] = judge({ store: 0, beside: 0 });
  assert.deepEqual([finding?.state, rest], ['ok', []]);
  assert.match(finding?.detail ?? '', /without tables yet/);
  assert.equal(judge({ mayCreate: false })[0]?.state, 'ok');
  assert.equal(judge({ maxConnections: 11 })[0]?.state, 'ok');
});

for (const [name, change, state, pattern] of [
  ['a database that nothing can be written to', { isReadOnly: true }, 'fail', /read_only/],
  ['a pooler in the wrong mode', { hears: false }, 'fail', /a notification of another connection does not arrive/],
  ['a user that may not make the tables', { store: 0, beside: 0, mayCreate: false }, 'fail', /may not make them/],
  ['a user that may not migrate', { store: SCHEMA_VERSION - 1, mayCreate: false }, 'fail', /may not make them/],
  ['tables of an older version', { store: SCHEMA_VERSION - 1 }, 'warn', /older version/],
  ['older tables beside the store', { beside: 0 }, 'warn', /older version/],
  ['too few connections', { maxConnections: 10 }, 'fail', /lets 10 connections in, and a node may need 11/],
  ['a server that does not synchronise its disk', { fsync: 'off' }, 'warn', /fsync is off/],
  ['commits that are not waited for', { synchronousCommit: 'off' }, 'warn', /synchronous_commit is off/],
] as const) {
  test(`${name} is found`, () => {
    const [finding, ...rest] = judgeDatabase({ ...GOOD, ...change }, { databasePoolSize: 10 });
    assert.deepEqual([finding?.state, rest.length], [state, 0]);
    assert.match(finding?.detail ?? '', pattern);
    assert.notEqual(finding?.advice, undefined);
  });
}

test('[postgres] a real server is looked at without a change, and one that is away or of no use is a StartupError', {
  skip,
}, async (t) => {
  const { log } = recordedLog();
  const examine = (url: string) => examinePostgres({ settings: databaseSettings(url), clock: systemClock, log });
  const empty = await server.emptyDatabase(t);
  // The servers of the tests do not synchronise the disk.
  const [finding, ...rest] = await examine(empty);
  assert.deepEqual([finding?.state, rest], ['warn', []]);
  assert.match(finding?.detail ?? '', /fsync is off/);
  assert.deepEqual(await server.execute(empty, `select 1 from pg_tables where schemaname = 'public'`), []);
  const migrated = await server.migratedDatabase(t);
  await server.execute(migrated, `delete from beside_version`);
  const outdated = await examine(migrated);
  assert.deepEqual(
    outdated.map(({ advice }) => advice),
    ['respark migrate, or start a server, which does the same', 'set fsync to on'],
  );
  await server.execute(migrated, `insert into schema_version values (99)`);
  await assert.rejects(examine(migrated), { name: 'StartupError', message: /schema version 99/ });
  const nowhere = empty.replace(/:\d+\//, ':1/');
  await assert.rejects(examine(nowhere), { name: 'StartupError', message: /cannot use the database .*ECONNREFUSED/ });
});
