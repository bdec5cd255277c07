import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { attributesIn, CHANGE, type DomainOptions, openDomain, ROLE } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { ErrorCode } from '../errors.ts';
import { sampleJob, sampleSnapshot } from '../store/store-samples.ts';

/** The pattern in the API's model. */
const SNAPSHOT_ID = /^Snapshot_\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3,6}Z$/;

const failsWith = (code: ErrorCode, message = /./) => ({ name: 'ServiceError', code, message });

async function openWithGame(t: TestContext, options: DomainOptions = {}) {
  const domain = await openDomain(t, options);
  const game = await domain.games.create({ name: 'Demo' }, CHANGE);
  const set = (sections: unknown) =>
    domain.configurations.import(
      'Demo',
      Buffer.from(JSON.stringify({ Document: { Type: 'Game', Sections: sections } })),
      CHANGE,
    );
  return { ...domain, game, set };
}

test('a snapshot keeps the configuration as it was', async (t) => {
  const { snapshots, set, game, clock } = await openWithGame(t);
  const empty = await snapshots.create('Demo', undefined, CHANGE);
  assert.deepEqual(attributesIn(empty.sections), {});
  const sections = { A: { x: 1 }, B: JSON.parse('{"__proto__":1}') };
  await set(sections);
  const now = clock.now();
  const made = await snapshots.create('Demo', 'the first', CHANGE);
  const { id, sections: described, ...rest } = made;
  assert.match(id, SNAPSHOT_ID);
  assert.deepEqual(rest, { gameId: game.id, description: 'the first', createdAt: now, updatedAt: now });
  assert.deepEqual(attributesIn(described), sections);
  await set({ A: { x: 2 } });
  assert.deepEqual(await snapshots.get('Demo', id), made);
  assert.deepEqual(await snapshots.get('Demo', empty.id), empty);
  assert.deepEqual(attributesIn((await snapshots.get('Demo', id, ['B', 'C'])).sections), { B: sections.B });
});

test('the id tells the time, and keeps growing when the clock stands still or was set back', async (t) => {
  const start = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
  const { snapshots, store } = await openWithGame(t, { clock: new ManualClock(start) });
  const ids = [
    await snapshots.create('Demo', undefined, CHANGE),
    await snapshots.create('Demo', undefined, CHANGE),
  ].map(({ id }) => id);
  assert.deepEqual(ids, ['Snapshot_2026-01-02T03:04:05.006000Z', 'Snapshot_2026-01-02T03:04:05.006001Z']);
  const earlier = await openDomain(t, { store, clock: new ManualClock(start - 60_000) });
  assert.equal((await earlier.snapshots.create('Demo', undefined, CHANGE)).id, 'Snapshot_2026-01-02T03:04:05.006002Z');
  const later = await openDomain(t, { store, clock: new ManualClock(start + 1) });
  assert.equal((await later.snapshots.create('Demo', undefined, CHANGE)).id, 'Snapshot_2026-01-02T03:04:05.007000Z');
});

test('more than a thousand snapshots of one millisecond run over into the next', async (t) => {
  const { snapshots, store, game, clock } = await openWithGame(t, { maxSnapshots: 2_000 });
  const { id, sections: _, ...record } = await snapshots.create('Demo', undefined, CHANGE);
  const last = id.replace(/000Z$/, '999Z');
  await store.snapshots.insert({ ...record, id: last, sections: '{}' });
  const next = new Date(clock.now() + 1).toISOString().replace('Z', '000Z');
  assert.equal((await snapshots.create('Demo', undefined, CHANGE)).id, `Snapshot_${next}`);
  assert.equal(await store.snapshots.count(game.id), 3);
});

