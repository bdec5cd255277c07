import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../clock.ts';
import { createPauses } from '../../../pauses.ts';
import type { DisconnectJobRecord, DisconnectJobWish, JobProgress, JobTarget } from '../../../store/disconnect-jobs.ts';
import { DisconnectJobRun, type RunParts } from './disconnect-job-run.ts';

const OWNER = 'driver';
const BEGUN = 1_000_000;
const NO_PROGRESS: JobProgress = { closed: 0, gone: 0, unproven: 0, inFlight: [], failures: [], silentNodes: [] };

/** Time that passes only when somebody waits for it. */
function createQuickClock(): Clock & { elapsedMs(): number } {
  let elapsed = 0;
  return {
    now: () => BEGUN + elapsed,
    monotonic: () => elapsed,
    elapsedMs: () => elapsed,
    after(delayMs, task) {
      const timer = setImmediate(() => {
        elapsed += delayMs;
        task();
      });
      return () => clearImmediate(timer);
    },
  };
}

type Fault = 'no answer' | 'answer lost' | 'does nothing';

/** Nodes with connections, as a job sees them. */
class Nodes {
  readonly there = new Map<string, string[]>();
  readonly dead = new Set<string>();
  /** Node → what goes wrong at its next requests. */
  readonly faults = new Map<string, Fault[]>();
  readonly ended: string[] = [];
  /** Whether the nodes say what they have ended before for this job; those of an earlier version do not. */
  doRemember = true;
  /** How long ago the job began, as each request for connections said. */
  readonly beganAgo: number[] = [];
  /** When that was, as the selector of each says. */
  readonly before: number[] = [];
  /** What is wanted at each step; the last for all that follow. */
  wishes: (DisconnectJobWish | undefined)[] = ['RUN'];
  readonly saved: JobProgress[] = [];
  readonly clock = createQuickClock();
  /** Called before each request. */
  onRequest: (kind: string, node: string) => void = () => {};

  constructor(counts: Readonly<Record<string, number>>) {
    for (const [node, count] of Object.entries(counts)) {
      this.there.set(
        node,
        Array.from({ length: count }, (_, number) => `${node}-${number}`),
      );
    }
  }

  async #request(node: string, kind: string, request: Record<string, unknown>): Promise<unknown> {
    this.onRequest(kind, node);
    const fault = kind === 'end_connections' ? this.faults.get(node)?.shift() : undefined;
    if (fault === 'no answer' || this.dead.has(node)) throw new Error(`${node} does not answer`);
    const there = this.there.get(node) ?? [];
    if (kind === 'match_connections') {
      this.beganAgo.push(Number(request.beganAgoMs));
      this.before.push(Number(Object(request.selector).connectedBefore));
      const connections = there
        .slice(0, Number(request.limit))
        .map((connectionId) => ({ connectionId, playerId: 'p' }));
      return { connections };
    }
    if (kind === 'describe_connections') {
      const ids = request.connectionIds as string[];
      const connections = ids.filter((id) => there.includes(id)).map((connectionId) => ({ connectionId }));
      const endedByJobIds = ids.filter((id) => this.ended.includes(id));
      return { connections, ...(this.doRemember && { endedByJobIds }) };
    }
    assert.equal(kind, 'end_connections');
    const asked = (request.connections as { connectionId: string }[]).map(({ connectionId }) => connectionId);
    if (fault === 'does nothing') return { closedIds: [], goneIds: [] };
    const closedIds = asked.filter((id) => there.includes(id));
    const endedBeforeIds = asked.filter((id) => this.ended.includes(id));
    this.ended.push(...closedIds);
    this.there.set(
      node,
      there.filter((id) => !asked.includes(id)),
    );
    if (fault === 'answer lost') throw new Error('the answer was lost');
    const goneIds = asked.filter((id) => !closedIds.includes(id));
    return { closedIds, goneIds, ...(this.doRemember && { endedBeforeIds }) };
  }

  async run(change: Partial<DisconnectJobRecord> = {}, { ratePerSecond = 10_000, confirmAbove = 1_000_000 } = {}) {
    const pauses = createPauses(this.clock);
    const parts = {
      disconnectJobs: {
        advance: async (_: string, owner: string, progress: JobProgress) => {
          assert.equal(owner, OWNER);
          this.saved.push(progress);
          return this.wishes.length > 1 ? this.wishes.shift() : this.wishes[0];
        },
      },
      cluster: {
        node: OWNER,
        nodes: () => [...this.there.keys()].filter((node) => !this.dead.has(node)).map((node) => ({ node, facts: {} })),
        isAlive: async (node: string) => !this.dead.has(node),
        request: (node: string, kind: string, request: unknown) => this.#request(node, kind, Object(request)),
      } as unknown as RunParts['cluster'],
      ...{ clock: this.clock, pauses, log: { warn() {} } as unknown as RunParts['log'] },
      settings: { disconnectDeadlineMs: 5_000 },
    };
    const job = {
      ...{ id: 'J1', stageId: 'S', begunAt: BEGUN, createdAt: BEGUN, requestId: 'R', ...NO_PROGRESS },
      ...change,
    } as DisconnectJobRecord;
    const request = { isEverybody: true, selector: {}, ratePerSecond, confirmAbove };
    return await new DisconnectJobRun(parts, {
      job,
      request,
      playerIds: undefined,
      owner: OWNER,
      now: this.clock.now(),
    }).run();
  }
}

