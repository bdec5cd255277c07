import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type {
  AuditCause,
  AuditIntent,
  AuditLog,
  AuditOrder,
  AuditOutcome,
  AuditPosition,
  AuditQuery,
  AuditReader,
  AuditRecord,
} from './audit-log.ts';

export interface AuditLogs {
  /** Opens an empty log that the test's end closes. For it, it is `now`. */
  open(t: TestContext, limits?: { readonly maxBytes: number; readonly now: number }): Promise<AuditLog>;
  /** Opens the same records as another process would. */
  openReader(t: TestContext, beside: AuditLog): Promise<AuditReader>;
}

export function sampleIntent(requestId: string, change: Partial<AuditIntent> = {}): AuditIntent {
  return {
    requestId,
    at: 1_700_000_000_001,
    cause: 'operator',
    actor: 'AKIAEXAMPLE',
    sourceAddress: '2001:db8::1',
    operation: 'DisconnectPlayer',
    resource: 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo/stage/Dev/player/p1',
    playerId: 'p1',
    ...change,
  };
}

export const SAMPLE_OUTCOME: AuditOutcome = { error: undefined, durationMs: 1.234 };

/** The records of all pages up to `limit`, oldest first unless the query says otherwise. */
export async function findRecords(reader: AuditReader, query: Partial<AuditQuery> = {}): Promise<AuditRecord[]> {
  const { limit = 100 } = query;
  const found: AuditRecord[] = [];
  let after = query.after;
  do {
    const page = await reader.find({ order: 'oldest_first', ...query, after, limit: limit - found.length });
    found.push(...page.records);
    after = page.next;
  } while (after !== undefined && found.length < limit);
  return found;
}

