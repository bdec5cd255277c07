import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { AuditIntent, AuditLog, AuditQuery, AuditReader } from './audit-log.ts';

export interface AuditLogs {
  /** Opens an empty log that the test's end closes. */
  open(t: TestContext): Promise<AuditLog>;
  /** Opens the same records as another process would. */
  openReader(t: TestContext, beside: AuditLog): Promise<AuditReader>;
}

export function sampleIntent(requestId: string, change: Partial<AuditIntent> = {}): AuditIntent {
  return {
    requestId,
    at: 1_700_000_000_001,
    accessKeyId: 'AKIAEXAMPLE',
    sourceAddress: '2001:db8::1',
    operation: 'DisconnectPlayer',
    resource: 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo/stage/Dev/player/p1',
    playerId: 'p1',
    ...change,
  };
}

export const SAMPLE_OUTCOME = { status: 200, error: undefined, durationMs: 1.234 };

/** Holds one implementation to every promise of `AuditLog`. */
export function testAuditLog({ open, openReader }: AuditLogs): void {
  const ids = async (auditLog: AuditReader, query: Partial<AuditQuery> = {}) =>
    (await auditLog.find({ limit: 100, ...query })).map(({ requestId }) => requestId);

  test('an intent is found as it was written, without an outcome until that is written too', async (t) => {
    const auditLog = await open(t);
    const [player, game] = [sampleIntent('1'), sampleIntent('2', { operation: 'CreateGame', playerId: undefined })];
    await auditLog.begin(player);
    await auditLog.begin(game);
    assert.deepEqual(await auditLog.find({ limit: 9 }), [
      { ...player, outcome: undefined },
      { ...game, outcome: undefined },
    ]);
    await auditLog.finish(game, { status: 409, error: 'ConflictException', durationMs: 0.5 });
    await auditLog.finish(player, { ...SAMPLE_OUTCOME, successes: ['a', 'b'], failures: [] });
    const outcomes = (await auditLog.find({ limit: 9 })).map(({ outcome }) => outcome);
    assert.deepEqual(JSON.parse(JSON.stringify(outcomes)), [
      { status: 200, durationMs: 1.234, successes: ['a', 'b'], failures: [] },
      { status: 409, error: 'ConflictException', durationMs: 0.5 },
    ]);
    assert.equal(outcomes[0]?.error, undefined);
  });

  test('records are found by player, operation and time, the newest ones oldest first', async (t) => {
    const auditLog = await open(t);
    const records = [
      sampleIntent('d', { at: 40, playerId: 'p2' }),
      sampleIntent('a', { at: 10 }),
      sampleIntent('c', { at: 20, operation: 'CreateGame', playerId: undefined }),
      sampleIntent('b', { at: 20 }),
    ];
    await Promise.all(records.map((record) => auditLog.begin(record)));
    assert.deepEqual(await ids(auditLog), ['a', 'b', 'c', 'd']);
    assert.deepEqual(await ids(auditLog, { limit: 2 }), ['c', 'd']);
    assert.deepEqual(await ids(auditLog, { since: 20 }), ['b', 'c', 'd']);
    assert.deepEqual(await ids(auditLog, { playerId: 'p1' }), ['a', 'b']);
    assert.deepEqual(await ids(auditLog, { playerId: 'p1', since: 11 }), ['b']);
    assert.deepEqual(await ids(auditLog, { playerId: 'p1', limit: 1 }), ['b']);
    assert.deepEqual(await ids(auditLog, { operation: 'CreateGame' }), ['c']);
    assert.deepEqual(await ids(auditLog, { operation: 'CreateGame', playerId: 'p1' }), []);
    assert.deepEqual(await ids(auditLog, { playerId: "' OR 1 --" }), []);
  });

  test('an outcome without its intent is refused', async (t) => {
    const auditLog = await open(t);
    await assert.rejects(auditLog.finish(sampleIntent('unknown'), SAMPLE_OUTCOME), /unknown/);
    assert.deepEqual(await ids(auditLog), []);
  });

  test('records before a time are removed, however many they are, and newer ones never', async (t) => {
    const auditLog = await open(t);
    const many = Array.from({ length: 2_500 }, (_, index) => sampleIntent(`old ${index}`, { at: 99 }));
    await Promise.all([...many, sampleIntent('new', { at: 100 })].map((intent) => auditLog.begin(intent)));
    await auditLog.removeBefore(100);
    assert.deepEqual(await ids(auditLog, { limit: 10_000 }), ['new']);
    await auditLog.removeBefore(100);
  });

  test('another process reads what is being written', async (t) => {
    const writer = await open(t);
    const reader = await openReader(t, writer);
    for (let number = 1; number <= 50; number += 1) {
      await writer.begin(sampleIntent(String(number), { at: number }));
      assert.equal((await reader.find({ limit: 100 })).length, number);
    }
    await writer.finish(sampleIntent('1', { at: 1 }), SAMPLE_OUTCOME);
    assert.equal((await reader.find({ limit: 100 }))[0]?.outcome?.status, 200);
    await reader.close();
    await writer.finish(sampleIntent('2', { at: 2 }), SAMPLE_OUTCOME);
  });

  test('a probe writes no record', async (t) => {
    const auditLog = await open(t);
    await auditLog.probe();
    assert.deepEqual(await ids(auditLog), []);
  });

  test('what waits is written before the log closes, and nothing after', async (t) => {
    const auditLog = await open(t);
    const beside = await openReader(t, auditLog);
    const written = auditLog.begin(sampleIntent('1'));
    await auditLog.close();
    await written;
    await auditLog.close();
    await assert.rejects(auditLog.begin(sampleIntent('2')));
    assert.deepEqual(await ids(beside), ['1']);
  });
}
