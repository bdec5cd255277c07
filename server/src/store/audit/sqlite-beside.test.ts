import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { recordedLog } from '../../../test/support/domain.ts';
import { systemClock } from '../../clock.ts';
import { temporaryDirectory } from '../test-store.ts';
import { findRecords, SAMPLE_OUTCOME, sampleIntent } from './audit-log.contract.ts';
import { openSqliteAuditBeside, openSqliteAuditLog } from './sqlite.ts';

function openServer(t: TestContext, directory = temporaryDirectory(t)) {
  const { log, lines } = recordedLog();
  const auditLog = openSqliteAuditLog({ directory, clock: systemClock, log });
  t.after(() => auditLog.close());
  return { auditLog, directory, lines };
}

function openCommand(t: TestContext, directory: string) {
  const beside = openSqliteAuditBeside({ directory });
  t.after(() => beside.close());
  return beside;
}

test('what a command writes beside a server is found by both, in its place among the server’s own', async (t) => {
  const { auditLog, directory } = openServer(t);
  const command = openCommand(t, directory);
  const own = sampleIntent('own', { operation: 'CreateAccessKey', details: { policySha256: 'abc' }, at: 20 });
  await auditLog.begin(sampleIntent('first', { at: 10 }));
  await command.begin(own);
  await auditLog.begin(sampleIntent('last', { at: 30 }));
  const ids = async () => (await findRecords(auditLog)).map(({ requestId }) => requestId);
  assert.deepEqual(await ids(), ['first', 'own', 'last']);
  await command.finish(own, SAMPLE_OUTCOME);
  for (const reader of [auditLog, command]) {
    const [, record] = await findRecords(reader);
    assert.deepEqual(record, { ...own, outcome: SAMPLE_OUTCOME });
  }
  await assert.rejects(async () => command.begin(own), /there is already an audit record own$/);
  await assert.rejects(
    async () => command.finish(sampleIntent('other'), SAMPLE_OUTCOME),
    /there is no audit record other/,
  );
});

test('what a command has written outlasts it, whether or not a server ever runs', async (t) => {
  const directory = temporaryDirectory(t);
  const command = openSqliteAuditBeside({ directory });
  await command.begin(sampleIntent('own'));
  await command.close();
  const { auditLog } = openServer(t, directory);
  assert.deepEqual(
    (await findRecords(auditLog)).map(({ requestId, outcome }) => [requestId, outcome]),
    [['own', undefined]],
  );
});

/** What each command does: it writes its records as fast as it can. */
const COMMAND = `
  const { workerData } = await import('node:worker_threads');
  const { openSqliteAuditBeside } = await import(workerData.module);
  const log = openSqliteAuditBeside({ directory: workerData.directory });
  for (const intent of workerData.intents) {
    await log.begin(intent);
    await log.finish(intent, { error: undefined, durationMs: 1 });
  }
  await log.close();`;

test('commands and a server that write at the same moment lose no record', async (t) => {
  const { auditLog, directory, lines } = openServer(t);
  const module = new URL('./sqlite.js', import.meta.url).href;
  const program = new URL(`data:text/javascript,${encodeURIComponent(COMMAND)}`);
  const workers = ['a', 'b'].map((name) => {
    const intents = Array.from({ length: 200 }, (_, index) => sampleIntent(`${name}${index}`));
    return new Worker(program, { workerData: { module, directory, intents } });
  });
  t.after(() => Promise.all(workers.map((worker) => worker.terminate())));
  const ended = Promise.all(workers.map((worker) => once(worker, 'exit')));
  let areAllThere = false;
  void ended.then(() => {
    areAllThere = true;
  });
  let made = 0;
  while (!areAllThere && made < 9_000) {
    for (let each = 0; each < 10; each += 1, made += 1) {
      const intent = sampleIntent(`server${made}`);
      await auditLog.begin(intent);
      await auditLog.finish(intent, SAMPLE_OUTCOME);
    }
    await setImmediate();
  }
  assert.deepEqual(await ended, [[0], [0]]);
  const records = await findRecords(auditLog, { limit: 100_000 });
  assert.equal(new Set(records.map(({ requestId }) => requestId)).size, 400 + made);
  assert.ok(records.every(({ outcome }) => outcome !== undefined));
  assert.deepEqual(lines, [], 'the server could move its records all the while');
});
