import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import Libsql from 'libsql';
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
  await assert.rejects(async () => auditLog.begin(sampleIntent('2')), { code: 'ENOSPC' });
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

test('what is moved gives way to other work after a millisecond, outcomes that come late included', async (t) => {
  const directory = temporaryDirectory(t);
  const clock = new ManualClock();
  const { log } = recordedLog();
  let isSlow = false;
  // While a move is slow, each look at the clock shows that the time is up.
  const monotonic = () => {
    if (isSlow) clock.advance(1);
    return clock.monotonic();
  };
  const after = clock.after.bind(clock);
  const auditLog = openSqliteAuditLog({ directory, clock: { now: clock.now.bind(clock), monotonic, after }, log });
  t.after(() => auditLog.close());
  const database = new Libsql(join(directory, 'audit.sqlite'));
  t.after(() => database.close());
  const rows = database.prepare('SELECT outcome FROM audit');
  const count = (ended: boolean) =>
    (rows.all() as { outcome: string | null }[]).filter(({ outcome }) => (outcome !== null) === ended).length;
  for (let index = 0; index < 100; index += 1) await auditLog.begin(sampleIntent(String(index)));
  clock.advance(1_000);
  await setImmediate();
  assert.equal(count(false), 100, 'a fast move takes all at once');
  for (let index = 0; index < 100; index += 1) await auditLog.finish(sampleIntent(String(index)), SAMPLE_OUTCOME);
  for (let index = 100; index < 200; index += 1) await auditLog.begin(sampleIntent(String(index)));
  isSlow = true;
  clock.advance(1_000);
  let before = 0;
  for (let turns = 0; before < 200; turns += 1) {
    await setImmediate();
    assert(turns < 250, 'the move ends');
    const moved = count(false) - 100 + 2 * count(true);
    assert(moved - before <= 16, `${moved - before} at once`);
    before = moved;
  }
  assert.deepEqual([count(false), count(true)], [100, 100]);
});