test('fifty snapshots at once are fifty, with ids of their own', async (t) => {
  const { snapshots } = await openWithGame(t);
  const made = await Promise.all(Array.from({ length: 50 }, () => snapshots.create('Demo', undefined, CHANGE)));
  assert.equal(new Set(made.map(({ id }) => id)).size, 50);
  const { items } = await snapshots.list('Demo', {});
  assert.deepEqual(
    items.map(({ id }) => id),
    made
      .map(({ id }) => id)
      .sort()
      .reverse(),
  );
  assert.equal(Object.hasOwn(items[0] ?? {}, 'sections'), false);
});

test('when fifty are asked for at once, only as many are made as maxSnapshots allows', async (t) => {
  const { snapshots, store, game } = await openWithGame(t, { maxSnapshots: 20 });
  const calls = await Promise.allSettled(Array.from({ length: 50 }, () => snapshots.create('Demo', undefined, CHANGE)));
  const refusals = calls.flatMap((call) => (call.status === 'rejected' ? [call.reason] : []));
  assert.equal(refusals.length, 30);
  for (const { code, message } of refusals)
    assert.deepEqual([code, /RESPARK_MAX_SNAPSHOTS/.test(message)], ['conflict', true]);
  assert.equal(await store.snapshots.count(game.id), 20);
});

test('following the tokens gives each snapshot that was there exactly once, whatever is created meanwhile', async (t) => {
  const { games, snapshots } = await openWithGame(t, { maxGames: 1_000 });
  const ids = async (gameName: string, count: number) => {
    const made = await Promise.all(Array.from({ length: count }, () => snapshots.create(gameName, undefined, CHANGE)));
    return made.map(({ id }) => id);
  };
  let gameNumber = 0;
  const pages = fc.array(
    fc.record({ maxResults: fc.integer({ min: 1, max: 9 }), created: fc.integer({ min: 0, max: 3 }) }),
    {
      minLength: 1,
      maxLength: 5,
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 25 }), pages, async (count, steps) => {
      gameNumber += 1;
      const gameName = `G${gameNumber}`;
      await games.create({ name: gameName }, CHANGE);
      const before = await ids(gameName, count);
      const seen: string[] = [];
      let nextToken: string | undefined;
      for (let index = 0; ; index += 1) {
        const { maxResults, created } = steps[index % steps.length] as (typeof steps)[number];
        const [page] = await Promise.all([snapshots.list(gameName, { maxResults, nextToken }), ids(gameName, created)]);
        assert.ok(page.items.length <= maxResults);
        seen.push(...page.items.map(({ id }) => id));
        nextToken = page.nextToken;
        if (nextToken === undefined) break;
      }
      assert.deepEqual(seen, [...seen].sort().reverse());
      assert.equal(new Set(seen).size, seen.length);
      assert.deepEqual(
        before.filter((id) => !seen.includes(id)),
        [],
      );
    }),
    { numRuns: 30 },
  );
});

test('only the description can be changed', async (t) => {
  const { snapshots, clock } = await openWithGame(t);
  const made = await snapshots.create('Demo', 'old', CHANGE);
  clock.advance(1_000);
  assert.deepEqual(await snapshots.update('Demo', made.id, {}, CHANGE), made);
  const changed = await snapshots.update('Demo', made.id, { description: '' }, CHANGE);
  assert.deepEqual(changed, { ...made, description: '', updatedAt: made.updatedAt + 1_000 });
  assert.deepEqual(await snapshots.get('Demo', made.id), changed);
});

test('what is exported can be imported elsewhere, and is the same', async (t) => {
  const { snapshots, set, games, configurations, downloads } = await openWithGame(t);
  const sections = { A: { x: ['é', { y: null }] }, B: JSON.parse('{"__proto__":1}') };
  await set(sections);
  const { id } = await snapshots.create('Demo', undefined, CHANGE);
  const url = await snapshots.exportUrl('Demo', id, CHANGE);
  assert.match(url, /^\/download\/[\w-]+\/Demo-Snapshot_2026-01-02T03-04-05\.000000Z\.json$/);
  const file = await downloads.open(url, '192.0.2.7');
  assert.equal(file?.contentType, 'application/json');
  await games.create({ name: 'Other' }, CHANGE);
  await configurations.import('Other', file?.body ?? Buffer.of(), CHANGE);
  assert.deepEqual(attributesIn((await configurations.get('Other')).sections), sections);
});