const target = (connectionId: string): JobTarget => ({
  node: connectionId.split('-')[0] ?? '',
  playerId: 'p',
  connectionId,
});

test('every connection of every node is ended once and counted once', async () => {
  const nodes = new Nodes({ a: 2_500, b: 3, c: 0 });
  assert.deepEqual(await nodes.run(), {
    ...{ state: 'COMPLETED', wish: 'RUN', progress: { ...NO_PROGRESS, closed: 2_503 } },
  });
  assert.equal(new Set(nodes.ended).size, 2_503);
  assert.equal(nodes.ended.length, 2_503);
});

test('connections end at the rate that was asked for, and none before it was written down', async () => {
  const nodes = new Nodes({ a: 1_000 });
  nodes.onRequest = (kind) => {
    if (kind !== 'end_connections') return;
    const ids = nodes.saved.at(-1)?.inFlight.map(({ connectionId }) => connectionId) ?? [];
    assert.ok(ids.length > 0 && ids.length <= 25, String(ids.length));
  };
  await nodes.run({}, { ratePerSecond: 100 });
  const seconds = nodes.clock.elapsedMs() / 1_000;
  assert.ok(seconds > 9 && seconds < 11, `${seconds} s`);
});

test('nodes are told how long ago the job began, which is never in the future', async () => {
  for (const [begunAt, least] of [
    [BEGUN - 5_000, 5_000],
    [BEGUN + 3_600_000, 0],
  ] as const) {
    const nodes = new Nodes({ a: 1_500 });
    await nodes.run({ begunAt }, { ratePerSecond: 100 });
    assert.equal(nodes.beganAgo[0], least);
    // It takes ten seconds to end the first thousand.
    const second = nodes.beganAgo[1] ?? 0;
    assert.ok(second > least + 9_000 && second < least + 11_000, String(nodes.beganAgo));
    // Nodes of an earlier version look at the selector alone.
    const began = BEGUN - least;
    assert.deepEqual(
      nodes.before,
      nodes.before.map(() => began),
    );
  }
});

test('a lost answer is asked for again, and what it was about counts as closed', async () => {
  const nodes = new Nodes({ a: 40, b: 5 });
  nodes.faults.set('a', ['answer lost', 'no answer', 'answer lost']);
  const end = await nodes.run({}, { ratePerSecond: 100 });
  assert.deepEqual([end?.state, end?.progress], ['COMPLETED', { ...NO_PROGRESS, closed: 45 }]);
});

test('what was in flight when another node died is asked for first, and counted by what its owner says', async () => {
  // One was never asked, and two have ended: one because of the job, and one by itself.
  const inFlight = [target('a-1'), target('a-8'), target('a-9')];
  for (const [doRemember, counts] of [
    [true, { closed: 10, gone: 2 }],
    [false, { closed: 11, gone: 1 }],
  ] as const) {
    const nodes = new Nodes({ a: 2 });
    nodes.doRemember = doRemember;
    nodes.ended.push('a-8');
    const end = await nodes.run({ closed: 7, gone: 1, inFlight });
    assert.deepEqual(end?.progress, { ...NO_PROGRESS, ...counts });
    nodes.wishes = ['CANCEL'];
    const { closed, gone } = (await nodes.run({ inFlight }))?.progress ?? {};
    // Where the run before has ended the one that was not asked.
    assert.deepEqual({ closed, gone }, doRemember ? { closed: 2, gone: 1 } : { closed: 3, gone: 0 });
  }
});

test('a node that goes on with a job counts nothing once more that was given up before', async () => {
  const nodes = new Nodes({ a: 250, b: 10 });
  nodes.faults.set('a', Array(1_000).fill('does nothing'));
  const before = await nodes.run();
  assert.deepEqual([before?.state, before?.progress.unproven], ['FAILED', 250]);
  // The node that had given them up died before it could write the end.
  nodes.faults.clear();
  const { progress } = (await nodes.run(before?.progress)) ?? {};
  assert.deepEqual(progress, before?.progress);
});

test('the connections of a node that dies have ended with it, and are not called closed', async () => {
  const nodes = new Nodes({ a: 30, b: 30 });
  let asked = 0;
  nodes.onRequest = (kind, node) => {
    if (kind === 'end_connections' && node === 'b') asked += 1;
    if (asked === 2) nodes.dead.add('b');
  };
  const end = await nodes.run({}, { ratePerSecond: 100 });
  const { closed = 0, gone = 0, unproven } = end?.progress ?? {};
  assert.equal(end?.state, 'COMPLETED');
  assert.equal(closed, nodes.ended.length);
  assert.ok(gone > 0);
  assert.equal(unproven, 0);
});

