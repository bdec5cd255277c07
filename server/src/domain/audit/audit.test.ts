import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { NO_METRICS } from '../../../test/support/metrics.ts';
import { NO_CHAIN } from '../../../test/support/no-chain.ts';
import { ServiceError } from '../../errors.ts';
import type { AuditIntent, AuditLog, AuditOutcome } from '../../store/audit/audit-log.ts';
import { type Change, createAudit } from './audit.ts';

const DAY_MS = 86_400_000;

const CHANGE: Change = {
  requestId: 'r1',
  cause: 'operator',
  actor: 'AKIAEXAMPLE',
  sourceAddress: '192.0.2.7',
  operation: 'DisconnectPlayer',
  resource: 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo/stage/Dev/player/p1',
  playerId: 'p1',
};

const make = async () => 'made';

/** An audit over a log in memory, whose writes may be there at once; a test can break any part of the log. */
function openAudit({ isAtOnce = false, aheadMs = (): number => 0 } = {}) {
  const clock = new ManualClock();
  const now = () => clock.now() + aheadMs();
  const { log, lines } = recordedLog();
  const written: { intents: AuditIntent[]; outcomes: AuditOutcome[]; removedBefore: number[] } = {
    intents: [],
    outcomes: [],
    removedBefore: [],
  };
  const failed: string[] = [];
  const broken = new Set<keyof AuditLog>();
  let probes = 0;
  const fail = (part: keyof AuditLog) => {
    if (broken.has(part)) throw new Error('disk');
  };
  const writing = <Parts extends unknown[]>(write: (...parts: Parts) => void) =>
    isAtOnce ? write : async (...parts: Parts) => write(...parts);
  const auditLog: AuditLog = {
    begin: writing((intent) => {
      fail('begin');
      written.intents.push(intent);
    }),
    finish: writing((_, outcome) => {
      fail('finish');
      written.outcomes.push(outcome);
    }),
    find: async () => ({ records: [], next: undefined }),
    chain: NO_CHAIN,
    settle: async () => {},
    async removeBefore(at) {
      fail('removeBefore');
      written.removedBefore.push(at);
    },
    async probe() {
      probes += 1;
      fail('probe');
    },
    close: async () => {},
  };
  const metrics = { ...NO_METRICS, auditFailed: (part: string) => void failed.push(part) };
  const audit = createAudit({
    ...{ auditLog, log, metrics, settings: { auditRetentionDays: 2 } },
    clock: { now, monotonic: () => clock.monotonic(), after: (delayMs, task) => clock.after(delayMs, task) },
  });
  return { audit, clock, lines, written, failed, broken, probes: () => probes };
}

test('a call is on record before it is made, and its outcome with its duration after', async () => {
  const { audit, clock, written, lines } = openAudit();
  const at = clock.now();
  const made = await audit.around(
    CHANGE,
    async () => {
      assert.deepEqual(written, { intents: [{ ...CHANGE, at }], outcomes: [], removedBefore: [] });
      clock.advance(12);
      return { closed: ['a'], left: ['b'] };
    },
    ({ closed, left }) => ({ successes: closed, failures: left }),
  );
  assert.deepEqual(made, { closed: ['a'], left: ['b'] });
  assert.deepEqual(written.outcomes, [{ error: undefined, durationMs: 12, successes: ['a'], failures: ['b'] }]);
  assert.deepEqual(
    lines.map(({ time: _, ...line }) => line),
    [
      {
        ...{ level: 30, msg: 'audited call', ...CHANGE },
        ...{ durationMs: 12, successes: ['a'], failures: ['b'] },
      },
    ],
  );
});

test('where neither the rule nor the log has to wait, the result is there at once, with the outcome on record', () => {
  const { audit, written } = openAudit({ isAtOnce: true });
  const made = audit.around(
    CHANGE,
    () => {
      assert.deepEqual([written.intents.length, written.outcomes.length], [1, 0]);
      return { closed: ['a'] };
    },
    ({ closed }) => ({ successes: closed }),
  );
  assert.deepEqual(made, { closed: ['a'] });
  assert.deepEqual(written.outcomes, [{ error: undefined, durationMs: 0, successes: ['a'] }]);
});

test('a rule that has to wait is waited for, also by a log that has not', async () => {
  const { audit, written } = openAudit({ isAtOnce: true });
  const made = audit.around(CHANGE, make);
  assert.deepEqual([written.intents.length, written.outcomes.length], [1, 0]);
  assert.equal(await made, 'made');
  assert.equal(written.outcomes.length, 1);
});

