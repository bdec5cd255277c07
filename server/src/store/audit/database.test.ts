import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import Libsql from 'libsql';
import { temporaryDirectory } from '../test-store.ts';

/** What each of two threads does with every file, both at the same moment. */
const OPEN_TOGETHER = `
  const { workerData } = await import('node:worker_threads');
  const { openAuditDatabase } = await import(workerData.module);
  const arrived = new Int32Array(workerData.arrived);
  for (const [index, file] of workerData.files.entries()) {
    Atomics.add(arrived, 0, 1);
    while (Atomics.load(arrived, 0) < 2 * (index + 1));
    openAuditDatabase({ file, isShared: workerData.isShared, installation: 'i', now: () => 1 }).close();
  }`;

test('a server and a command that open a new log at the same moment both find its schema whole', async (t) => {
  const directory = temporaryDirectory(t);
  const shared = {
    module: new URL('./database.js', import.meta.url).href,
    files: Array.from({ length: 40 }, (_, index) => join(directory, `${index}.sqlite`)),
    arrived: new SharedArrayBuffer(4),
  };
  const program = new URL(`data:text/javascript,${encodeURIComponent(OPEN_TOGETHER)}`);
  const workers = [true, false].map((isShared) => new Worker(program, { workerData: { ...shared, isShared } }));
  t.after(() => Promise.all(workers.map((worker) => worker.terminate())));
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
  for (const file of shared.files) {
    const database = new Libsql(file);
    assert.deepEqual(database.prepare('SELECT user_version AS version FROM pragma_user_version').all(), [
      { version: 6 },
    ]);
    database.close();
  }
});
