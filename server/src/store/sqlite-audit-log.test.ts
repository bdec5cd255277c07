import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Libsql from 'libsql';
import { SAMPLE_OUTCOME, sampleIntent, testAuditLog } from './audit-log.contract.ts';
import type { AuditLog } from './audit-log.ts';
import { openSqliteAuditLog } from './sqlite-audit-log.ts';
import { temporaryDirectory } from './test-store.ts';

const KILLS = 5;

function openLog(t: TestContext, file = join(temporaryDirectory(t), 'audit.sqlite')): AuditLog {
  const auditLog = openSqliteAuditLog({ file });
  t.after(() => auditLog.close());
  return auditLog;
}

/** This file is also the process that is killed: it says each number once its intent, and once its outcome, is written. */
async function writeUntilKilled(file: string, first: number): Promise<never> {
  const auditLog = openSqliteAuditLog({ file });
  const say = (line: string) => new Promise<void>((resolve) => void process.stdout.write(`${line}\n`, () => resolve()));
  for (let number = first; ; number += 1) {
    const intent = sampleIntent(String(number), { at: number });
    await auditLog.begin(intent);
    await say(`intent ${number}`);
    await auditLog.finish(intent, SAMPLE_OUTCOME);
    await say(`outcome ${number}`);
  }
}

/** Kills a writer at some moment after its first acknowledgements; resolves with the last ones. */
async function killWriter(file: string, first: number): Promise<{ intent: number; outcome: number }> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'write', file, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  const killAt = first + Math.floor(Math.random() * 40);
  const last = { intent: first - 1, outcome: first - 1 };
  for await (const line of createInterface({ input: child.stdout })) {
    const [part = '', number] = line.split(' ');
    last[part as keyof typeof last] = Number(number);
    if (last.intent !== killAt || part !== 'intent') continue;
    await setTimeout(Math.random() * 3);
    child.kill('SIGKILL');
  }
  const [, signal] = await closed;
  assert.equal(signal, 'SIGKILL');
  return last;
}

const [, , mode, target = '', first] = process.argv;
if (mode === 'write') {
  await writeUntilKilled(target, Number(first));
} else {
  const files = new WeakMap<AuditLog, string>();
  testAuditLog(async (t, beside) => {
    const known = beside === undefined ? undefined : files.get(beside);
    const file = known ?? join(temporaryDirectory(t), 'audit.sqlite');
    const auditLog = openLog(t, file);
    files.set(auditLog, file);
    return auditLog;
  });

  test(`${KILLS} times kill -9 in a write loop loses no intent and no outcome that was acknowledged`, async (t) => {
    const file = join(temporaryDirectory(t), 'audit.sqlite');
    let written = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const last = await killWriter(file, written + 1);
      const auditLog = openSqliteAuditLog({ file });
      const records = await auditLog.find({ limit: 100_000 });
      await auditLog.close();
      for (const [index, { requestId, outcome }] of records.entries()) {
        assert.equal(requestId, String(index + 1), 'none is missing in between');
        if (index > written && index < last.outcome) assert.deepEqual(outcome?.status, 200);
      }
      // One more may be there: the kill came before it could be acknowledged.
      assert(records.length === last.intent || records.length === last.intent + 1, `${records.length}`);
      written = records.length;
    }
    assert(written >= KILLS);
  });

  test('the file and those that SQLite puts beside it are for their owner only', async (t) => {
    const file = join(temporaryDirectory(t), 'audit.sqlite');
    const auditLog = openLog(t, file);
    await auditLog.begin(sampleIntent('1'));
    const modes = ['', '-wal', '-shm'].map((suffix) => statSync(`${file}${suffix}`).mode & 0o777);
    assert.deepEqual(modes, [0o600, 0o600, 0o600]);
  });

  test('after closing, the file alone has every record', async (t) => {
    const directory = temporaryDirectory(t);
    const auditLog = openLog(t, join(directory, 'audit.sqlite'));
    await auditLog.begin(sampleIntent('1'));
    await auditLog.close();
    mkdirSync(join(directory, 'backup'));
    copyFileSync(join(directory, 'audit.sqlite'), join(directory, 'backup', 'audit.sqlite'));
    assert.equal((await openLog(t, join(directory, 'backup', 'audit.sqlite')).find({ limit: 9 })).length, 1);
  });

  test('beyond ten thousand waiting records the next is refused, and none of the others', async (t) => {
    const auditLog = openLog(t);
    const waiting = Array.from({ length: 10_000 }, (_, index) => auditLog.begin(sampleIntent(String(index))));
    await assert.rejects(auditLog.begin(sampleIntent('one too many')), /10000 audit records wait already/);
    await Promise.all(waiting);
    await auditLog.begin(sampleIntent('later'));
    assert.equal((await auditLog.find({ limit: 20_000 })).length, 10_001);
  });

  test('while another process holds the write lock records are refused, and then no longer', async (t) => {
    const file = join(temporaryDirectory(t), 'audit.sqlite');
    const auditLog = openLog(t, file);
    const other = new Libsql(file);
    t.after(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    await assert.rejects(auditLog.begin(sampleIntent('1')), /locked|busy/i);
    await assert.rejects(auditLog.probe());
    other.exec('ROLLBACK');
    await auditLog.probe();
    await auditLog.begin(sampleIntent('2'));
    assert.deepEqual(
      (await auditLog.find({ limit: 9 })).map(({ requestId }) => requestId),
      ['2'],
    );
  });

  test('closing ends a removal that is under way', async (t) => {
    const auditLog = openLog(t);
    await Promise.all(Array.from({ length: 5_000 }, (_, index) => auditLog.begin(sampleIntent(String(index)))));
    const removal = auditLog.removeBefore(Number.MAX_SAFE_INTEGER);
    await auditLog.close();
    await removal;
  });

  test('a file that is no database is refused with its name, and left alone', async (t) => {
    const directory = temporaryDirectory(t);
    const file = join(directory, 'audit.sqlite');
    copyFileSync(fileURLToPath(import.meta.url), file);
    chmodSync(file, 0o600);
    assert.throws(() => openSqliteAuditLog({ file }), { name: 'StartupError', message: /audit\.sqlite/ });
    assert(!existsSync(`${file}-wal`));
  });
}
