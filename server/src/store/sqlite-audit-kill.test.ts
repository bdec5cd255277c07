import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Libsql from 'libsql';
import { recordedLog } from '../../test/support/domain.ts';
import { systemClock } from '../clock.ts';
import { SAMPLE_OUTCOME, sampleIntent } from './audit-log.contract.ts';
import type { AuditRecord } from './audit-log.ts';
import { openSqliteAuditLog, openSqliteAuditReader } from './sqlite-audit-log.ts';
import { temporaryDirectory } from './test-store.ts';

const KILLS = 15;

/**
 * This file is also the process that is killed: it says each number once its intent, and once its outcome, is written.
 * Outcomes come after the next intent, and records are moved all the time, so that every order of the three is met.
 */
async function writeUntilKilled(directory: string, first: number): Promise<never> {
  const clock = { ...systemClock, after: (_: number, task: () => void) => systemClock.after(Math.random() * 2, task) };
  const { log } = recordedLog();
  const auditLog = openSqliteAuditLog({ directory, clock, log });
  for (let number = first; ; number += 1) {
    await auditLog.begin(sampleIntent(String(number), { at: number }));
    writeSync(1, `intent ${number}\n`);
    await setImmediate();
    if (number === first) continue;
    await auditLog.finish({ requestId: String(number - 1), at: number - 1 }, SAMPLE_OUTCOME);
    writeSync(1, `outcome ${number - 1}\n`);
  }
}

/** Kills a writer at some moment after its first acknowledgements; resolves with the last ones. */
async function killWriter(directory: string, first: number): Promise<{ intent: number; outcome: number }> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'write', directory, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  const killAt = first + Math.floor(Math.random() * 100);
  const last = { intent: first - 1, outcome: first - 1 };
  for await (const line of createInterface({ input: child.stdout })) {
    const [part = '', number] = line.split(' ');
    last[part as keyof typeof last] = Number(number);
    if (last.intent !== killAt || part !== 'intent') continue;
    await setTimeout(Math.random() * 5);
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
  test(`${KILLS} times kill -9 in a write loop loses no intent and no outcome that was acknowledged, and doubles none`, async (t) => {
    const directory = temporaryDirectory(t);
    let written = 0;
    const assertComplete = (records: readonly AuditRecord[], last: { intent: number; outcome: number }) => {
      for (const [index, { requestId, outcome }] of records.entries()) {
        assert.equal(requestId, String(index + 1), 'none is missing in between, and none there twice');
        if (index >= written && index < last.outcome) assert.equal(outcome?.status, 200, `the outcome of ${requestId}`);
      }
      // One more may be there: the kill came before it could be acknowledged.
      assert(records.length === last.intent || records.length === last.intent + 1, `${records.length}`);
    };
    for (let kill = 0; kill < KILLS; kill += 1) {
      const last = await killWriter(directory, written + 1);
      const reader = openSqliteAuditReader({ directory });
      const left = await reader.find({ limit: 100_000 });
      await reader.close();
      assertComplete(left, last);

      const { log, lines } = recordedLog();
      const auditLog = openSqliteAuditLog({ directory, clock: systemClock, log });
      assert.deepEqual(await auditLog.find({ limit: 100_000 }), left);
      await auditLog.close();
      assert.deepEqual(lines, []);
      const database = new Libsql(join(directory, 'audit.sqlite'));
      assert.deepEqual(database.prepare('SELECT count(*) AS count FROM audit').all(), [{ count: left.length }]);
      database.close();
      written = left.length;
    }
    assert(written >= KILLS);
  });
}
