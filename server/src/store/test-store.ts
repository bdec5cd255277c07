import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createStore } from './sql-store.ts';
import { openSqlite } from './sqlite.ts';
import type { Store } from './store.ts';

/** A directory for this test alone, removed when the test ends. */
export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'respark-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** A store that is closed when the test ends. It has a new file, unless it shares `file` as another process would. */
export async function openTestStore(t: TestContext, file = join(temporaryDirectory(t), 'respark.db')): Promise<Store> {
  const database = openSqlite({ file });
  t.after(() => database.close());
  await database.migrate();
  return createStore(database);
}
