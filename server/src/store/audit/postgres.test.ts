import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { openMigrated, usePostgres, whyNoPostgres } from '../../../test/support/postgres.ts';
import { until } from '../../../test/support/server.ts';
import { temporaryDirectory } from '../test-store.ts';
import { findRecords, SAMPLE_OUTCOME, sampleIntent, testAuditLog } from './audit-log.contract.ts';
import type { AuditLog, AuditReader } from './audit-log.ts';
import { openPostgresAuditBeside, openPostgresAuditLog } from './postgres.ts';

const skip = whyNoPostgres;
const server = usePostgres();

interface Place {
  readonly url: string;
  readonly directory: string;
  readonly node: string;
}

/** A log whose records stay in the journal until the test moves them. */
async function openLog(
  t: TestContext,
  place: Partial<Place> = {},
  { maxBytes, now }: { maxBytes?: number; now?: number } = {},
) {
  const { url = await server.migratedDatabase(t), directory = temporaryDirectory(t), node = 'a' } = place;
  const { sessions } = await openMigrated(t, url);
  const clock = new ManualClock(now);
  const { log, lines } = recordedLog();
  const auditLog = await openPostgresAuditLog({
    ...{ directory, node, sessions, clock, log },
    ...(maxBytes !== undefined && { maxBytes }),
  });
  t.after(() => auditLog.close());
  const journal = join(directory, 'audit.journal');
  /** Has the second pass, and waits until the journal is moved. */
  const move = async () => {
    clock.advance(1_000);
    await until(() => statSync(journal).size === 0);
  };
  return { auditLog, place: { url, directory, node }, journal, clock, lines, move };
}

async function openReader(t: TestContext, { url, directory, node }: Place): Promise<AuditReader> {
  const { sessions } = await openMigrated(t, url);
  return openPostgresAuditBeside({ directory, node, sessions });
}

const idsOf = async (reader: AuditReader) => (await findRecords(reader)).map(({ requestId }) => requestId);

const rowsOf = async (url: string) =>
  (await server.execute(url, 'select node, request_id, outcome from audit order by at, request_id, node')).map(
    (row) => `${row.node} ${row.request_id} ${row.outcome === null ? 'open' : 'done'}`,
  );

describe('[postgres] the audit log', { skip }, () => {
  const places = new WeakMap<AuditLog, Place>();
  testAuditLog({
    async open(t, limits) {
      const { auditLog, place } = await openLog(t, {}, limits);
      places.set(auditLog, place);
      return auditLog;
    },
    openReader: (t, beside) => openReader(t, places.get(beside) as Place),
  });
});

