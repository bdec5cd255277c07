import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { strFromU8, unzipSync } from 'fflate';
import { crashingStore } from '../../test/support/crashing-store.ts';
import { CHANGE, type DomainOptions, openDomain } from '../../test/support/domain.ts';
import type { ErrorCode } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { openTestStore } from '../store/test-store.ts';
import type { Audit } from './audit/audit.ts';
import { examineInThisThread } from './examination.ts';

const SECTIONS = {
  'GameSparks.Core.Model': {
    PingRequest: { Structure: { Fields: { text: { Shape: 'String', Cardinality: 'Required' } } } },
    PingResponse: { Structure: { Fields: {} } },
  },
  'GameSparks.Core.Requests': {
    Ping: { AllowedSources: ['Player'], RequestShape: 'PingRequest', ResponseShape: 'PingResponse' },
  },
};

const failsWith = (code: ErrorCode, message = /./) => ({ name: 'ServiceError', code, message });

const fault = (message: string) => ({ section: '', pointer: '', message });

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A game with a snapshot of one message; `start` starts a job for it and `generate` waits for its end. */
async function openWithSnapshot(t: TestContext, options: DomainOptions = {}) {
  const domain = await openDomain(t, options);
  const { generatedCodeJobs: jobs } = domain;
  const game = await domain.games.create({ name: 'Demo' }, CHANGE);
  const file = Buffer.from(JSON.stringify({ Document: { Type: 'Game', Sections: SECTIONS } }));
  await domain.configurations.import('Demo', file, CHANGE);
  const { id: snapshotId } = await domain.snapshots.create('Demo', undefined, CHANGE);
  const start = (generator = {}) => jobs.start('Demo', snapshotId, generator, CHANGE);
  const generate = async (generator = {}) => {
    const id = await start(generator);
    await jobs.settled();
    return await jobs.get('Demo', snapshotId, id, CHANGE);
  };
  const open = (url: string) => domain.downloads.open(url, '192.0.2.7');
  return { ...domain, jobs, game, snapshotId, start, generate, open };
}

test('a job is in progress, and then completed with a zip that can be downloaded for an hour', async (t) => {
  const unfinished: ReturnType<Store['generatedCodeJobs']['listUnfinished']>[] = [];
  const domain = await openWithSnapshot(t, {
    async examine(asked) {
      unfinished.push(domain.store.generatedCodeJobs.listUnfinished());
      return examineInThisThread(asked);
    },
  });
  const { jobs, snapshotId, generate, clock, open } = domain;
  const { id, state, description, download } = await generate();
  assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const [before, ...more] = (await unfinished[0]) ?? [];
  assert.deepEqual([before?.id, before?.state, more], [id, 'IN_PROGRESS', []]);
  assert.deepEqual([state, description, download?.expiresAt], ['COMPLETED', '', clock.now() + 3_600_000]);
  const file = await open(download?.url ?? '');
  assert.deepEqual([file?.fileName, file?.contentType], ['Demo-Unity-CSharp.zip', 'application/zip']);
  const files = unzipSync(file?.body ?? Buffer.of());
  assert.ok(
    strFromU8(files['DemoOperations.cs'] ?? Buffer.of()).includes('EnqueuePingRequest'),
    Object.keys(files).join(),
  );
  clock.advance(3_600_000);
  assert.equal(await open(download?.url ?? ''), undefined);
  assert.ok(
    await open((await jobs.get('Demo', snapshotId, id, CHANGE)).download?.url ?? ''),
    'asking again renews the URL',
  );
});

test('the job keeps what was asked for, and an unknown generator is refused with a list of those there are', async (t) => {
  const { generate, start, open } = await openWithSnapshot(t);
  const { generator, download } = await generate({ targetPlatform: 'web' });
  assert.deepEqual(JSON.parse(generator), {
    gameName: 'Demo',
    targetPlatform: 'Web',
    language: 'TypeScript',
    gameSdkVersion: '1.0.0',
  });
  assert.equal((await open(download?.url ?? ''))?.fileName, 'Demo-Web-TypeScript.zip');
  await assert.rejects(start({ targetPlatform: 'Unreal' }), failsWith('validation', /Unreal.*Unity.*CSharp/));
});

test('a snapshot with faults fails the job, and the description has the first fault', async (t) => {
  let faults = [fault('no shape "X"'), fault('another')];
  const { generate } = await openWithSnapshot(t, { examine: async () => ({ faults, archive: undefined }) });
  const { state, description, download } = await generate();
  assert.deepEqual([state, description, download], ['FAILED', 'no shape "X"', undefined]);
  faults = [fault(` two\nlines ${'x'.repeat(300)} `)];
  const long = await generate();
  assert.match(long.description, /^two lines x+…$/);
  assert.equal(long.description.length, 250);
});

