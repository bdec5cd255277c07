import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createStore } from './sql-store.ts';
import { openSqlite } from './sqlite.ts';
import type { Store } from './store.ts';

/** A directory of this test alone, removed at its end. */
export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'respark-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** A store that the test's end closes, on a new file unless it is to share one, as another process would. */
export async function openTestStore(t: TestContext, file = join(temporaryDirectory(t), 'respark.db')): Promise<Store> {
  const database = openSqlite({ file });
  t.after(() => database.close());
  await database.migrate();
  return createStore(database);
}