test('failures are rejections, also of what has not to wait, and are on record before the caller has them', async () => {
  const { audit, broken, failed, written } = openAudit({ isAtOnce: true });
  const failure = new ServiceError('not_found', 'no such stage');
  const fails = () => {
    throw failure;
  };
  const refused = audit.around(CHANGE, fails);
  assert.deepEqual(
    written.outcomes.map(({ error }) => error),
    ['not_found'],
  );
  await assert.rejects(refused, (error) => error === failure);
  broken.add('finish');
  assert.equal(
    audit.around(CHANGE, () => 'made'),
    'made',
  );
  broken.add('begin');
  await assert.rejects(
    audit.around(CHANGE, () => assert.fail('the change was made')),
    /nothing was done/,
  );
  assert.deepEqual(failed, ['outcome', 'intent']);
});

test('what an operator changes is in the log of the node’s life, other changes only for a closer look', async () => {
  const { audit, lines, written } = openAudit();
  for (const cause of ['operator', 'script', 'server'] as const) await audit.around({ ...CHANGE, cause }, make);
  assert.deepEqual(
    lines.map(({ cause, level }) => [cause, level]),
    [
      ['operator', 30],
      ['script', 20],
      ['server', 20],
    ],
  );
  assert.equal(written.outcomes.length, 3);
});

test('a failure is recorded by its code, a bug as internal, and both reach the caller as they are', async () => {
  const { audit, written } = openAudit();
  const failures = [new ServiceError('conflict', 'taken'), new TypeError('a bug')];
  for (const failure of failures) {
    await assert.rejects(
      audit.around(CHANGE, () => Promise.reject(failure)),
      (error) => error === failure,
    );
  }
  assert.deepEqual(
    written.outcomes.map(({ error }) => error),
    ['conflict', 'internal'],
  );
});

test('a call whose intent cannot be written is refused and may be tried again, and the node is not ready', async () => {
  const { audit, broken, failed, lines } = openAudit();
  broken.add('begin').add('probe');
  const notCalled = () => assert.fail('the change was made');
  await assert.rejects(audit.around(CHANGE, notCalled), (error) => {
    assert(error instanceof ServiceError);
    assert.equal(error.code, 'internal');
    assert.match(error.message, /nothing was done\. Try again\.$/);
    return true;
  });
  assert.deepEqual(failed, ['intent']);
  assert.equal(await audit.isHealthy(), false);
  assert.deepEqual(
    lines.map(({ level, msg, requestId }) => [level, msg, requestId]),
    [[50, 'a call was refused: its audit record cannot be written', 'r1']],
  );
});

test('an outcome that cannot be written is logged and fails no call, but the node is not ready', async () => {
  const { audit, broken, failed, lines } = openAudit();
  broken.add('finish').add('probe');
  const made = await audit.around(CHANGE, make, () => ({ successes: ['a'], failures: [] }));
  assert.equal(made, 'made');
  assert.deepEqual(failed, ['outcome']);
  assert.equal(await audit.isHealthy(), false);
  const [audited, failure] = lines;
  assert.deepEqual([audited?.msg, audited?.successes], ['audited call', ['a']]);
  assert.deepEqual([failure?.level, failure?.requestId], [50, 'r1']);
});

test('the node is ready again after the next record', async () => {
  const { audit, broken } = openAudit();
  broken.add('begin').add('probe');
  await assert.rejects(audit.around(CHANGE, make));
  broken.delete('begin');
  await audit.around(CHANGE, make);
  assert.equal(await audit.isHealthy(), true);
});

test('a node without calls finds out by itself that it is ready again, trying at most once a second', async () => {
  const { audit, broken, clock, probes } = openAudit();
  assert.equal(await audit.isHealthy(), true);
  assert.equal(probes(), 0);
  broken.add('begin').add('probe');
  await assert.rejects(audit.around(CHANGE, make));
  for (let asked = 0; asked < 3; asked += 1) assert.equal(await audit.isHealthy(), false);
  assert.equal(probes(), 1);
  broken.clear();
  clock.advance(1_000);
  assert.equal(await audit.isHealthy(), true);
  assert.equal(probes(), 2);
});

test('no record is removed because the clock is ahead when the server starts', () => {
  let aheadMs = 100 * DAY_MS;
  const { clock, written } = openAudit({ aheadMs: () => aheadMs });
  clock.advance(60_000);
  aheadMs = 0;
  const start = clock.now();
  clock.advance(3 * 3_600_000);
  assert.equal(written.removedBefore.length, 3);
  assert.ok(written.removedBefore.every((at) => at <= start + (3 * 3_600_000 - 2 * DAY_MS)));
});

test('records beyond the retention are removed every hour, and a failure waits for the next', async () => {
  const { audit, broken, clock, written, lines } = openAudit();
  const start = clock.now() - 2 * DAY_MS;
  broken.add('removeBefore');
  clock.advance(3_600_000);
  await Promise.resolve();
  broken.clear();
  clock.advance(2 * 3_600_000);
  assert.deepEqual(written.removedBefore, [start + 3_600_000, start + 7_200_000]);
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [[40, 'old audit records could not be removed']],
  );
  assert.equal(await audit.isHealthy(), true);
  audit.close();
  clock.advance(3_600_000);
  assert.equal(written.removedBefore.length, 2);
});