test('a bug ends as a failure that points to the log', async (t) => {
  const { generate, lines } = await openWithSnapshot(t, {
    async examine() {
      throw new TypeError('undefined is not a function');
    },
  });
  const { id, state, description } = await generate();
  assert.equal(state, 'FAILED');
  assert.match(description, /its log says why/);
  assert.deepEqual(
    lines.filter(({ level }) => level === 50).map(({ generatedCodeJobId }) => generatedCodeJobId),
    [id],
  );
});

test('the oldest jobs that have ended are forgotten, with their zips', async (t) => {
  const { jobs, snapshotId, generate, open } = await openWithSnapshot(t, { maxGeneratedCodeJobs: 3 });
  const made = [];
  for (let count = 0; count < 5; count += 1) made.push(await generate());
  const { items } = await jobs.list('Demo', snapshotId, {}, CHANGE);
  assert.deepEqual(
    items.map(({ id }) => id),
    made
      .slice(2)
      .map(({ id }) => id)
      .reverse(),
  );
  assert.equal(await open(made[1]?.download?.url ?? ''), undefined);
  assert.ok(await open(made[2]?.download?.url ?? ''));
  await assert.rejects(jobs.get('Demo', snapshotId, made[0]?.id ?? '', CHANGE), failsWith('not_found', /no job/));
});

test('when fifty calls come at once, only as many start jobs as are kept', async (t) => {
  const { jobs, snapshotId, start, store, game } = await openWithSnapshot(t, { maxGeneratedCodeJobs: 5 });
  await Promise.all([start(), start()]);
  await jobs.settled();
  const calls = await Promise.allSettled(Array.from({ length: 50 }, () => start()));
  const refusals = calls.flatMap((call) => (call.status === 'rejected' ? [call.reason] : []));
  assert.ok(refusals.length > 0);
  for (const { code, retryAfterMs } of refusals) assert.deepEqual([code, retryAfterMs], ['throttled', 1_000]);
  assert.ok((await store.generatedCodeJobs.list(game.id, snapshotId, { limit: 100 })).length <= 5);
  await jobs.settled();
  const { items } = await jobs.list('Demo', snapshotId, {}, CHANGE);
  assert.deepEqual(
    items.map(({ state }) => state),
    Array(5).fill('COMPLETED'),
  );
  await start();
  await jobs.settled();
});

test('a job of one game does not wait for the many of another', async (t) => {
  let goOn = () => {};
  const isTime = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const domain = await openWithSnapshot(t, {
    async examine(asked) {
      if (asked.code?.gameName === 'Demo') await isTime;
      return examineInThisThread(asked);
    },
  });
  const { jobs, start, games, snapshots } = domain;
  for (let count = 0; count < 5; count += 1) await start();
  await games.create({ name: 'Other' }, CHANGE);
  const { id: snapshotId } = await snapshots.create('Other', undefined, CHANGE);
  const id = await jobs.start('Other', snapshotId, {}, CHANGE);
  for (let turn = 0; turn < 100; turn += 1) await nextTurn();
  assert.notEqual((await jobs.get('Other', snapshotId, id, CHANGE)).state, 'PENDING');
  goOn();
  await jobs.settled();
});

test('jobs are listed page by page, newest first', async (t) => {
  const { jobs, snapshotId, generate } = await openWithSnapshot(t);
  const ids: string[] = [];
  for (let count = 0; count < 4; count += 1) ids.push((await generate()).id);
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await jobs.list('Demo', snapshotId, { maxResults: 3, nextToken }, CHANGE);
    for (const { id, download } of page.items) seen.push(download === undefined ? 'no download' : id);
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  assert.deepEqual(seen, ids.toReversed());
});

