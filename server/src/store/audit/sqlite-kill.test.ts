import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Libsql from 'libsql';
import { recordedLog } from '../../../test/support/domain.ts';
import { systemClock } from '../../clock.ts';
import { verifyAudit } from '../../domain/audit/verification.ts';
import { temporaryDirectory } from '../test-store.ts';
import { findRecords, SAMPLE_OUTCOME, sampleIntent } from './audit-log.contract.ts';
import type { AuditRecord } from './audit-log.ts';
import { openSqliteAuditBeside, openSqliteAuditLog } from './sqlite.ts';

const KILLS = 15;

/**
 * This file is also the process that is killed: it prints each number once its intent, and once its outcome, is
 * written. Outcomes come after the next intent, and records are moved all the time, so that every order of the three is
 * met.
 */
async function writeUntilKilled(directory: string, first: number): Promise<never> {
  const clock = { ...systemClock, after: (_: number, task: () => void) => systemClock.after(Math.random() * 2, task) };
  const { log } = recordedLog();
  const auditLog = openSqliteAuditLog({ directory, clock, log });
  const say = (line: string) => new Promise<void>((resolve) => void process.stdout.write(`${line}\n`, () => resolve()));
  for (let number = first; ; number += 1) {
    await auditLog.begin(sampleIntent(String(number), { at: number }));
    await say(`intent ${number}`);
    if (number === first) continue;
    await auditLog.finish({ requestId: String(number - 1), at: number - 1 }, SAMPLE_OUTCOME);
    await say(`outcome ${number - 1}`);
  }
}

interface Last {
  intent: number;
  outcome: number;
}

/** A writer in a process of its own; `last` is what it has acknowledged, as far as the test has read it. */
function startWriter(directory: string, first: number) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'write', directory, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  const last: Last = { intent: first - 1, outcome: first - 1 };
  const lines = createInterface({ input: child.stdout }).on('line', (line) => {
    const [part = '', number] = line.split(' ');
    last[part as keyof Last] = Number(number);
  });
  return {
    last,
    heard: () => once(lines, 'line'),
    async kill() {
      child.kill('SIGKILL');
      const [, signal] = await closed;
      assert.equal(signal, 'SIGKILL');
    },
  };
}

const [, , mode, target = '', first] = process.argv;
if (mode === 'write') {
  await writeUntilKilled(target, Number(first));
} else {
  test(`${KILLS} times kill -9 in a write loop loses no intent and no outcome that was acknowledged, and doubles none`, async (t) => {
    const directory = temporaryDirectory(t);
    let written = 0;
    const assertComplete = (records: readonly AuditRecord[], last: Last) => {
      for (const [index, { requestId, outcome }] of records.entries()) {
        assert.equal(requestId, String(index + 1), 'none is missing in between, and none there twice');
        if (index >= written && index < last.outcome)
          assert.deepEqual(outcome, SAMPLE_OUTCOME, `the outcome of ${requestId}`);
      }
      // One more may be there: the kill came before it could be acknowledged.
      assert(records.length === last.intent || records.length === last.intent + 1, `${records.length}`);
    };
    for (let kill = 0; kill < KILLS; kill += 1) {
      const { last, heard, kill: killWriter } = startWriter(directory, written + 1);
      const killAt = written + 1 + Math.floor(Math.random() * 100);
      while (last.intent < killAt) await heard();
      await setTimeout(Math.random() * 5);
      await killWriter();
      const reader = openSqliteAuditBeside({ directory });
      const left = await findRecords(reader, { limit: 100_000 });
      assertComplete(left, last);
      assert.deepEqual((await verifyAudit({ reader: reader.chain })).findings, [], 'the chain is whole after a kill');
      await reader.close();

      const { log, lines } = recordedLog();
      const auditLog = openSqliteAuditLog({ directory, clock: systemClock, log });
      assert.deepEqual(await findRecords(auditLog, { limit: 100_000 }), left);
      const { chains, findings } = await verifyAudit({ reader: auditLog.chain });
      const outcomes = left.filter(({ outcome }) => outcome !== undefined).length;
      assert.deepEqual([findings, chains[0]?.items], [[], left.length + outcomes], 'each item is in the chain once');
      await auditLog.close();
      assert.deepEqual(lines, []);
      const database = new Libsql(join(directory, 'audit.sqlite'));
      assert.deepEqual(database.prepare('SELECT count(*) AS count FROM audit').all(), [{ count: left.length }]);
      database.close();
      written = left.length;
    }
    assert(written >= KILLS);
  });

  test('another process finds all that was acknowledged while records are on their way to the database', async (t) => {
    const directory = temporaryDirectory(t);
    const { last, heard, kill } = startWriter(directory, 1);
    // The writer must be killed before the directory is removed.
    try {
      while (last.outcome < 1) await heard();
      const reader = openSqliteAuditBeside({ directory });
      t.after(() => reader.close());
      for (let look = 0; look < 1_000; look += 1) {
        const { intent, outcome } = { ...last };
        const found = await findRecords(reader, { limit: 1_000_000, since: outcome });
        assert(found.length > intent - outcome, `${found.length} from ${outcome} to ${intent}`);
        assert.deepEqual(found[0]?.outcome, SAMPLE_OUTCOME, `the outcome of ${outcome}`);
        for (const [index, { at }] of found.entries()) assert.equal(at, outcome + index);
        await setImmediate();
      }
    } finally {
      await kill();
    }
  });
}
