import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { until } from '../../test/support/cluster.ts';
import { recordedLog } from '../../test/support/domain.ts';
import { databaseSettings, usePostgres, whyNoPostgres } from '../../test/support/postgres.ts';
import { systemClock } from '../clock.ts';
import { openPostgres } from './postgres.ts';
import { createStore } from './sql-store.ts';

const server = usePostgres();

describe('[postgres] a migration that fails', { skip: whyNoPostgres }, () => {
  test('for want of a right says whose, where, and how to give it', async (t) => {
    const url = await server.emptyDatabase(t);
    await server.execute(url, 'create role modest login');
    const { database, name } = await open(t, url.replace('postgres@', 'modest@'));
    await assert.rejects(database.migrate(), {
      name: 'StartupError',
      message: `cannot bring the database ${name} up to this version: permission denied for schema public (42501): make the user the owner of the database and its tables, or GRANT it CREATE on the schema`,
    });
    await server.execute(url, 'grant create on schema public to modest');
    await database.migrate();
  });

  test('for want of a schema, or of leave to write, says which setting is to be changed', async (t) => {
    const url = await server.emptyDatabase(t);
    const name = new URL(url).pathname.slice(1);
    for (const [setting, says] of [
      ['search_path = nowhere', /\(3F000\): make a schema that the search_path of the user names$/],
      ['default_transaction_read_only = on', /\(25006\): .* default_transaction_read_only be off for the user there$/],
    ] as const) {
      await server.execute(url, `alter database ${name} set ${setting}`);
      const { database } = await open(t, url);
      await assert.rejects(database.migrate(), { name: 'StartupError', message: says });
      await server.execute(url, `begin; set local transaction read write; alter database ${name} reset all; commit`);
    }
  });

  test('does not come to it where no session is let in, and says which limit or name to change', async (t) => {
    const url = await server.emptyDatabase(t);
    const name = new URL(url).pathname.slice(1);
    await server.execute(url, `create role few login; alter database ${name} connection limit 0`);
    await assert.rejects(open(t, url.replace('postgres@', 'few@')), {
      name: 'StartupError',
      message: /\(53300\): end other sessions, or raise the limit that is reached: /,
    });
    await assert.rejects(open(t, `${url}_missing`), { message: /\(3D000\): make it with "createdb -E UTF8"/ });
  });

  test('where another program has tables says which one is in the way', async (t) => {
    const url = await server.emptyDatabase(t);
    await server.execute(url, 'create table games (id integer)');
    const { database } = await open(t, url);
    await assert.rejects(database.migrate(), {
      name: 'StartupError',
      message: /relation "games" already exists \(42P07\): use a database in which no other program has tables$/,
    });
  });

  test('for a session that holds a lock is mentioned while it waits, and says so when it is given up', async (t) => {
    const url = await server.migratedDatabase(t);
    const { database, lines } = await open(t, url, { isHurried: true });
    const held = server.execute(url, 'begin; lock table schema_version; select pg_sleep(60)');
    held.catch(() => {});
    const waiting = `select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
    await until(
      async () =>
        (
          await server.execute(
            url,
            "select 1 from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 'schema_version'::regclass",
          )
        ).length > 0,
    );
    const migrating = database.migrate();
    migrating.catch(() => {});
    await until(async () => (await server.execute(url, waiting)).length > 0);
    await until(() => lines.some(({ msg }) => msg === 'the database is still being brought up to this version'));
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    migrating.then(over, over);
    // It waits again and again.
    await until(async () => {
      await server.execute(url, `select pg_cancel_backend(pid) from (${waiting}) as found`);
      return isOver;
    });
    await assert.rejects(migrating, {
      name: 'StartupError',
      message:
        /\(57014\): end the session that holds a lock on its tables, which pg_stat_activity shows, and start again$/,
    });
  });
});

test('[postgres] a migration that waits for a lock lets others read and write meanwhile, and is made when it is free', {
  skip: whyNoPostgres,
}, async (t) => {
  const url = await server.migratedDatabase(t);
  const [{ database }, other] = [await open(t, url), await open(t, url)];
  const store = createStore(other.database);
  await server.execute(url, 'alter table access_keys drop column expires_at, drop column subject');
  await server.execute(url, 'drop index bars_of_game_until');
  for (const table of ['deployments', 'generated_code_jobs']) {
    await server.execute(url, `alter table ${table} drop column claims`);
  }
  await server.execute(url, 'drop index runtimes_of_snapshot, runtimes_by_time, deployments_by_state');
  const ofSnapshot = 'generated_code_jobs (game_id, snapshot_id, id)';
  await server.execute(url, `create index generated_code_jobs_of_snapshot on ${ofSnapshot}`);
  await server.execute(url, 'delete from schema_version where version >= 10');
  // As pg_dump does for as long as it runs.
  const held = server.execute(url, 'begin; lock table access_keys in access share mode; select pg_sleep(14)');
  const isWaiting = `select 1 from pg_locks where not granted and mode = 'AccessExclusiveLock'`;
  await until(
    async () =>
      (await server.execute(url, 'select 1 from pg_locks where relation = $$access_keys$$::regclass')).length > 0,
  );
  const migrating = database.migrate();
  await until(async () => (await server.execute(url, isWaiting)).length > 0);
  await store.meta.set('a', '1');
  await server.execute(url, 'set statement_timeout = 4000; select count(*) from access_keys');
  await held;
  await migrating;
  await database.assertMigrated();
});

async function open(t: TestContext, url: string, { isHurried = false } = {}) {
  const { log, lines } = recordedLog();
  // A migration is mentioned after ten seconds.
  const clock = {
    ...systemClock,
    after: (delayMs: number, task: () => void) =>
      systemClock.after(isHurried && delayMs === 10_000 ? 0 : delayMs, task),
  };
  const { database } = await openPostgres({ settings: databaseSettings(url), clock, log, isWatching: false });
  t.after(() => database.close());
  const { username, host, pathname } = new URL(url);
  return { database, lines, name: `"${pathname.slice(1)}" of ${host} as "${username}"` };
}