test('jobs need their game and their snapshot', async (t) => {
  const { jobs, snapshotId, snapshots, generate, start, store, game } = await openWithSnapshot(t);
  const { id } = await generate();
  const other = await snapshots.create('Demo', undefined, CHANGE);
  const missing = snapshotId.replace('000Z', '999Z');
  await assert.rejects(jobs.get('Demo', other.id, id, CHANGE), failsWith('not_found', /no job/));
  for (const [gameName, snapshot, message] of [
    ['Other', snapshotId, /game "Other"/],
    ['Demo', missing, /snapshot "/],
  ] as const) {
    await assert.rejects(jobs.start(gameName, snapshot, {}, CHANGE), failsWith('not_found', message));
    await assert.rejects(jobs.get(gameName, snapshot, id, CHANGE), failsWith('not_found', /game "Other"|no job/));
    await assert.rejects(jobs.list(gameName, snapshot, {}, CHANGE), failsWith('not_found', message));
  }
  await store.games.update(game.id, { state: 'DELETING', updatedAt: 0 });
  await assert.rejects(start(), failsWith('not_found', /game/));
  assert.equal((await jobs.get('Demo', snapshotId, id, CHANGE)).state, 'COMPLETED');
});

test('jobs end quietly when their game is deleted meanwhile', async (t) => {
  const domain = await openWithSnapshot(t, {
    async examine(asked) {
      await domain.games.delete('Demo', CHANGE);
      return examineInThisThread(asked);
    },
  });
  const id = await domain.start();
  await domain.jobs.settled();
  assert.equal(await domain.store.games.find('Demo'), undefined);
  assert.equal(await domain.store.generatedCodeJobs.find(domain.game.id, domain.snapshotId, id), undefined);
  assert.deepEqual(
    domain.lines.filter(({ level }) => level > 30),
    [],
  );
});

for (const phase of ['before', 'after'] as const) {
  test(`when the process dies ${phase} any step of a job, a restart ends it`, async (t) => {
    for (let step = 1; ; step += 1) {
      const store = await openTestStore(t);
      const { snapshotId, game } = await openWithSnapshot(t, { store });
      const crash = { phase, stepsLeft: step };
      const crashing = await openDomain(t, { store: crashingStore(store, crash) });
      const acknowledged = await crashing.generatedCodeJobs
        .start('Demo', snapshotId, {}, CHANGE)
        .catch(() => undefined);
      for (let turn = 0; turn < 10; turn += 1) await nextTurn();
      await crashing.generatedCodeJobs.close();
      const left = await store.generatedCodeJobs.list(game.id, snapshotId, { limit: 10 });
      for (const { id, state } of left) {
        assert.equal((await store.generatedCodeJobs.archive(id)) !== undefined, state === 'COMPLETED', `step ${step}`);
      }
      if (acknowledged !== undefined) assert.equal(left[0]?.id, acknowledged, `step ${step}: acknowledged and lost`);

      const { generatedCodeJobs: jobs } = await openDomain(t, { store });
      await jobs.resume();
      await jobs.settled();
      const { items } = await jobs.list('Demo', snapshotId, {}, CHANGE);
      assert.deepEqual(
        items.map(({ state }) => state),
        left.map(() => 'COMPLETED'),
        `step ${step}`,
      );
      if (crash.stepsLeft > 0) {
        assert.ok(step > 8, 'a job is made of several steps');
        return;
      }
    }
  });
}

test('a job whose zip would take the game beyond its bytes fails and says why, and leaves no zip', async (t) => {
  const { generate, store, game } = await openWithSnapshot(t, { maxGameBytes: 2_000 });
  const before = await store.usage.ofGame(game.id);
  assert(before > 0);
  const { state, description, download } = await generate();
  assert.deepEqual([state, download], ['FAILED', undefined]);
  assert.match(
    description,
    /^the snapshots and generated code of the game would have more than 2000 bytes, .*RESPARK_MAX_GAME_BYTES$/,
  );
  assert.equal(await store.usage.ofGame(game.id), before);
});

test('a URL of a download is on record when it is handed out, and asking without getting one is not', async (t) => {
  const recorded: string[] = [];
  const audit: Audit = {
    around(change, rule) {
      recorded.push(change.operation);
      return rule();
    },
  };
  let goOn = () => {};
  const isTime = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const { jobs, snapshotId, start } = await openWithSnapshot(t, {
    audit,
    async examine(asked) {
      await isTime;
      return examineInThisThread(asked);
    },
  });
  const as = (operation: string) => ({ ...CHANGE, operation });
  const id = await start();
  recorded.length = 0;
  const look = async () => {
    const { download } = await jobs.get('Demo', snapshotId, id, as('Get'));
    const { items } = await jobs.list('Demo', snapshotId, {}, as('List'));
    return [download?.url, items[0]?.download?.url].map((url) => url !== undefined);
  };
  assert.deepEqual(await look(), [false, false]);
  assert.deepEqual(recorded, []);
  goOn();
  await jobs.settled();
  assert.deepEqual(await look(), [true, true]);
  assert.deepEqual(recorded, ['Get', 'List']);
});