describe('[postgres] audit records', { skip }, () => {
  test('are moved to the database within a second, and so are later outcomes, which leaves the journal empty', async (t) => {
    const { auditLog, place, move } = await openLog(t);
    await auditLog.begin(sampleIntent('1'));
    await auditLog.begin(sampleIntent('2'));
    await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
    assert.deepEqual(await rowsOf(place.url), []);
    await move();
    assert.deepEqual(await rowsOf(place.url), ['a 1 done', 'a 2 open']);
    await auditLog.finish(sampleIntent('2'), SAMPLE_OUTCOME);
    assert.deepEqual((await findRecords(auditLog))[1]?.outcome, SAMPLE_OUTCOME);
    assert.deepEqual((await findRecords(await openReader(t, place)))[1]?.outcome, SAMPLE_OUTCOME);
    await move();
    assert.deepEqual(await rowsOf(place.url), ['a 1 done', 'a 2 done']);
    await assert.rejects(async () => auditLog.begin(sampleIntent('1')), /already.* 1$/);
    assert.throws(() => auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME), /no audit record 1/);
  });

  test('are moved once, however often the journal is', async (t) => {
    const { auditLog, place, journal, move } = await openLog(t);
    await auditLog.begin(sampleIntent('1'));
    await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
    await auditLog.begin(sampleIntent('2'));
    const before = readFileSync(journal);
    await move();
    await auditLog.close();
    // As a kill between the commit and the end of the journal leaves it.
    writeFileSync(journal, before);
    const again = await openLog(t, place);
    assert.deepEqual(await idsOf(again.auditLog), ['1', '2']);
    await again.move();
    assert.deepEqual(await rowsOf(place.url), ['a 1 done', 'a 2 open']);
  });

  test('of several nodes do not collide, and each node reads all of them', async (t) => {
    const a = await openLog(t);
    const b = await openLog(t, { url: a.place.url, node: 'b' });
    for (const { auditLog } of [a, b]) await auditLog.begin(sampleIntent('same'));
    await b.auditLog.begin(sampleIntent('of b', { at: 1_700_000_000_002 }));
    await b.auditLog.finish(sampleIntent('same'), SAMPLE_OUTCOME);
    await Promise.all([a.move(), b.move()]);
    assert.deepEqual(await rowsOf(a.place.url), ['a same open', 'b same done', 'b of b open']);
    assert.ok((await idsOf(a.auditLog)).includes('of b'));
  });

  test('get the outcome that comes while they are being moved', async (t) => {
    const { auditLog, place, clock, journal } = await openLog(t);
    const ids = Array.from({ length: 600 }, (_, index) => String(index));
    for (const id of ids) await auditLog.begin(sampleIntent(id));
    clock.advance(1_000);
    for (const id of ids) {
      await auditLog.finish(sampleIntent(id), SAMPLE_OUTCOME);
      if (Number(id) % 20 === 0) await new Promise(setImmediate);
    }
    await until(() => {
      clock.advance(1_000);
      return statSync(journal).size === 0;
    });
    assert.deepEqual(
      (await rowsOf(place.url)).filter((row) => !row.endsWith('done')),
      [],
    );
  });

  test('get an outcome that comes during a move which takes longer than a second', async (t) => {
    const { auditLog, place, clock, journal } = await openLog(t);
    await auditLog.begin(sampleIntent('1'));
    // The move of the record is under way when its outcome comes, and still when the next one is due.
    clock.advance(1_000);
    await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
    clock.advance(1_000);
    await until(() => {
      clock.advance(1_000);
      return statSync(journal).size === 0;
    });
    assert.deepEqual(await rowsOf(place.url), ['a 1 done']);
  });

  test('wait in the journal while the database is away, then move, and the next start moves what a kill left', async (t) => {
    const { auditLog, place, clock, lines, move } = await openLog(t);
    await auditLog.begin(sampleIntent('1'));
    await server.kill();
    clock.advance(1_000);
    await until(() => lines.some(({ msg }) => msg === 'audit records wait in the journal for the database'));
    await auditLog.begin(sampleIntent('2'));
    await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
    await auditLog.probe();
    await server.restart();
    await move();
    assert.deepEqual(await rowsOf(place.url), ['a 1 done', 'a 2 open']);
  });

  test('leave the journal even while others come without a pause, so it stays small', async (t) => {
    const { auditLog, place, clock, journal } = await openLog(t);
    for (let number = 0; number < 30_000; number += 1) {
      await auditLog.begin(sampleIntent(String(number), { at: number }));
      if (number % 100 !== 0) continue;
      clock.advance(100);
      // No more come than the database takes, but always some more.
      await until(() => statSync(journal).size < 2_000_000);
    }
    await auditLog.close();
    assert.equal((await rowsOf(place.url)).length, 30_000);
  });

  test('that are too many are removed, the oldest first, but not those of the last day', async (t) => {
    const { auditLog, clock, lines } = await openLog(t, {}, { maxBytes: 300_000 });
    const day = 86_400_000;
    const now = clock.now();
    for (let index = 0; index < 1_000; index += 1) {
      await auditLog.begin(sampleIntent(`old ${index}`, { at: now - 2 * day + index }));
    }
    for (let index = 0; index < 500; index += 1) await auditLog.begin(sampleIntent(`new ${index}`, { at: now }));
    await auditLog.removeBefore(0);
    const left = await findRecords(auditLog, { limit: 10_000 });
    assert.equal(left.filter(({ requestId }) => requestId.startsWith('new')).length, 500);
    const old = left.filter(({ requestId }) => requestId.startsWith('old'));
    assert.ok(old.length > 100 && old.length < 700, `${old.length} old records`);
    assert.equal(old.at(-1)?.requestId, 'old 999');
    assert.deepEqual(
      lines.filter(({ level }) => level > 30),
      [],
    );
  });
});