/** Holds one implementation to every promise of `AuditLog`. */
export function testAuditLog({ open, openReader }: AuditLogs): void {
  const ids = async (auditLog: AuditReader, query: Partial<AuditQuery> = {}) =>
    (await findRecords(auditLog, query)).map(({ requestId }) => requestId);

  test('an intent is found as it was written, without an outcome until that is written too', async (t) => {
    const auditLog = await open(t);
    const created = { operation: 'CreateGame', playerId: undefined, details: { from: 'a \u2028 b', count: '2' } };
    const [player, game] = [sampleIntent('1'), sampleIntent('2', created)];
    await auditLog.begin(player);
    await auditLog.begin(game);
    assert.deepEqual(await findRecords(auditLog), [
      { ...player, outcome: undefined },
      { ...game, outcome: undefined },
    ]);
    const counts = { reached: 3, silentNodes: 0 };
    await auditLog.finish(game, { error: 'conflict', durationMs: 0.5, counts });
    const connections = [
      { id: 'a', outcome: 'closed', proof: 'socket_destroyed', closedAt: 7, node: 'n', createdAt: 5 },
    ];
    await auditLog.finish(player, { ...SAMPLE_OUTCOME, successes: ['a', 'b'], failures: [], connections });
    const outcomes = (await findRecords(auditLog)).map(({ outcome }) => outcome);
    assert.deepEqual(JSON.parse(JSON.stringify(outcomes)), [
      { durationMs: 1.234, successes: ['a', 'b'], failures: [], connections },
      { error: 'conflict', durationMs: 0.5, counts },
    ]);
    assert.equal(outcomes[0]?.error, undefined);
  });

  test('records are found by player, operation, actor and time, in either order', async (t) => {
    const auditLog = await open(t);
    const records = [
      sampleIntent('d', { at: 40, playerId: 'p2' }),
      sampleIntent('a', { at: 10, actor: 'ANOTHER' }),
      sampleIntent('c', { at: 20, operation: 'CreateGame', playerId: undefined }),
      sampleIntent('b', { at: 20 }),
    ];
    await Promise.all(records.map((record) => auditLog.begin(record)));
    assert.deepEqual(await ids(auditLog), ['a', 'b', 'c', 'd']);
    assert.deepEqual(await ids(auditLog, { order: 'newest_first' }), ['d', 'c', 'b', 'a']);
    assert.deepEqual(await ids(auditLog, { order: 'newest_first', limit: 2 }), ['d', 'c']);
    assert.deepEqual(await ids(auditLog, { limit: 2 }), ['a', 'b']);
    assert.deepEqual(await ids(auditLog, { since: 20 }), ['b', 'c', 'd']);
    assert.deepEqual(await ids(auditLog, { until: 20 }), ['a']);
    assert.deepEqual(await ids(auditLog, { since: 20, until: 40 }), ['b', 'c']);
    assert.deepEqual(await ids(auditLog, { playerId: 'p1' }), ['a', 'b']);
    assert.deepEqual(await ids(auditLog, { playerId: 'p1', since: 11 }), ['b']);
    assert.deepEqual(await ids(auditLog, { playerId: 'p1', limit: 1 }), ['a']);
    assert.deepEqual(await ids(auditLog, { actor: 'ANOTHER' }), ['a']);
    assert.deepEqual(await ids(auditLog, { operation: 'CreateGame' }), ['c']);
    assert.deepEqual(await ids(auditLog, { operation: 'CreateGame', playerId: 'p1' }), []);
    assert.deepEqual(await ids(auditLog, { playerId: "' OR 1 --" }), []);
  });

  for (const order of ['oldest_first', 'newest_first'] satisfies AuditOrder[]) {
    test(`pages ${order.replace('_', ' ')} have every record once, whatever is written meanwhile and however many are passed over`, async (t) => {
      const auditLog = await open(t);
      const count = 12_000;
      const isWanted = (index: number) => index % 1_000 === 7;
      for (let index = 0; index < count; index += 1) {
        // Each millisecond has several records.
        const at = 1_000 + Math.floor(index / 3);
        const playerId = isWanted(index) ? 'wanted' : 'other';
        await auditLog.begin(sampleIntent(String(index).padStart(5, '0'), { at, playerId }));
        // The log gets some turns, in which it may move records.
        if (index % 50 === 0) await setImmediate();
        // What waits to be moved is bounded, and this moves it.
        if (index % 4_000 === 0) await auditLog.removeBefore(0);
      }
      const found: string[] = [];
      let pages = 0;
      for (let after: AuditPosition | undefined; ; pages += 1) {
        const page = await auditLog.find({ order, playerId: 'wanted', limit: 3, ...(after && { after }) });
        assert.ok(page.records.length <= 3);
        found.push(...page.records.map(({ requestId }) => requestId));
        if (page.next === undefined) break;
        after = page.next;
        // This record is where the pages have already been.
        const at = order === 'newest_first' ? 9_000 : 1;
        await auditLog.begin(sampleIntent(`late ${pages}`, { at, playerId: 'wanted' }));
      }
      const wanted = Array.from({ length: count }, (_, index) => index).filter(isWanted);
      const expected = wanted.map((index) => String(index).padStart(5, '0'));
      assert.deepEqual(found, order === 'oldest_first' ? expected : expected.reverse());
      assert.ok(pages < 40, `${pages} pages`);
    });
  }

  test('a second change under the same request id is refused, and the first one stays', async (t) => {
    const auditLog = await open(t);
    await auditLog.begin(sampleIntent('1'));
    await assert.rejects(async () => auditLog.begin(sampleIntent('1', { operation: 'DeleteGame' })), /already.* 1$/);
    assert.deepEqual(
      (await findRecords(auditLog)).map(({ operation }) => operation),
      ['DisconnectPlayer'],
    );
  });

  test('an outcome without its intent is refused', async (t) => {
    const auditLog = await open(t);
    await assert.rejects(async () => auditLog.finish(sampleIntent('unknown'), SAMPLE_OUTCOME), /unknown/);
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

  test('a log that is too large loses the oldest records of scripts first, but none whose outcome may still come', async (t) => {
    const now = 1_700_000_000_000;
    const auditLog = await open(t, { maxBytes: 800_000, now });
    const write = async (name: string, count: number, cause: AuditCause, at: number) => {
      for (let index = 0; index < count; index += 1) {
        const id = `${name} ${String(index).padStart(5, '0')}`;
        const intent = sampleIntent(id, { cause, at: at + index, resource: 'x'.repeat(400) });
        await auditLog.begin(intent);
        if (name === 'ended') await auditLog.finish(intent, SAMPLE_OUTCOME);
      }
    };
    await write('old', 500, 'operator', now - 2 * 86_400_000);
    await write('cut off', 1_000, 'script', now - 7_200_000);
    await write('server', 100, 'server', now - 3_600_000);
    await write('under way', 100, 'script', now - 5_000);
    await write('ended', 1_000, 'script', now - 2_000);
    await auditLog.removeBefore(0);
    const left = await ids(auditLog, { limit: 10_000 });
    const leftOf = (name: string) => left.filter((id) => id.startsWith(`${name} `));
    assert.deepEqual(
      ['old', 'cut off', 'server', 'under way'].map((name) => leftOf(name).length),
      [500, 0, 100, 100],
    );
    const ended = leftOf('ended');
    assert.ok(ended.length > 0 && ended.length < 1_000, `${ended.length} ended records of scripts`);
    assert.equal(ended[0], `ended ${String(1_000 - ended.length).padStart(5, '0')}`);
  });

  test('a log that has become too large is made smaller soon, without being asked', async (t) => {
    const now = 1_700_000_000_000;
    const auditLog = await open(t, { maxBytes: 1_000_000, now });
    for (let index = 0; index < 5_000; index += 1) {
      const facts = { cause: 'script', at: now - 7_200_000 + index, resource: 'x'.repeat(400) } as const;
      await auditLog.begin(sampleIntent(String(index), facts));
    }
    let turns = 0;
    const isSmaller = async () => {
      const { records } = await auditLog.find({ order: 'oldest_first', limit: 1 });
      return Number(records[0]?.requestId) > 2_000;
    };
    for (; !(await isSmaller()); turns += 1) {
      assert.ok(turns < 20_000, 'the oldest records are removed');
      await setImmediate();
    }
    assert.equal((await ids(auditLog, { order: 'newest_first', limit: 1 }))[0], '4999');
  });

  test('another process reads what is being written', async (t) => {
    const writer = await open(t);
    const reader = await openReader(t, writer);
    for (let number = 1; number <= 50; number += 1) {
      await writer.begin(sampleIntent(String(number), { at: number }));
      assert.equal((await findRecords(reader)).length, number);
    }
    await writer.finish(sampleIntent('1', { at: 1 }), SAMPLE_OUTCOME);
    assert.equal((await findRecords(reader))[0]?.outcome?.durationMs, SAMPLE_OUTCOME.durationMs);
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
    await assert.rejects(async () => auditLog.begin(sampleIntent('2')));
    assert.deepEqual(await ids(beside), ['1']);
  });
}
