import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import Libsql from 'libsql';
import { createStore } from './sql-store.ts';
import { openSqlite } from './sqlite.ts';
import { temporaryDirectory } from './test-store.ts';

test('what a list of generated code jobs says is read from an index, and not from behind their zips', async (t) => {
  const database = openSqlite({ file: join(temporaryDirectory(t), 'respark.db') });
  t.after(() => database.close());
  await database.migrate();
  const { generatedCodeJobs } = createStore(database);
  const prepare = t.mock.method(Libsql.prototype, 'prepare');
  await generatedCodeJobs.list('game', 'snapshot', { limit: 1 });
  await generatedCodeJobs.list('game', 'snapshot', { after: 'job', limit: 1 });
  const texts = prepare.mock.calls.map(({ arguments: [text] }) => String(text)).filter((text) => / from "/.test(text));
  assert.equal(texts.length, 2);
  for (const text of texts) {
    const plan = sql<{ detail: string }>`${sql.raw(`explain query plan ${text.replaceAll('?', "''")}`)}`;
    const steps = (await plan.execute(database.query)).rows.map(({ detail }) => detail);
    assert.match(
      steps.join(),
      /^SEARCH generated_code_jobs USING COVERING INDEX generated_code_jobs_records [^,]*$/,
      text,
    );
  }
});
