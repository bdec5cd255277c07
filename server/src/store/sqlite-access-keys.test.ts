import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import Libsql from 'libsql';
import { createStore } from './sql-store.ts';
import { openSqlite } from './sqlite.ts';
import { temporaryDirectory } from './test-store.ts';

test('what a new key asks about others is read from an index, and not from the policies of thousands of keys', async (t) => {
  const database = openSqlite({ file: join(temporaryDirectory(t), 'respark.db') });
  t.after(() => database.close());
  await database.migrate();
  const { accessKeys } = createStore(database);
  const prepare = t.mock.method(Libsql.prototype, 'prepare');
  await accessKeys.countLive(1);
  await accessKeys.listLiveOf('somebody', 1);
  for (const ofSignIns of [false, true]) {
    await accessKeys.findEnd(1, { by: 1, ofSignIns });
    await accessKeys.removeEndedBefore(1, { ofSignIns });
  }
  const texts = prepare.mock.calls.map(({ arguments: [text] }) => String(text)).filter((text) => / from "/.test(text));
  assert.equal(texts.length, 6);
  for (const text of texts) {
    const plan = await sql<{ detail: string }>`${sql.raw(`explain query plan ${text.replaceAll('?', "''")}`)}`.execute(
      database.query,
    );
    const read = plan.rows.map(({ detail }) => detail).filter((detail) => /^(SCAN|SEARCH)/.test(detail));
    assert.match(read.join(), /^(?:SCAN|SEARCH) access_keys USING (?:COVERING )?INDEX access_keys_ends/, text);
  }
});
