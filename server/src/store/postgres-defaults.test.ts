import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { databaseSettings, usePostgres, whyNoPostgres } from '../../test/support/postgres.ts';
import { systemClock } from '../clock.ts';
import { openPostgres } from './postgres.ts';
import { createStore } from './sql-store.ts';

const skip = whyNoPostgres;
const server = usePostgres();

/** A database with the schema that has this setting as its default. */
async function databaseWith(t: TestContext, setting: string): Promise<string> {
  const url = await server.migratedDatabase(t);
  await server.execute(url, `alter database ${new URL(url).pathname.slice(1)} set ${setting}`);
  return url;
}

async function open(t: TestContext, url: string) {
  const { log } = recordedLog();
  const { database, sessions } = await openPostgres({ settings: databaseSettings(url), clock: systemClock, log });
  t.after(() => database.close());
  return { sessions, store: createStore(database) };
}

test('[postgres] what is null in an array stays so, whatever the database has as its default', { skip }, async (t) => {
  const { sessions } = await open(t, await databaseWith(t, 'array_nulls = off'));
  const { rows } = await sessions.use(({ query }) => query('select unnest($1::text[]) as item', [['a', null]]));
  assert.deepEqual(rows, [{ item: 'a' }, { item: null }]);
});

for (const isolation of ['repeatable read', 'serializable']) {
  test(`[postgres] a change finds what others have changed before, also where ${isolation} is the default`, {
    skip,
  }, async (t) => {
    const url = await databaseWith(t, `default_transaction_isolation = '${isolation}'`);
    const nodes = [await open(t, url), await open(t, url)];
    const countOne = ({ store }: (typeof nodes)[number]) =>
      store.transaction(async ({ meta }) => {
        await meta.set('count', String(Number((await meta.get('count')) ?? 0) + 1));
      });
    await Promise.all(nodes.flatMap((node) => Array.from({ length: 10 }, () => countOne(node))));
    assert.equal(await nodes[0]?.store.meta.get('count'), '20');
  });
}
