import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { fillDisk } from '../../../test/support/full-disk.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { temporaryDirectory } from '../test-store.ts';
import { findRecords, SAMPLE_OUTCOME, sampleIntent } from './audit-log.contract.ts';
import { openSqliteAuditBeside, openSqliteAuditLog } from './sqlite.ts';

const HOUR_MS = 3_600_000;

function openReader(t: TestContext, directory: string) {
  const reader = openSqliteAuditBeside({ directory });
  t.after(() => reader.close());
  return reader;
}

test('a record that finds no room is written when the disk gives up what it holds back', async (t) => {
  const directory = temporaryDirectory(t);
  const released: string[] = [];
  let emptyDisk = () => {};
  const { log } = recordedLog();
  const onFull = () => {
    released.push('once');
    emptyDisk();
    return released.length === 1;
  };
  const auditLog = openSqliteAuditLog({ directory, clock: new ManualClock(), log, onFull });
  t.after(() => auditLog.close());
  const journal = join(directory, 'audit.journal');
  await auditLog.begin(sampleIntent('1'));
  emptyDisk = fillDisk(t, journal, 50);
  await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
  assert.deepEqual((await findRecords(openReader(t, directory)))[0]?.outcome, SAMPLE_OUTCOME);
  fillDisk(t, journal);
  await assert.rejects(auditLog.begin(sampleIntent('2')), { code: 'ENOSPC' });
  assert.equal(released.length, 2);
});

test('a log that is too large loses its oldest records, but none of the last day', async (t) => {
  const clock = new ManualClock(1_000 * HOUR_MS);
  const { log, lines } = recordedLog();
  const directory = temporaryDirectory(t);
  const auditLog = openSqliteAuditLog({ directory, clock, log, maxBytes: 1_000_000 });
  t.after(() => auditLog.close());
  const now = clock.now();
  // Ten records an hour, of half a kilobyte each, for twenty days.
  for (let hoursAgo = 480; hoursAgo > 0; hoursAgo -= 1) {
    for (let number = 0; number < 10; number += 1) {
      const at = now - hoursAgo * HOUR_MS;
      await auditLog.begin(sampleIntent(`${hoursAgo}-${number}`, { at, resource: 'x'.repeat(400) }));
    }
  }
  await auditLog.removeBefore(0);
  const kept = await findRecords(auditLog, { limit: 10_000 });
  assert(kept.length >= 500 && kept.length < 2_000, String(kept.length));
  const oldest = kept[0]?.at ?? 0;
  assert.equal(kept.filter(({ at }) => at > oldest).length % 10, 0, 'what is kept has no gap');
  assert.deepEqual(kept.at(-1)?.at, now - HOUR_MS);
  assert.deepEqual(lines, []);

  const flood = async (count: number) => {
    for (let number = 0; number < count; number += 1) {
      await auditLog.begin(sampleIntent(`${count}-${number}`, { at: now - HOUR_MS, resource: 'x'.repeat(400) }));
    }
    await auditLog.removeBefore(0);
    return await findRecords(auditLog, { limit: 20_000 });
  };
  const rest = await flood(2_500);
  assert.equal(rest.length, 2_500 + 240);
  assert(rest.every(({ at }) => at >= now - 24 * HOUR_MS));
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [[40, 'the audit log is larger than it may be, but all of it is of the last day']],
  );

  // Twice the size is the most.
  const most = (await flood(6_000)).length;
  assert(most > 2_500 && most < 6_000, String(most));
});
