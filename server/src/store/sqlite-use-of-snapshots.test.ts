import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import Libsql from 'libsql';
import { createStore } from './sql-store.ts';
import { openSqlite } from './sqlite.ts';
import type { Store } from './store.ts';
import { temporaryDirectory } from './test-store.ts';

/** How SQLite looks into runtimes and deployments for what `ask` asks of the store. */
async function lookUpsOf(t: TestContext, ask: (store: Store) => Promise<unknown>): Promise<string[]> {
  const database = openSqlite({ file: join(temporaryDirectory(t), 'respark.db') });
  t.after(() => database.close());
  await database.migrate();
  const prepare = t.mock.method(Libsql.prototype, 'prepare');
  await ask(createStore(database));
  const texts = prepare.mock.calls.map(({ arguments: [text] }) => String(text)).filter((text) => / from "/.test(text));
  const steps: string[] = [];
  for (const text of texts) {
    const plan = sql<{ detail: string }>`${sql.raw(`explain query plan ${text.replaceAll('?', "''")}`)}`;
    steps.push(...(await plan.execute(database.query)).rows.map(({ detail }) => detail));
  }
  return steps.filter((step) => /\b(?:runtimes|deployments)\b/.test(step));
}

test('what needs a snapshot is found without a look at the runtimes and deployments of others', async (t) => {
  assert.deepEqual(await lookUpsOf(t, ({ snapshots }) => snapshots.findUse('game', 'snapshot')), [
    'SEARCH runtimes USING INDEX sqlite_autoindex_runtimes_1 (id=?)',
    'SEARCH deployments USING INDEX deployments_by_state (stage_id=? AND state=?)',
    'SEARCH runtimes USING COVERING INDEX runtimes_of_snapshot (stage_id=? AND snapshot_id=?)',
  ]);
});

test('the newest runtime before a time is found without a look at those that are newer', async (t) => {
  assert.deepEqual(await lookUpsOf(t, ({ runtimes }) => runtimes.listReplaced('stage', 1, 1)), [
    'SEARCH runtimes USING COVERING INDEX runtimes_by_time (stage_id=? AND created_at<?)',
  ]);
});