test('a node that is alive and does not do it is given up after a minute, and what it has is named', async () => {
  const nodes = new Nodes({ a: 120, b: 10 });
  nodes.faults.set('a', Array(1_000).fill('does nothing'));
  const end = await nodes.run();
  assert.equal(end?.state, 'FAILED');
  const { closed, unproven, failures = [], silentNodes } = end?.progress ?? {};
  assert.deepEqual([closed, unproven, failures.length, silentNodes], [10, 120, 100, ['a']]);
  assert.ok(failures.every(({ node }) => node === 'a'));
  const seconds = nodes.clock.elapsedMs() / 1_000;
  assert.ok(seconds >= 60 && seconds < 70, `${seconds} s`);
});

test('a node that does not say whom it has makes the job fail, and holds up no other', async () => {
  const nodes = new Nodes({ a: 10, b: 10 });
  nodes.onRequest = (_, node) => {
    if (node === 'b') throw new Error('held up');
  };
  const end = await nodes.run();
  assert.deepEqual([end?.state, end?.progress], ['FAILED', { ...NO_PROGRESS, closed: 10, silentNodes: ['b'] }]);
});

test('a node that answers in between is not given up, however far apart its failures are', async () => {
  const nodes = new Nodes({ a: 2_000, b: 0 });
  const failures = [0, 70_000];
  nodes.onRequest = (kind, node) => {
    if (kind !== 'match_connections' || node !== 'b') return;
    if (failures[0] === undefined || nodes.clock.elapsedMs() < failures[0]) return;
    failures.shift();
    throw new Error('held up');
  };
  // To end those of the other node takes more than a minute.
  const end = await nodes.run({}, { ratePerSecond: 20 });
  assert.deepEqual(failures, []);
  assert.deepEqual([end?.state, end?.progress], ['COMPLETED', { ...NO_PROGRESS, closed: 2_000 }]);
});

test('a job that was not confirmed stops before it ends one connection more than it may', async () => {
  const nodes = new Nodes({ a: 30, b: 30 });
  const end = await nodes.run({}, { confirmAbove: 25 });
  assert.deepEqual([end?.state, end?.wish], ['AWAITING_CONFIRMATION', 'RUN']);
  assert.deepEqual([end?.progress.closed, nodes.ended.length], [25, 25]);
  const confirmed = await nodes.run({ closed: 25, confirmedBy: 'another' }, { confirmAbove: 25 });
  assert.deepEqual([confirmed?.state, confirmed?.progress.closed, nodes.ended.length], ['COMPLETED', 60, 60]);
});

test('what is reported as unproven counts as much towards the confirmation as what has ended', async () => {
  const nodes = new Nodes({ a: 30 });
  nodes.faults.set('a', Array(1_000).fill('does nothing'));
  const end = await nodes.run({}, { confirmAbove: 25 });
  assert.deepEqual([end?.state, end?.progress.closed, end?.progress.unproven], ['AWAITING_CONFIRMATION', 0, 25]);
});

test('a paused job asks for no more, and keeps those of which nothing is known', async () => {
  const nodes = new Nodes({ a: 100 });
  nodes.faults.set('a', ['no answer']);
  nodes.wishes = ['RUN', 'RUN', 'PAUSE'];
  const end = await nodes.run({}, { ratePerSecond: 100 });
  assert.deepEqual([end?.state, nodes.ended.length], ['PAUSED', 0]);
  const { inFlight = [] } = end?.progress ?? {};
  assert.ok(inFlight.length > 0);
  nodes.wishes = ['RUN'];
  const resumed = await nodes.run({ inFlight });
  assert.deepEqual([resumed?.state, resumed?.progress.closed], ['COMPLETED', 100]);
});

test('a cancelled job ends nothing more, and says what has become of those in flight', async () => {
  const nodes = new Nodes({ a: 2 });
  nodes.ended.push('a-7');
  nodes.wishes = ['CANCEL'];
  const end = await nodes.run({ inFlight: [target('a-0'), target('a-7')] });
  assert.deepEqual(end, { state: 'CANCELLED', wish: 'CANCEL', progress: { ...NO_PROGRESS, closed: 1 } });
  assert.deepEqual(nodes.ended, ['a-7']);
  nodes.faults.set('a', ['no answer']);
  nodes.onRequest = () => {
    throw new Error('held up');
  };
  const unknown = await nodes.run({ inFlight: [target('a-0')] });
  assert.deepEqual(unknown?.progress, { ...NO_PROGRESS, unproven: 1, failures: [target('a-0')] });
});

test('a run whose job is another’s by now changes nothing any more', async () => {
  const nodes = new Nodes({ a: 100 });
  nodes.wishes = ['RUN', 'RUN', undefined];
  assert.equal(await nodes.run({}, { ratePerSecond: 100 }), undefined);
  assert.ok(nodes.ended.length > 0 && nodes.ended.length <= 25);
});