test('unknown games and snapshots are not found, and a game being deleted can only be read', async (t) => {
  const { snapshots, store, game } = await openWithGame(t);
  const { id } = await snapshots.create('Demo', undefined, CHANGE);
  const other = id.replace('000Z', '009Z');
  for (const call of [
    snapshots.create('Other', undefined, CHANGE),
    snapshots.list('Other', {}),
    snapshots.get('Other', id),
  ]) {
    await assert.rejects(call, failsWith('not_found', /game "Other"/));
  }
  for (const call of [
    snapshots.get('Demo', other),
    snapshots.update('Demo', other, { description: 'x' }, CHANGE),
    snapshots.exportUrl('Demo', other, CHANGE),
  ]) {
    await assert.rejects(call, failsWith('not_found', /snapshot "Snapshot_/));
  }
  await store.games.update(game.id, { state: 'DELETING', updatedAt: 0 });
  assert.equal((await snapshots.get('Demo', id)).id, id);
  assert.equal((await snapshots.list('Demo', {})).items.length, 1);
  await assert.rejects(snapshots.create('Demo', undefined, CHANGE), failsWith('not_found'));
  await assert.rejects(snapshots.update('Demo', id, { description: 'x' }, CHANGE), failsWith('not_found'));
});

test('a snapshot beyond the bytes that a game may have, or all together, is refused, and another game is not', async (t) => {
  const { snapshots, set, games, configurations, store } = await openWithGame(t, { maxGameBytes: 25_000 });
  await set({ A: { text: 'x'.repeat(10_000) } });
  const first = await snapshots.create('Demo', undefined, CHANGE);
  await snapshots.create('Demo', undefined, CHANGE);
  const refused = failsWith(
    'conflict',
    /more than 25000 bytes, as many as this server allows: raise RESPARK_MAX_GAME_BYTES/,
  );
  await assert.rejects(snapshots.create('Demo', undefined, CHANGE), refused);
  assert.equal(await store.snapshots.count(first.gameId), 2);
  await games.create({ name: 'Other' }, CHANGE);
  await snapshots.create('Other', undefined, CHANGE);
  assert.equal((await configurations.get('Demo')).sections !== undefined, true);

  const full = await openDomain(t, { store, maxStoredBytes: await store.usage.inAll() });
  await assert.rejects(
    full.snapshots.create('Demo', undefined, CHANGE),
    failsWith('conflict', /everything in the store would have more .*RESPARK_MAX_STORED_BYTES/),
  );
});

/** A stage that runs the first of two snapshots, and was deployed. */
async function openDeployed(t: TestContext) {
  const domain = await openWithGame(t);
  await domain.stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  const stage = await domain.store.stages.find('Demo', 'Dev');
  const make = async () => (await domain.snapshots.create('Demo', undefined, CHANGE)).id;
  const run = async (snapshotId: string, id: string) => {
    const stageId = stage?.id ?? '';
    await domain.store.runtimes.insert({ id, stageId, snapshotId, createdAt: domain.clock.now() });
    await domain.store.stages.update(stageId, { runtimeId: id, updatedAt: domain.clock.now() });
  };
  return { ...domain, make, run, remove: (id: string) => domain.snapshots.delete('Demo', id, CHANGE) };
}

test('a snapshot is deleted, but not the newest, whose id a later one could have again', async (t) => {
  const { make, remove, snapshots } = await openDeployed(t);
  const [first, second] = [await make(), await make()];
  await assert.rejects(remove(second), failsWith('conflict', /the newest of its game/));
  await remove(first);
  await assert.rejects(remove(first), failsWith('not_found'));
  await assert.rejects(snapshots.get('Demo', first), failsWith('not_found'));
  assert.deepEqual(
    (await snapshots.list('Demo', {})).items.map(({ id }) => id),
    [second],
  );
});

test('a snapshot is deleted with its generated code, and other calls get their turn in between', async (t) => {
  const { make, remove, store, game } = await openDeployed(t);
  const [first, second] = [await make(), await make()];
  const job = (snapshotId: string, id: string) => sampleJob(sampleSnapshot(game, snapshotId), id, { state: 'FAILED' });
  for (let index = 0; index < 21; index += 1) await store.generatedCodeJobs.insert(job(first, `J${index}`));
  await store.generatedCodeJobs.insert(job(second, 'newest'));
  let isDone = false;
  const removal = remove(first).finally(() => {
    isDone = true;
  });
  let turns = 0;
  for (; !isDone; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  await removal;
  assert.ok(turns >= 3, `${turns} turns`);
  assert.deepEqual(await store.generatedCodeJobs.list(game.id, first, { limit: 1 }), []);
  await assert.rejects(remove(second), failsWith('conflict', /the newest of its game/));
  assert.notEqual(
    await store.generatedCodeJobs.find(game.id, second, 'newest'),
    undefined,
    'what stays keeps its code',
  );
});

test('a snapshot stays while a stage runs it, and until no player can be on it any more', async (t) => {
  const { make, run, remove, clock } = await openDeployed(t);
  const [first, second] = [await make(), await make()];
  await make();
  await run(first, 'r1');
  await assert.rejects(remove(first), failsWith('conflict', /stage "Dev" runs it/));
  await run(second, 'r2');
  await assert.rejects(remove(first), failsWith('conflict', /players of stage "Dev" may still be on it/));
  clock.advance(3_606_000);
  await remove(first);
  await assert.rejects(remove(second), failsWith('conflict', /stage "Dev" runs it/));
});

test('runtimes that are old are forgotten one stage after the other, and other calls get their turn in between', async (t) => {
  const { make, run, remove, clock, store, stages } = await openDeployed(t);
  await stages.create({ gameName: 'Demo', name: 'Live', role: ROLE }, CHANGE);
  const [first, second] = [await make(), await make()];
  await make();
  const { id: liveId = '' } = (await store.stages.find('Demo', 'Live')) ?? {};
  for (const id of ['r1', 'r2']) {
    await run(first, id);
    await store.runtimes.insert({ id: `live ${id}`, stageId: liveId, snapshotId: first, createdAt: clock.now() });
  }
  await run(second, 'r3');
  clock.advance(3_606_000);
  const removed: number[] = [];
  let turn = 0;
  let isDone = false;
  const { remove: removeRuntimes } = store.runtimes;
  store.runtimes.remove = async (ids) => {
    removed.push(turn);
    await removeRuntimes(ids);
  };
  const removal = remove(first).finally(() => {
    isDone = true;
  });
  removal.catch(() => {});
  for (; !isDone; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(new Set(removed).size, 2, removed.join());
});

test('a snapshot stays while a connection of any node is on it, or a node does not say', async (t) => {
  const { make, run, remove, clock, cluster, runtimes, store } = await openDeployed(t);
  const [first, second] = [await make(), await make()];
  await make();
  await run(first, 'r1');
  await run(second, 'r2');
  clock.advance(3_606_000);
  const stays = failsWith('conflict', /players of stage "Dev" may still be on it/);
  const requestAll = cluster.requestAll.bind(cluster);
  cluster.requestAll = async () => {
    throw new Error('node n2 is silent');
  };
  await assert.rejects(remove(first), stays);
  cluster.requestAll = requestAll;
  const { id: stageId = '' } = (await store.stages.find('Demo', 'Dev')) ?? {};
  const runtime = runtimes.enter({ id: 'r1', stage: { stageId, gameName: 'Demo', stageName: 'Dev' } });
  await assert.rejects(remove(first), stays);
  runtime.leave();
  await remove(first);
});
